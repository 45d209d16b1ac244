-- Deliveries to other systems and mails: one row for each delivery to one recipient, with its outcome.

-- Rows are written in the transaction that causes the delivery.
CREATE TABLE outbox (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    kind            text NOT NULL,
    idempotency_key text NOT NULL,
    payload         jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    channel         text NOT NULL DEFAULT 'mail' CHECK (channel IN ('mail', 'webhook', 'payment', 'shop', 'crm')),
    -- `dead` was given up; staff may retry or drop it. `dropped` was dropped by staff, or has no recipient.
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'dead', 'dropped')),
    attempts        integer NOT NULL DEFAULT 0,
    last_error      text CHECK (length(last_error) <= 500),
    due_at          timestamptz,
    -- The id at the other side, such as a refund's.
    reference       text CHECK (length(reference) <= 200),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, idempotency_key)
);
CALL protect_table('outbox', false);
CREATE INDEX outbox_by_state ON outbox (tenant_id, state, id);

-- Only the executor may add deliveries that move money or change the shop's platform.
CREATE POLICY web_channels ON outbox AS RESTRICTIVE FOR INSERT TO countersign_web WITH CHECK (channel IN ('mail', 'webhook'));

-- Endpoints of a store's own systems that receive webhooks. `secret` signs them and is sealed.
CREATE TABLE webhook_endpoints (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    url         text NOT NULL CHECK (length(url) <= 2000),
    secret      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    disabled_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CALL protect_table('webhook_endpoints', false);

-- Credentials of other systems, sealed. `mac` is a MAC under the server's key, so that one secret cannot serve two purposes.
CREATE TABLE integrations (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('stripe', 'crm', 'shopify', 'woocommerce', 'connector', 'stripe_webhook', 'shopify_webhook', 'woocommerce_webhook', 'store_webhook', 'mail_webhook')),
    -- Whether it is for the platform of the store's shop: `Kind::PLATFORMS` in the code has the same.
    is_platform boolean NOT NULL GENERATED ALWAYS AS (kind IN ('shopify', 'woocommerce', 'connector')) STORED,
    url        text CHECK (length(url) <= 2000),
    secret     bytea NOT NULL,
    mac        bytea NOT NULL CHECK (length(mac) = 32),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, mac)
);
CALL protect_table('integrations', false);

-- Addresses that bounced or complained, as MACs. Nothing is mailed to them.
CREATE TABLE suppressed_addresses (
    tenant_id uuid NOT NULL REFERENCES tenants,
    mac       bytea NOT NULL CHECK (length(mac) = 32),
    reason    text NOT NULL CHECK (reason IN ('bounced', 'complained')),
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, mac)
);
CALL protect_table('suppressed_addresses', false);

CREATE FUNCTION queue_delivery(delivery uuid, wait_seconds double precision) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM outbox WHERE tenant_id = app_tenant() AND id = delivery;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'deliver', payload => json_build_object('tenant', app_tenant(), 'id', delivery),
            run_at => now() + make_interval(secs => wait_seconds));
    END IF;
END $$;
CREATE TRIGGER enforce_row_limit BEFORE INSERT ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION enforce_row_limit('10', 'disabled_at IS NULL');

-- Who may do what.
GRANT INSERT, SELECT, UPDATE (state, attempts, due_at) ON outbox TO countersign_web;
GRANT INSERT, SELECT, UPDATE (sent_at, state, attempts, last_error, due_at, reference) ON outbox TO countersign_executor;
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO countersign_web;
GRANT SELECT ON webhook_endpoints TO countersign_executor;
GRANT SELECT, INSERT, UPDATE ON integrations TO countersign_executor;
GRANT SELECT, INSERT ON suppressed_addresses TO countersign_executor;
GRANT SELECT ON integrations TO countersign_web;
REVOKE ALL ON FUNCTION queue_delivery FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_delivery TO countersign_web, countersign_executor;
