-- Apart from shoppers so that the reader role cannot see a hash at all.
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
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('sessions', true);
CREATE INDEX sessions_of_shopper ON sessions (tenant_id, shopper_id);

-- Binds the tenant that the token names and finds the session, in one round trip. The tenant is a routing hint only:
-- a token whose secret is not that tenant's finds nothing. SECURITY INVOKER: the caller's own row-level security holds.
CREATE FUNCTION find_session(tenant uuid, hash bytea, at timestamptz)
    RETURNS TABLE (id uuid, shopper_id uuid, last_seen_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.shopper_id, s.last_seen_at FROM sessions s
        WHERE s.tenant_id = tenant AND s.token_hash = hash
          AND s.revoked_at IS NULL AND s.idle_until > at AND s.expires_at > at;
END $$;
REVOKE ALL ON FUNCTION find_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_session TO countersign_web;

GRANT SELECT, INSERT, UPDATE ON passwords, sessions TO countersign_web;
GRANT INSERT, UPDATE, SELECT ON passwords TO countersign_executor;
