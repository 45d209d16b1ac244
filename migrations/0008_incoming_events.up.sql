-- Incoming webhooks of other systems.

-- Events as they were received, each stored once. The queue processes them.
CREATE TABLE incoming_webhooks (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    source      text NOT NULL CHECK (source IN ('shopify', 'stripe', 'store', 'mail')),
    event_id    text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 200),
    topic       text NOT NULL CHECK (length(topic) <= 200),
    -- All topics that the same body was sent under, in their order. Those behind `topic` are tried when nothing comes of the event.
    topics      text[] NOT NULL DEFAULT '{}',
    body        jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    -- `ignored` has an unknown topic, or is older than what is stored. `dead` was given up; staff may retry it.
    state       text NOT NULL CHECK (state IN ('queued', 'done', 'ignored', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    last_error  text CHECK (length(last_error) <= 500),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, source, event_id)
);
CALL protect_table('incoming_webhooks', false);
CREATE INDEX incoming_webhooks_queued ON incoming_webhooks (tenant_id, due_at, id) WHERE state = 'queued';

-- The newest version of each record that another system has sent. Older versions change nothing.
CREATE TABLE record_versions (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    kind        text NOT NULL CHECK (kind IN ('product', 'shopper', 'order', 'stock', 'fulfillment')),
    external_id text NOT NULL CHECK (length(external_id) <= 200),
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, external_id)
);
CALL protect_table('record_versions', false);

CREATE FUNCTION queue_processing(shard integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM graphile_worker.add_job(identifier => 'process_events', payload => json_build_object('tenant', app_tenant()), job_key => 'process_events:' || app_tenant() || ':' || shard);
END $$;

-- Who may do what.
GRANT SELECT, INSERT, UPDATE (state, attempts, due_at, topic, topics) ON incoming_webhooks TO countersign_web;
GRANT SELECT, UPDATE (state, attempts, due_at, last_error, topic), DELETE ON incoming_webhooks TO countersign_executor;
GRANT SELECT, INSERT, UPDATE, DELETE ON record_versions TO countersign_executor;
REVOKE ALL ON FUNCTION queue_processing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_processing TO countersign_web, countersign_executor;
