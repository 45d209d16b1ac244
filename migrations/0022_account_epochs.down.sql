CREATE OR REPLACE FUNCTION find_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, shopper_id uuid, last_seen_at timestamptz, guest boolean, order_id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.shopper_id, s.last_seen_at, h.guest, s.order_id
        FROM sessions s JOIN shoppers h ON (h.tenant_id, h.shopper_id) = (s.tenant_id, s.shopper_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes)
          AND s.revoked_at IS NULL AND s.idle_until > at AND s.expires_at > at;
END $$;
CREATE OR REPLACE FUNCTION find_staff_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, staff_id uuid, role text, email text, full_access boolean, proved_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.staff_id, m.role, m.email, s.full_access, s.proved_at
        FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.revoked_at IS NULL AND s.expires_at > at AND m.disabled_at IS NULL;
END $$;
CREATE OR REPLACE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz, maker uuid, maker_email text, maker_role text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at, m.id, m.email, m.role FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by)
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.revoked_at IS NULL AND k.expires_at > at AND m.disabled_at IS NULL;
END $$;
DROP FUNCTION is_current;
DROP TRIGGER stamp_code ON codes;
DROP TRIGGER stamp_api_key ON api_keys;
DROP TRIGGER stamp_staff_session ON staff_sessions;
DROP TRIGGER stamp_session ON sessions;
DROP TRIGGER password_raises_epoch ON passwords;
DROP TRIGGER raise_shopper_epoch ON shoppers;
DROP TRIGGER raise_staff_epoch ON staff;
DROP FUNCTION stamp_code, stamp_api_key, stamp_staff_session, stamp_session, password_raises_epoch, raise_shopper_epoch, raise_staff_epoch, account_epoch;
ALTER TABLE codes DROP epoch, DROP issuer, DROP issuer_epoch, DROP attempt;
ALTER TABLE api_keys DROP epoch;
ALTER TABLE staff_sessions DROP epoch;
ALTER TABLE sessions DROP epoch;
ALTER TABLE staff DROP epoch, DROP pending_epoch;
ALTER TABLE shoppers DROP epoch;
