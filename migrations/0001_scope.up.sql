-- The ground every tenant table stands on: who is bound to this transaction, and the one procedure that puts a
-- table under row-level security. Roles are made by `countersign migrate` before this runs.

-- NULL when nothing is bound: every comparison below is then NULL, so a forgotten scope sees no rows.
CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.tenant_id', true), '')::uuid;
CREATE FUNCTION app_shopper() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.shopper_id', true), '')::uuid;

-- Puts a table under the laws. The restrictive policy holds for every role, the owner included (FORCE).
-- `owned_by_shopper`: rows carry shopper_id. The reader then sees its bound shopper's rows and no others; web and
-- executor see the tenant when no shopper is bound (log-in, staff, effects) and one shopper when one is.
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
REVOKE ALL ON PROCEDURE protect_table FROM PUBLIC;
