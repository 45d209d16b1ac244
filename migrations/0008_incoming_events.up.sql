-- Incoming webhooks of other systems.

-- Events as they were received, each stored once. The queue processes them.
CREATE TABLE incoming_webhooks (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    source      text NOT NULL CHECK (source IN ('shopify', 'woocommerce', 'stripe', 'store', 'mail')),
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

-- How far each kind of record was fetched from a shop's platform: first the whole history, in later runs what has changed since a time.
CREATE TABLE platform_syncs (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    platform    text NOT NULL,
    entity      text NOT NULL CHECK (entity IN ('products', 'customers', 'orders')),
    -- The run that is under way, or was the last. Without `since` it fetches the whole history.
    since       timestamptz,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    -- Where the run goes on, in the platform's own shape.
    cursor      jsonb,
    -- Whoever works on the run; each page is stored only as long as it is still theirs.
    runner      uuid,
    runner_until timestamptz,
    -- Counts of the run. `total` is none where the platform does not say how many there will be.
    total       bigint,
    fetched     bigint NOT NULL DEFAULT 0,
    changed     bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    last_error  text CHECK (length(last_error) <= 500),
    -- When the whole history was there, and how many records later runs found changed that no event had told of.
    history_at  timestamptz,
    repaired    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, platform, entity)
);
CALL protect_table('platform_syncs', false);

CREATE FUNCTION queue_platform_sync() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM graphile_worker.add_job(identifier => 'sync_platform', payload => json_build_object('tenant', app_tenant()), job_key => 'sync_platform:' || app_tenant());
END $$;

CREATE FUNCTION queue_processing(shard integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM graphile_worker.add_job(identifier => 'process_events', payload => json_build_object('tenant', app_tenant()), job_key => 'process_events:' || app_tenant() || ':' || shard);
END $$;

-- Who may do what.
GRANT SELECT, INSERT, UPDATE (state, attempts, due_at, topic, topics) ON incoming_webhooks TO countersign_web;
GRANT SELECT, INSERT, UPDATE (state, attempts, due_at, last_error, topic), DELETE ON incoming_webhooks TO countersign_executor;
GRANT SELECT ON platform_syncs TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON platform_syncs TO countersign_executor;
GRANT SELECT, INSERT, UPDATE, DELETE ON record_versions TO countersign_executor;
REVOKE ALL ON FUNCTION queue_processing, queue_platform_sync FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_processing, queue_platform_sync TO countersign_web, countersign_executor;
