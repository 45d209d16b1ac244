-- A proof dies with what it rested on. Each account has an epoch that the database raises when its password, role, second factor, address or disabled mark
-- changes, whoever changes it. Every session, code, link, invitation and machine key is stamped with the epoch at its birth, and is found only while it is
-- the account's. Nobody can write an epoch or a stamp: triggers do.

ALTER TABLE shoppers ADD epoch integer NOT NULL DEFAULT 1;
-- `pending_epoch`: of a second factor that is not confirmed yet.
ALTER TABLE staff ADD epoch integer NOT NULL DEFAULT 1, ADD pending_epoch integer;
ALTER TABLE sessions ADD epoch integer NOT NULL DEFAULT 0;
ALTER TABLE staff_sessions ADD epoch integer NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD epoch integer NOT NULL DEFAULT 0;
-- `issuer`, `issuer_epoch`: the member of staff whose word an invitation is. `attempt`: hash of a secret that the asker alone has.
ALTER TABLE codes ADD epoch integer NOT NULL DEFAULT 0, ADD issuer uuid, ADD issuer_epoch integer, ADD attempt bytea CHECK (length(attempt) = 32);
UPDATE sessions SET epoch = 1;
UPDATE staff_sessions SET epoch = 1;
UPDATE api_keys SET epoch = 1;

-- The epoch of the account of an address: 0 while there is none.
CREATE FUNCTION account_epoch(purpose text, of_address text) RETURNS integer LANGUAGE sql STABLE RETURN coalesce(
    CASE purpose WHEN 'invite_staff' THEN (SELECT m.epoch FROM staff m WHERE m.tenant_id = app_tenant() AND m.email = of_address)
        ELSE (SELECT s.epoch FROM shoppers s WHERE s.tenant_id = app_tenant() AND s.email = of_address) END, 0);

CREATE FUNCTION raise_staff_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := OLD.epoch;
    -- Sealing a confirmed factor with a new server key changes nothing about the account; the executor alone does that.
    IF (NEW.password_hash, NEW.role, NEW.disabled_at, NEW.totp_confirmed_at, NEW.email) IS DISTINCT FROM (OLD.password_hash, OLD.role, OLD.disabled_at, OLD.totp_confirmed_at, OLD.email)
            OR NEW.totp_secret IS DISTINCT FROM OLD.totp_secret AND OLD.totp_confirmed_at IS NOT NULL AND current_user <> 'countersign_executor' THEN
        IF NEW.totp_confirmed_at IS NOT NULL AND OLD.totp_confirmed_at IS NULL AND NEW.totp_secret IS NOT NULL AND OLD.pending_epoch IS DISTINCT FROM OLD.epoch THEN
            RAISE EXCEPTION 'the second factor was begun before the account changed' USING ERRCODE = 'check_violation', CONSTRAINT = 'second_factor_is_current';
        END IF;
        NEW.epoch := OLD.epoch + 1;
    END IF;
    -- A factor that is set up belongs to the account as it is now.
    NEW.pending_epoch := CASE
        WHEN NEW.totp_secret IS NULL OR NEW.totp_confirmed_at IS NOT NULL THEN NULL
        WHEN NEW.totp_secret IS DISTINCT FROM OLD.totp_secret THEN NEW.epoch
        ELSE OLD.pending_epoch END;
    RETURN NEW;
END $$;
CREATE TRIGGER raise_staff_epoch BEFORE UPDATE ON staff FOR EACH ROW EXECUTE FUNCTION raise_staff_epoch();

CREATE FUNCTION raise_shopper_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email THEN
        NEW.epoch := OLD.epoch + 1;
    ELSIF NEW.epoch <> OLD.epoch AND current_setting('app.raising_epoch', true) IS DISTINCT FROM 'yes' THEN
        NEW.epoch := OLD.epoch;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER raise_shopper_epoch BEFORE UPDATE ON shoppers FOR EACH ROW EXECUTE FUNCTION raise_shopper_epoch();
CREATE FUNCTION password_raises_epoch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('app.raising_epoch', 'yes', true);
    UPDATE shoppers SET epoch = epoch + 1 WHERE tenant_id = app_tenant() AND shopper_id = coalesce(NEW.shopper_id, OLD.shopper_id);
    PERFORM set_config('app.raising_epoch', '', true);
    RETURN NULL;
END $$;
CREATE TRIGGER password_raises_epoch AFTER INSERT OR UPDATE OR DELETE ON passwords FOR EACH ROW EXECUTE FUNCTION password_raises_epoch();

-- Stamps, at birth and never again.
CREATE FUNCTION stamp_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := CASE TG_OP WHEN 'INSERT' THEN (SELECT s.epoch FROM shoppers s WHERE s.tenant_id = NEW.tenant_id AND s.shopper_id = NEW.shopper_id) ELSE OLD.epoch END;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_session BEFORE INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION stamp_session();
CREATE FUNCTION stamp_staff_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := CASE TG_OP WHEN 'INSERT' THEN (SELECT m.epoch FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.staff_id) ELSE OLD.epoch END;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_staff_session BEFORE INSERT OR UPDATE ON staff_sessions FOR EACH ROW EXECUTE FUNCTION stamp_staff_session();
CREATE FUNCTION stamp_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := CASE TG_OP WHEN 'INSERT' THEN (SELECT m.epoch FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.created_by) ELSE OLD.epoch END;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_api_key BEFORE INSERT OR UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION stamp_api_key();
CREATE FUNCTION stamp_code() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := account_epoch(NEW.purpose, NEW.email);
    NEW.issuer_epoch := (SELECT m.epoch FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.issuer);
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_code BEFORE INSERT ON codes FOR EACH ROW EXECUTE FUNCTION stamp_code();

-- Whether what a code rests on is as it was: its address's account and, of an invitation, who gave it.
CREATE FUNCTION is_current(c codes) RETURNS boolean LANGUAGE sql STABLE RETURN c.epoch = account_epoch(c.purpose, c.email)
    AND (c.issuer IS NULL OR EXISTS (SELECT FROM staff m WHERE m.tenant_id = app_tenant() AND m.id = c.issuer AND m.epoch = c.issuer_epoch AND m.disabled_at IS NULL));

CREATE OR REPLACE FUNCTION find_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, shopper_id uuid, last_seen_at timestamptz, guest boolean, order_id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.shopper_id, s.last_seen_at, h.guest, s.order_id
        FROM sessions s JOIN shoppers h ON (h.tenant_id, h.shopper_id) = (s.tenant_id, s.shopper_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.epoch = h.epoch
          AND s.revoked_at IS NULL AND s.idle_until > at AND s.expires_at > at;
END $$;
CREATE OR REPLACE FUNCTION find_staff_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, staff_id uuid, role text, email text, full_access boolean, proved_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.staff_id, m.role, m.email, s.full_access, s.proved_at
        FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.epoch = m.epoch AND s.revoked_at IS NULL AND s.expires_at > at AND m.disabled_at IS NULL;
END $$;
CREATE OR REPLACE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz, maker uuid, maker_email text, maker_role text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at, m.id, m.email, m.role FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by)
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.epoch = m.epoch AND k.revoked_at IS NULL AND k.expires_at > at AND m.disabled_at IS NULL;
END $$;
REVOKE ALL ON FUNCTION password_raises_epoch FROM PUBLIC;
