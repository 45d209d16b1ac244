CREATE TABLE conversations (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    id         uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('conversations', true);
CREATE INDEX conversations_of_shopper ON conversations (tenant_id, shopper_id, updated_at DESC, id DESC);

-- A turn is one shopper message until its answer ends. `lease_until` is renewed by the replica that runs it: a turn
-- past its lease was orphaned by a crash and is closed as interrupted by whoever comes next.
CREATE TABLE turns (
    tenant_id       uuid NOT NULL,
    shopper_id      uuid NOT NULL,
    id              uuid NOT NULL,
    conversation_id uuid NOT NULL,
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    request_hash    bytea NOT NULL CHECK (length(request_hash) = 32),
    status          text NOT NULL CHECK (status IN ('running', 'done', 'interrupted')),
    events          jsonb NOT NULL DEFAULT '[]',
    lease_until     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, shopper_id, idempotency_key),
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id)
);
CALL protect_table('turns', true);
-- One turn at a time in a conversation.
CREATE UNIQUE INDEX turns_running ON turns (tenant_id, conversation_id) WHERE status = 'running';

CREATE TABLE messages (
    tenant_id       uuid NOT NULL,
    shopper_id      uuid NOT NULL,
    id              uuid NOT NULL,
    conversation_id uuid NOT NULL,
    turn_id         uuid,
    author          text NOT NULL CHECK (author IN ('shopper', 'assistant', 'staff', 'system')),
    source          text NOT NULL CHECK (source IN ('shopper', 'model', 'offline', 'fallback', 'staff', 'system')),
    body            text NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id)
);
CALL protect_table('messages', true);
CREATE INDEX messages_in_order ON messages (tenant_id, conversation_id, created_at, id);

-- Every call the model made, what became of it, append-only. The result itself is not kept: it is the store's data.
CREATE TABLE tool_calls (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    id         uuid NOT NULL,
    turn_id    uuid NOT NULL,
    tool       text NOT NULL,
    arguments  text NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('answered', 'proposed', 'refused', 'failed')),
    reason     text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns
);
CALL protect_table('tool_calls', true);
CREATE INDEX tool_calls_of_turn ON tool_calls (tenant_id, turn_id);

GRANT SELECT, INSERT ON conversations, turns, messages, tool_calls TO countersign_web;
GRANT UPDATE (updated_at) ON conversations TO countersign_web;
GRANT UPDATE (status, events, lease_until, finished_at) ON turns TO countersign_web;
GRANT SELECT ON conversations TO countersign_executor;
GRANT SELECT, INSERT ON messages TO countersign_executor;
