-- What every other table builds on: the tenant and shopper that a transaction is bound to, the procedure that puts a table under
-- row-level security, and the stores themselves. `countersign migrate` creates the roles before this migration runs.

-- NULL when no tenant is bound. Every comparison below is then NULL, so a transaction without a scope sees no rows.
CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.tenant_id', true), '')::uuid;

CREATE FUNCTION app_shopper() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.shopper_id', true), '')::uuid;

-- Puts a table under row-level security. The restrictive policy binds every role, the owner included (FORCE).
-- `owned_by_shopper`: rows have a shopper_id. The reader then sees only the rows of its bound shopper. Web and executor see all rows of
-- the tenant when no shopper is bound (log-in, staff, effects), and one shopper's rows when one is.
CREATE PROCEDURE protect_table(tbl regclass, owned_by_shopper boolean) LANGUAGE plpgsql AS $$
DECLARE
    shopper_rows text := CASE WHEN owned_by_shopper THEN 'app_shopper() IS NULL OR shopper_id = app_shopper()' ELSE 'true' END;
    reader_rows text := CASE WHEN owned_by_shopper THEN 'shopper_id = app_shopper()' ELSE 'true' END;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tbl);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tbl);
    EXECUTE format('CREATE POLICY tenant ON %s AS RESTRICTIVE USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())', tbl);
    EXECUTE format('CREATE POLICY reader ON %s FOR SELECT TO countersign_reader USING (%s)', tbl, reader_rows);
    EXECUTE format('CREATE POLICY web ON %s TO countersign_web USING (%s) WITH CHECK (%s)', tbl, shopper_rows, shopper_rows);
    EXECUTE format('CREATE POLICY executor ON %s TO countersign_executor USING (%s) WITH CHECK (%s)', tbl, shopper_rows, shopper_rows);
END $$;

CREATE TABLE tenants (
    tenant_id         uuid PRIMARY KEY,
    slug              text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at        timestamptz NOT NULL DEFAULT now(),
    language          text NOT NULL DEFAULT 'en' CHECK (language ~ '^[a-z]{2,3}$'),
    reply_to          text CHECK (length(reply_to) <= 254),
    demo_payments     boolean NOT NULL DEFAULT false,
    -- Whether API keys may decide on proposals.
    machine_decisions boolean NOT NULL DEFAULT true
);
CALL protect_table('tenants', false);

-- An exception to the tenant policy: the worker and the command line must list all tenants.
-- `origins` has the only other exception; a test checks that there are no more.
DROP POLICY tenant ON tenants;
CREATE POLICY tenant ON tenants AS RESTRICTIVE USING (tenant_id = app_tenant() OR current_user = 'countersign_executor')
    WITH CHECK (tenant_id = app_tenant());
COMMENT ON COLUMN tenants.demo_payments IS 'A store of the demo or of a replay: a provider that moves no real money confirms every movement.';

-- A publishable key names the tenant before log-in and gives no access by itself, so it is stored readable for the console.
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

-- The one order that a guest has proved to own. Read tools bind it beside the guest.
CREATE FUNCTION app_order() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.order_id', true), '')::uuid;

-- Origins of web pages that may call the API from a browser. They are public and needed before the store is known (a preflight names no
-- store), so web may read those of every tenant.
CREATE TABLE origins (
    tenant_id uuid NOT NULL REFERENCES tenants,
    origin    text NOT NULL CHECK (origin ~ '^https?://[a-z0-9.:\[\]-]+$' AND length(origin) <= 260),
    PRIMARY KEY (tenant_id, origin)
);
CALL protect_table('origins', false);
DROP POLICY tenant ON origins;
CREATE POLICY tenant ON origins AS RESTRICTIVE USING (tenant_id = app_tenant() OR current_user = 'countersign_web')
    WITH CHECK (tenant_id = app_tenant());

-- Limits how many rows of a kind a store has in use. The lock makes transactions that add a row of the same kind to the same store wait
-- for each other, so that none counts before another one adds.
CREATE FUNCTION enforce_row_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    in_use bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(TG_TABLE_NAME || NEW.tenant_id, 0));
    EXECUTE format('SELECT count(*) FROM %I WHERE tenant_id = $1 AND %s', TG_TABLE_NAME, TG_ARGV[1]) INTO in_use USING NEW.tenant_id;
    IF in_use >= TG_ARGV[0]::bigint THEN
        RAISE EXCEPTION 'a store has at most % in use', TG_ARGV[0] USING ERRCODE = 'check_violation', CONSTRAINT = 'row_limit', HINT = TG_ARGV[0];
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER enforce_row_limit BEFORE INSERT ON store_keys FOR EACH ROW EXECUTE FUNCTION enforce_row_limit('20', 'revoked_at IS NULL');

-- Who may do what.
REVOKE ALL ON PROCEDURE protect_table FROM PUBLIC;
GRANT SELECT ON tenants TO countersign_reader, countersign_web;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON store_keys TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON tenants, store_keys TO countersign_executor;
GRANT SELECT ON origins TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON origins TO countersign_executor;
