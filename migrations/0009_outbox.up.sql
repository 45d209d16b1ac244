-- What leaves the house: one row for each thing to be handed to one other side, with what became of it.

ALTER TABLE outbox
    ADD channel    text NOT NULL DEFAULT 'mail' CHECK (channel IN ('mail', 'webhook', 'payment', 'shop', 'crm')),
    -- `dead`: given up, staff may try again or drop it. `dropped`: by staff, or because there is nobody to send it to.
    ADD state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'dead', 'dropped')),
    ADD attempts   integer NOT NULL DEFAULT 0,
    ADD last_error text CHECK (length(last_error) <= 500),
    ADD due_at     timestamptz,
    -- What the other side calls it, such as a refund's id.
    ADD reference  text CHECK (length(reference) <= 200);
CREATE INDEX outbox_by_state ON outbox (tenant_id, state, id);

-- Where a store's own systems are told what happened. `secret`: what they are signed with, sealed.
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

-- Credentials for and of other systems, sealed. `mac`: under the server's key, so that one secret cannot serve two purposes.
CREATE TABLE integrations (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('stripe', 'crm', 'shopify', 'stripe_webhook', 'shopify_webhook', 'store_webhook', 'mail_webhook')),
    url        text CHECK (length(url) <= 2000),
    secret     bytea NOT NULL,
    mac        bytea NOT NULL CHECK (length(mac) = 32),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, mac)
);
CALL protect_table('integrations', false);

-- Addresses that bounced or complained, as MACs: nothing is mailed to them.
CREATE TABLE suppressed_addresses (
    tenant_id uuid NOT NULL REFERENCES tenants,
    mac       bytea NOT NULL CHECK (length(mac) = 32),
    reason    text NOT NULL CHECK (reason IN ('bounced', 'complained')),
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, mac)
);
CALL protect_table('suppressed_addresses', false);

ALTER TABLE tenants ADD language text NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'de')),
    ADD reply_to text CHECK (length(reply_to) <= 254);
ALTER TABLE shoppers ADD language text CHECK (language IN ('en', 'de'));
-- What the payment provider calls a payment; without it refunds are the store's own books alone.
ALTER TABLE payments ADD reference text CHECK (length(reference) <= 200);

-- For the mail that tells of a new sign-in.
GRANT SELECT (id, address, device, created_at) ON sessions TO countersign_executor;
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO countersign_web;
GRANT SELECT ON webhook_endpoints, integrations, suppressed_addresses TO countersign_executor;
GRANT INSERT ON suppressed_addresses TO countersign_executor;
GRANT INSERT, UPDATE ON integrations TO countersign_executor;
GRANT SELECT ON integrations TO countersign_web;
GRANT UPDATE (state, attempts, last_error, due_at, sent_at, reference) ON outbox TO countersign_executor;
-- Staff try again or drop.
GRANT UPDATE (state, attempts, due_at) ON outbox TO countersign_web;
