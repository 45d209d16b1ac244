-- Authentication: staff, API keys, passwords, sessions, codes, assertions and throttles. Each account has an epoch that the database raises
-- when its password, role, second factor, address or disabled mark changes, whoever changes it. Every session, code, link, invitation and
-- API key is stamped with the account's epoch when it is created, and is valid only while the account still has that epoch. Triggers write
-- epochs and stamps; no role can.

-- Passwords are apart from shoppers so that the reader role cannot see a hash.
CREATE TABLE passwords (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    hash       text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, shopper_id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('passwords', true);

CREATE TABLE sessions (
    tenant_id    uuid NOT NULL,
    shopper_id   uuid NOT NULL,
    id           uuid NOT NULL,
    token_hash   bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    idle_until   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    -- `address` and `device` let the owner recognise a session. `order_id` is the one order that a guest has proved.
    address      text CHECK (length(address) <= 45),
    device       text CHECK (length(device) <= 200),
    order_id     uuid,
    epoch        integer NOT NULL DEFAULT 0,
    -- Whose the order was when it was proved, and the owner's epoch: the proof counts while both are as they were.
    order_owner  uuid,
    order_epoch  integer,
    -- The key of the store's site whose assertion opened the session: it counts while the key does.
    assertion_key text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers,
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders
);
CALL protect_table('sessions', true);
CREATE INDEX sessions_of_shopper ON sessions (tenant_id, shopper_id);

-- `hashes` are the token's hashes under the current key and, during a rotation, the previous one.
CREATE FUNCTION find_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, shopper_id uuid, last_seen_at timestamptz, guest boolean, order_id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.shopper_id, s.last_seen_at, h.guest, (SELECT o.id FROM orders o JOIN shoppers w ON (w.tenant_id, w.shopper_id) = (o.tenant_id, o.shopper_id)
            WHERE o.tenant_id = tenant AND o.id = s.order_id AND (w.shopper_id, w.epoch) = (s.order_owner, s.order_epoch))
        FROM sessions s JOIN shoppers h ON (h.tenant_id, h.shopper_id) = (s.tenant_id, s.shopper_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.epoch = h.epoch
          AND (s.assertion_key IS NULL OR EXISTS (SELECT FROM assertion_keys k WHERE k.tenant_id = tenant AND k.kid = s.assertion_key AND k.revoked_at IS NULL))
          AND s.revoked_at IS NULL AND s.idle_until > at AND s.expires_at > at;
END $$;

-- Whether a session lives still, with the proof of the order that it had.
CREATE FUNCTION session_lives(tenant uuid, session uuid, proved_order uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN EXISTS (SELECT FROM find_session(tenant, ARRAY(SELECT s.token_hash FROM sessions s WHERE s.tenant_id = tenant AND s.id = session), at) f
        WHERE f.order_id IS NOT DISTINCT FROM proved_order);
END $$;

CREATE TABLE staff (
    tenant_id         uuid NOT NULL REFERENCES tenants,
    id                uuid NOT NULL,
    email             text NOT NULL CHECK (length(email) <= 254 AND email = lower(email)),
    role              text NOT NULL CHECK (role IN ('viewer', 'approver', 'admin')),
    password_hash     text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    disabled_at       timestamptz,
    -- The second factor is sealed with the server's key. The last step used is kept, so that a code works once.
    totp_secret       bytea,
    totp_confirmed_at timestamptz,
    totp_last_step    bigint NOT NULL DEFAULT 0,
    -- `pending_epoch` is the epoch at which a second factor that is not confirmed yet was begun.
    epoch             integer NOT NULL DEFAULT 1,
    pending_epoch     integer,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);
CALL protect_table('staff', false);

CREATE TABLE staff_sessions (
    tenant_id   uuid NOT NULL,
    staff_id    uuid NOT NULL,
    id          uuid NOT NULL,
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    -- `full_access` is false until the second factor is set up. `proved_at` is when password and code were last given.
    full_access boolean NOT NULL DEFAULT true,
    proved_at   timestamptz,
    address     text CHECK (length(address) <= 45),
    device      text CHECK (length(device) <= 200),
    epoch       integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff
);
CALL protect_table('staff_sessions', false);

CREATE FUNCTION find_staff_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, staff_id uuid, role text, email text, full_access boolean, proved_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.staff_id, m.role, m.email, s.full_access, s.proved_at
        FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.epoch = m.epoch AND s.revoked_at IS NULL AND s.expires_at > at AND m.disabled_at IS NULL;
END $$;

-- Codes and links that are mailed to prove an address. The code itself is not stored: it is computed from `id` with the server's key.
-- A row without `shopper_id` or `details` was requested for an address without an account and is never mailed.
CREATE TABLE codes (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    purpose       text NOT NULL CHECK (purpose IN ('register', 'log_in', 'reset_password', 'prove_order', 'invite_staff')),
    email         text NOT NULL CHECK (length(email) <= 254),
    shopper_id    uuid,
    order_id      uuid,
    details       jsonb,
    -- True when the address has an account already. The mail then says so and has no code.
    known         boolean NOT NULL,
    attempts_left integer NOT NULL CHECK (attempts_left >= 0),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    -- `attempts_left`: what guesses from networks that have nothing to do with the code may still be compared. `asked_from`: keyed hash of the network that
    -- asked for it. `issuer`, `issuer_epoch`: the member of staff whose word an invitation is. `attempt`: hash of a secret that the asker alone has.
    epoch         integer NOT NULL DEFAULT 0,
    issuer        uuid,
    issuer_epoch  integer,
    attempt       bytea CHECK (length(attempt) = 32),
    asked_from    bytea CHECK (length(asked_from) = 32),
    PRIMARY KEY (tenant_id, id)
);
CALL protect_table('codes', true);
CREATE INDEX codes_by_address ON codes (tenant_id, purpose, email, created_at DESC);

-- Keys with which a store signs assertions about its visitors. `key` is a public key (EdDSA) or a sealed secret (HS256).
CREATE TABLE assertion_keys (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    kid        text NOT NULL CHECK (kid ~ '^[A-Za-z0-9_-]{1,64}$'),
    algorithm  text NOT NULL CHECK (algorithm IN ('EdDSA', 'HS256')),
    key        bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, kid)
);
CALL protect_table('assertion_keys', false);

-- Used assertions, so that each opens one session. Rows are deleted after the assertion has expired.
CREATE TABLE assertion_uses (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    jti        text NOT NULL CHECK (length(jti) BETWEEN 1 AND 128),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, jti)
);
CALL protect_table('assertion_uses', false);

-- Rate limits by the generic cell rate algorithm, one row for each key. `tat` is the theoretical arrival time of the next request. The
-- limits hold across all replicas.
CREATE TABLE throttles (
    tenant_id uuid NOT NULL REFERENCES tenants,
    key       bytea NOT NULL CHECK (length(key) = 32),
    tat       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CALL protect_table('throttles', false);

-- Takes one of `burst` tokens, of which one is added back each `every`. Returns how long to wait when there is none left, else NULL.
CREATE FUNCTION consume_throttle(throttle bytea, every interval, burst integer, at timestamptz) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz;
BEGIN
    INSERT INTO throttles AS t (tenant_id, key, tat) VALUES (app_tenant(), throttle, at + every)
        ON CONFLICT (tenant_id, key) DO UPDATE SET tat = greatest(t.tat, at) + every WHERE greatest(t.tat, at) + every <= at + every * burst
        RETURNING tat INTO due;
    IF FOUND THEN RETURN NULL; END IF;
    SELECT tat INTO due FROM throttles WHERE tenant_id = app_tenant() AND key = throttle;
    RETURN due + every - (at + every * burst);
END $$;

CREATE TABLE recovery_codes (
    tenant_id uuid NOT NULL,
    staff_id  uuid NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    used_at   timestamptz,
    PRIMARY KEY (tenant_id, staff_id, hash),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff
);
CALL protect_table('recovery_codes', false);

-- API keys. They are shown once and stored as a hash.
CREATE TABLE api_keys (
    tenant_id    uuid NOT NULL REFERENCES tenants,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    token_hash   bytea NOT NULL CHECK (length(token_hash) = 32),
    -- The beginning of the key, so that people can tell keys apart.
    prefix       text NOT NULL,
    scopes       text[] NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    epoch        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, created_by) REFERENCES staff
);
CALL protect_table('api_keys', false);

CREATE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz, maker uuid, maker_email text, maker_role text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at, m.id, m.email, m.role FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by)
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.epoch = m.epoch AND k.revoked_at IS NULL AND k.expires_at > at AND m.disabled_at IS NULL;
END $$;

-- The mailbox behind an address, as `identity::mailbox` tells it: what follows a `+` is an alias of its owner, and Gmail ignores dots.
CREATE FUNCTION mailbox(email text) RETURNS text LANGUAGE sql IMMUTABLE RETURN CASE
    WHEN email !~ '@' THEN email
    WHEN email ~ '@(gmail|googlemail)\.com$' THEN replace(split_part(regexp_replace(email, '@[^@]*$', ''), '+', 1), '.', '') || '@gmail.com'
    ELSE split_part(regexp_replace(email, '@[^@]*$', ''), '+', 1) || '@' || substring(email FROM '[^@]*$') END;

-- The epoch of the account of an address: 0 while there is none.
CREATE FUNCTION account_epoch(purpose text, of_address text) RETURNS integer LANGUAGE sql STABLE RETURN coalesce(
    CASE purpose WHEN 'invite_staff' THEN (SELECT m.epoch FROM staff m WHERE m.tenant_id = app_tenant() AND m.email = of_address)
        ELSE (SELECT s.epoch FROM shoppers s WHERE s.tenant_id = app_tenant() AND s.email = of_address) END, 0);

CREATE FUNCTION raise_staff_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := OLD.epoch;
    -- Sealing a confirmed factor with a new server key, which the executor alone does, does not change the account.
    IF (NEW.password_hash, NEW.role, NEW.disabled_at, NEW.totp_confirmed_at, NEW.email) IS DISTINCT FROM (OLD.password_hash, OLD.role, OLD.disabled_at, OLD.totp_confirmed_at, OLD.email)
            OR NEW.totp_secret IS DISTINCT FROM OLD.totp_secret AND OLD.totp_confirmed_at IS NOT NULL AND current_user <> 'countersign_executor' THEN
        IF NEW.totp_confirmed_at IS NOT NULL AND OLD.totp_confirmed_at IS NULL AND NEW.totp_secret IS NOT NULL AND OLD.pending_epoch IS DISTINCT FROM OLD.epoch THEN
            RAISE EXCEPTION 'the second factor was begun before the account changed' USING ERRCODE = 'check_violation', CONSTRAINT = 'second_factor_is_current';
        END IF;
        NEW.epoch := OLD.epoch + 1;
    END IF;
    -- A second factor that is begun is stamped with the account's present epoch.
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
        NEW.former_emails := CASE
            WHEN NEW.erased_at IS NOT NULL THEN '{}'
            WHEN OLD.email IS NULL THEN OLD.former_emails
            ELSE (array_prepend(OLD.email, array_remove(OLD.former_emails, OLD.email)))[1:20] END;
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

-- Triggers that stamp the epoch when a row is created and keep it unchanged.
CREATE FUNCTION stamp_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.epoch := OLD.epoch;
        NEW.order_id := OLD.order_id;
        NEW.order_owner := OLD.order_owner;
        NEW.order_epoch := OLD.order_epoch;
        NEW.assertion_key := OLD.assertion_key;
        RETURN NEW;
    END IF;
    NEW.epoch := (SELECT s.epoch FROM shoppers s WHERE s.tenant_id = NEW.tenant_id AND s.shopper_id = NEW.shopper_id);
    SELECT w.shopper_id, w.epoch INTO NEW.order_owner, NEW.order_epoch FROM orders o JOIN shoppers w ON (w.tenant_id, w.shopper_id) = (o.tenant_id, o.shopper_id)
        WHERE o.tenant_id = NEW.tenant_id AND o.id = NEW.order_id;
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

-- Whether a code still has the epoch of its address's account and, for an invitation, of the member who gave it.
CREATE FUNCTION is_current(c codes) RETURNS boolean LANGUAGE sql STABLE RETURN c.epoch = account_epoch(c.purpose, c.email)
    AND (c.issuer IS NULL OR EXISTS (SELECT FROM staff m WHERE m.tenant_id = app_tenant() AND m.id = c.issuer AND m.epoch = c.issuer_epoch AND m.disabled_at IS NULL));
CREATE TRIGGER enforce_row_limit BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION enforce_row_limit('100', 'revoked_at IS NULL AND expires_at > now()');

-- Who may do what.
GRANT SELECT, INSERT, UPDATE, DELETE ON passwords, recovery_codes TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON sessions, staff_sessions, throttles, api_keys TO countersign_web;
GRANT INSERT, UPDATE, SELECT, DELETE ON passwords TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (role, password_hash, totp_secret, totp_confirmed_at, totp_last_step, disabled_at) ON staff TO countersign_web;
GRANT INSERT, SELECT, UPDATE ON staff TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (attempts_left, used_at) ON codes TO countersign_web;
GRANT SELECT, INSERT ON assertion_uses TO countersign_web;
GRANT SELECT ON assertion_keys TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON assertion_keys TO countersign_executor;
GRANT DELETE, SELECT (tenant_id, id, purpose, email, known, expires_at, used_at, shopper_id, order_id) ON codes TO countersign_executor;
GRANT DELETE, SELECT (tenant_id, expires_at) ON assertion_uses TO countersign_executor;
GRANT DELETE, SELECT (tenant_id, tat) ON throttles TO countersign_executor;
GRANT DELETE, SELECT (tenant_id, shopper_id, expires_at, idle_until, revoked_at, id, address, device, created_at), UPDATE (revoked_at, address,
    device) ON sessions TO countersign_executor;
GRANT DELETE, SELECT (tenant_id, expires_at, revoked_at), UPDATE (revoked_at) ON staff_sessions TO countersign_executor;
GRANT SELECT (tenant_id, id, revoked_at), UPDATE (revoked_at) ON api_keys TO countersign_executor;
REVOKE ALL ON FUNCTION find_session, session_lives, find_staff_session, find_api_key, password_raises_epoch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_session, session_lives, find_staff_session, find_api_key TO countersign_web;
