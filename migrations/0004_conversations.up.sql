-- Conversations, their turns and messages, and the model's tool calls.

CREATE TABLE conversations (
    tenant_id     uuid NOT NULL,
    shopper_id    uuid NOT NULL,
    id            uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    -- When retention blanked the words of the conversation.
    erased_at     timestamptz,
    -- `waiting_since` is set while a person is asked for. `held_by` is the member of staff who answers instead of the assistant.
    waiting_since timestamptz,
    held_by       uuid,
    -- The language of the conversation: what the shopper's browser last asked for, else the shopper's, else the store's.
    language      text NOT NULL DEFAULT 'en' CHECK (language ~ '^[a-z]{2,3}$'),
    -- The network that a guest's conversation was begun from, as a keyed hash, because guests of one network have a share of the places of
    -- those who wait for a person. `site` is the same for the IPv6 /48 above.
    network       bytea,
    site          bytea,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers,
    CONSTRAINT conversations_held_by_fkey FOREIGN KEY (tenant_id, held_by) REFERENCES staff
);
CALL protect_table('conversations', true);
CREATE INDEX conversations_of_shopper ON conversations (tenant_id, shopper_id, updated_at DESC, id DESC);
CREATE INDEX conversations_waiting ON conversations (tenant_id, waiting_since) WHERE waiting_since IS NOT NULL;
CREATE POLICY guests_only ON conversations AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = conversations.tenant_id AND s.shopper_id = conversations.shopper_id AND s.guest));

-- When staff lose access, their conversations return to the assistant and the shopper waits again.
CREATE FUNCTION release_conversations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL OR NEW.role = 'viewer' AND OLD.role <> 'viewer' THEN
        UPDATE conversations SET held_by = NULL, waiting_since = coalesce(NEW.disabled_at, now()) WHERE tenant_id = NEW.tenant_id AND held_by = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER release_conversations AFTER UPDATE ON staff FOR EACH ROW EXECUTE FUNCTION release_conversations();

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
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE
);
CALL protect_table('turns', true);

-- A conversation has at most one running turn.
CREATE UNIQUE INDEX turns_running ON turns (tenant_id, conversation_id) WHERE status = 'running';
CREATE POLICY guests_only ON turns AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = turns.tenant_id AND s.shopper_id = turns.shopper_id AND s.guest));

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
    -- The help articles that a search returned in the turn: `[{"title", "slug", "language"}]`.
    citations       jsonb,
    -- What the shopper may press below it.
    suggestions     text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE
);
CALL protect_table('messages', true);
CREATE INDEX messages_in_order ON messages (tenant_id, conversation_id, created_at, id);
CREATE POLICY guests_only ON messages AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = messages.tenant_id AND s.shopper_id = messages.shopper_id AND s.guest));

-- Every tool call of the model and its outcome, append-only. The result is not stored, because it is the store's data.
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
CREATE POLICY guests_only ON tool_calls AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = tool_calls.tenant_id AND s.shopper_id = tool_calls.shopper_id AND s.guest));

-- Only a transaction that is bound to the shopper may delete; one that is bound to no shopper deletes nothing.
DO $$
DECLARE tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['messages', 'tool_calls', 'turns', 'conversations'] LOOP
        EXECUTE format('CREATE POLICY own_rows_only ON %I AS RESTRICTIVE FOR DELETE TO countersign_web USING (shopper_id = app_shopper())', tbl);
    END LOOP;
END $$;

-- Who may do what.
-- Whose data else was looked up in a conversation: the owner of the order that a guest had proved. An erasure of the owner finds the
-- conversation here, also when the guest's session is long gone.
CREATE TABLE conversation_subjects (
    tenant_id       uuid NOT NULL,
    conversation_id uuid NOT NULL,
    subject_id      uuid NOT NULL,
    PRIMARY KEY (tenant_id, subject_id, conversation_id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, subject_id) REFERENCES shoppers
);
CALL protect_table('conversation_subjects', false);
CREATE INDEX conversation_subjects_of_conversation ON conversation_subjects (tenant_id, conversation_id);

CREATE FUNCTION record_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO conversation_subjects (tenant_id, conversation_id, subject_id)
    SELECT DISTINCT NEW.tenant_id, NEW.conversation_id, s.order_owner FROM sessions s
    WHERE s.tenant_id = NEW.tenant_id AND s.shopper_id = NEW.shopper_id AND s.order_id = app_order() AND s.order_owner IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER record_subject AFTER INSERT ON turns FOR EACH ROW WHEN (app_order() IS NOT NULL) EXECUTE FUNCTION record_subject();

GRANT SELECT, INSERT, UPDATE (updated_at, shopper_id, waiting_since, held_by, language), DELETE ON conversations TO countersign_web;
GRANT SELECT, INSERT, UPDATE (status, events, lease_until, finished_at, idempotency_key), DELETE ON turns TO countersign_web;
GRANT SELECT, INSERT, DELETE ON messages, tool_calls TO countersign_web;
GRANT SELECT, UPDATE (updated_at, erased_at, waiting_since, held_by, network, site), DELETE ON conversations TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (body), DELETE ON messages TO countersign_executor;
GRANT UPDATE (events, idempotency_key, status, finished_at), SELECT (tenant_id, shopper_id, id, conversation_id, created_at, events, status,
    finished_at), DELETE ON turns TO countersign_executor;
GRANT UPDATE (arguments), SELECT (tenant_id, shopper_id, turn_id, arguments), DELETE ON tool_calls TO countersign_executor;
GRANT INSERT ON conversation_subjects TO countersign_web;
GRANT SELECT ON conversation_subjects TO countersign_executor;
