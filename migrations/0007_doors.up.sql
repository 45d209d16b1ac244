-- Every way in: guests, codes, assertions, staff's second factor and invitations, machine keys, and what throttles them.

-- A guest is a shopper whom nobody knows yet: no address, nothing of its own but what it said here.
ALTER TABLE shoppers ADD guest boolean NOT NULL DEFAULT false, ALTER COLUMN email DROP NOT NULL,
    ADD CONSTRAINT shoppers_known CHECK (guest OR email IS NOT NULL);

-- Where and on what a session was opened, for its owner to recognise it. `order_id`: the one order a guest has proved.
ALTER TABLE sessions ADD address text CHECK (length(address) <= 45), ADD device text CHECK (length(device) <= 200),
    ADD order_id uuid, ADD FOREIGN KEY (tenant_id, order_id) REFERENCES orders;

-- `hashes`: under the current key and, while a rotation lasts, the one before.
CREATE FUNCTION find_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, shopper_id uuid, last_seen_at timestamptz, guest boolean, order_id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.shopper_id, s.last_seen_at, h.guest, s.order_id
        FROM sessions s JOIN shoppers h ON (h.tenant_id, h.shopper_id) = (s.tenant_id, s.shopper_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes)
          AND s.revoked_at IS NULL AND s.idle_until > at AND s.expires_at > at;
END $$;
REVOKE ALL ON FUNCTION find_session(uuid, bytea[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_session(uuid, bytea[], timestamptz) TO countersign_web;

-- The order a guest has proved, and nothing else of its owner's: read tools bind it beside the guest.
CREATE FUNCTION app_order() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.order_id', true), '')::uuid;
CREATE POLICY proved ON orders FOR SELECT TO countersign_reader USING (id = app_order());
CREATE POLICY proved ON order_lines FOR SELECT TO countersign_reader USING (order_id = app_order());
CREATE POLICY proved ON shipments FOR SELECT TO countersign_reader USING (order_id = app_order());

-- A guest who signs in keeps the conversation: it moves to the account, and what hangs on it follows.
ALTER TABLE turns DROP CONSTRAINT turns_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE;
ALTER TABLE messages DROP CONSTRAINT messages_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE;
ALTER TABLE proposals DROP CONSTRAINT proposals_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE;

-- What was mailed to prove an address. The code itself is kept nowhere: it is computed from `id` with the server's key.
-- A row without `shopper_id` or `details` is for nobody: asked for an address without an account, never mailed.
CREATE TABLE codes (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    purpose       text NOT NULL CHECK (purpose IN ('register', 'log_in', 'reset_password', 'prove_order', 'invite_staff')),
    email         text NOT NULL CHECK (length(email) <= 254),
    shopper_id    uuid,
    order_id      uuid,
    details       jsonb,
    -- The address has an account already: the mail says that, and carries no code.
    known         boolean NOT NULL,
    attempts_left integer NOT NULL CHECK (attempts_left >= 0),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CALL protect_table('codes', true);
CREATE INDEX codes_by_address ON codes (tenant_id, purpose, email, created_at DESC);

-- Keys with which a store signs who its visitor is. `key`: a public key (EdDSA), or a secret sealed with the server's key (HS256).
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

-- Each assertion opens one session. Rows outlive the assertion and are then swept.
CREATE TABLE assertion_uses (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    jti        text NOT NULL CHECK (length(jti) BETWEEN 1 AND 128),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, jti)
);
CALL protect_table('assertion_uses', false);

-- Generic cell rate algorithm: one row a key, `tat` is when the next one would be on time. Holds on all replicas.
CREATE TABLE throttles (
    tenant_id uuid NOT NULL REFERENCES tenants,
    key       bytea NOT NULL CHECK (length(key) = 32),
    tat       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CALL protect_table('throttles', false);

-- Takes one of `burst` that come back one each `every`. Returns how long to wait when there is none, else NULL.
CREATE FUNCTION take(throttle bytea, every interval, burst integer, at timestamptz) RETURNS interval LANGUAGE plpgsql AS $$
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

-- Staff: a second factor, sealed with the server's key; the last step used, so that a code works once.
ALTER TABLE staff ADD totp_secret bytea, ADD totp_confirmed_at timestamptz, ADD totp_last_step bigint NOT NULL DEFAULT 0;
-- `full` is false until the second factor is set up; `proved_at` is when password and code were last given.
ALTER TABLE staff_sessions ADD full_access boolean NOT NULL DEFAULT true, ADD proved_at timestamptz,
    ADD address text CHECK (length(address) <= 45), ADD device text CHECK (length(device) <= 200);

CREATE TABLE recovery_codes (
    tenant_id uuid NOT NULL,
    staff_id  uuid NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    used_at   timestamptz,
    PRIMARY KEY (tenant_id, staff_id, hash),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff
);
CALL protect_table('recovery_codes', false);

-- Keys for machines: shown once, kept as a hash.
CREATE TABLE api_keys (
    tenant_id    uuid NOT NULL REFERENCES tenants,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    token_hash   bytea NOT NULL CHECK (length(token_hash) = 32),
    -- How the key begins, for people to tell keys apart.
    prefix       text NOT NULL,
    scopes       text[] NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, created_by) REFERENCES staff
);
CALL protect_table('api_keys', false);

CREATE FUNCTION find_staff_session(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, staff_id uuid, role text, email text, full_access boolean, proved_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.staff_id, m.role, m.email, s.full_access, s.proved_at
        FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = tenant AND s.token_hash = ANY (hashes) AND s.revoked_at IS NULL AND s.expires_at > at AND m.disabled_at IS NULL;
END $$;
CREATE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at FROM api_keys k
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.revoked_at IS NULL AND k.expires_at > at;
END $$;
REVOKE ALL ON FUNCTION find_staff_session(uuid, bytea[], timestamptz), find_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_staff_session(uuid, bytea[], timestamptz), find_api_key TO countersign_web;
ALTER TABLE decisions DROP CONSTRAINT decisions_decider_kind_check,
    ADD CONSTRAINT decisions_decider_kind_check CHECK (decider_kind IN ('policy', 'shopper', 'staff', 'machine'));
ALTER TABLE audit DROP CONSTRAINT audit_actor_kind_check,
    ADD CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('shopper', 'staff', 'machine', 'model', 'policy', 'system'));

-- Web pages that may call the API from a browser. Public knowledge, and asked for before the store is known (a preflight
-- names no store), so web may read every tenant's.
CREATE TABLE origins (
    tenant_id uuid NOT NULL REFERENCES tenants,
    origin    text NOT NULL CHECK (origin ~ '^https?://[a-z0-9.:\[\]-]+$' AND length(origin) <= 260),
    PRIMARY KEY (tenant_id, origin)
);
CALL protect_table('origins', false);
DROP POLICY tenant ON origins;
CREATE POLICY tenant ON origins AS RESTRICTIVE USING (tenant_id = app_tenant() OR current_user = 'countersign_web')
    WITH CHECK (tenant_id = app_tenant());

GRANT UPDATE (external_id) ON shoppers TO countersign_web;
GRANT UPDATE (shopper_id) ON conversations TO countersign_web;
GRANT UPDATE (idempotency_key) ON turns TO countersign_web;
GRANT DELETE ON passwords TO countersign_web;
GRANT SELECT, INSERT ON codes, assertion_uses TO countersign_web;
GRANT UPDATE (attempts_left, used_at) ON codes TO countersign_web;
GRANT SELECT ON assertion_keys, origins TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON throttles, api_keys, recovery_codes TO countersign_web;
GRANT DELETE ON recovery_codes TO countersign_web;
GRANT INSERT ON staff TO countersign_web;
GRANT UPDATE (role, password_hash, totp_secret, totp_confirmed_at, totp_last_step, disabled_at) ON staff TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON assertion_keys, origins TO countersign_executor;
-- To forget what is over, and to mail a code: never what a log-in could be made of.
GRANT DELETE ON codes, assertion_uses, throttles, sessions, staff_sessions TO countersign_executor;
GRANT SELECT (tenant_id, id, purpose, email, known, expires_at, used_at) ON codes TO countersign_executor;
GRANT SELECT (tenant_id, shopper_id, expires_at, idle_until, revoked_at) ON sessions TO countersign_executor;
GRANT SELECT (tenant_id, expires_at, revoked_at) ON staff_sessions TO countersign_executor;
GRANT SELECT (tenant_id, expires_at) ON assertion_uses TO countersign_executor;
GRANT SELECT (tenant_id, tat) ON throttles TO countersign_executor;
