CREATE TABLE tenants (
    tenant_id  uuid PRIMARY KEY,
    slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
CALL protect_table('tenants', false);
-- The one exception to the tenant policy: the worker and the command line must know which tenants there are.
-- (`origins` has the other one; the catalogue test holds that there are no more.)
DROP POLICY tenant ON tenants;
CREATE POLICY tenant ON tenants AS RESTRICTIVE USING (tenant_id = app_tenant() OR current_user = 'countersign_executor')
    WITH CHECK (tenant_id = app_tenant());

-- A publishable key: it names the tenant before log-in and opens nothing by itself, so it is kept readable for the console.
CREATE TABLE store_keys (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    key        text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, key)
);
CALL protect_table('store_keys', false);

GRANT SELECT ON tenants TO countersign_reader;
GRANT SELECT ON tenants, store_keys TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON tenants, store_keys TO countersign_executor;
