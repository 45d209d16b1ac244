-- The audit log.

-- Append-only, each row chained by hash to the one before it within its tenant.
CREATE TABLE audit (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    seq         bigint NOT NULL,
    at          timestamptz NOT NULL,
    actor_kind  text NOT NULL CHECK (actor_kind IN ('shopper', 'staff', 'machine', 'model', 'policy', 'system')),
    actor_id    uuid,
    action      text NOT NULL,
    target_kind text NOT NULL,
    target_id   text NOT NULL,
    request_id  text,
    before      jsonb,
    after       jsonb,
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, seq)
);
CALL protect_table('audit', false);

CREATE FUNCTION audit_hash(previous bytea, entry audit) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN sha256(previous || convert_to(jsonb_build_array(entry.tenant_id, entry.seq, extract(epoch FROM entry.at), entry.actor_kind, entry.actor_id,
        entry.action, entry.target_kind, entry.target_id, entry.request_id, entry.before, entry.after)::text, 'UTF8'));

-- Appends an entry. The lock makes writers of one tenant wait for each other until they commit, so that the chain has no forks.
CREATE FUNCTION append_audit(at timestamptz, actor_kind text, actor_id uuid, action text, target_kind text, target_id text, request_id text, before jsonb, after jsonb)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last audit;
    entry audit;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit ' || app_tenant(), 0));
    SELECT * INTO last FROM audit WHERE tenant_id = app_tenant() ORDER BY seq DESC LIMIT 1;
    entry := ROW(app_tenant(), coalesce(last.seq, 0) + 1, at, actor_kind, actor_id, action, target_kind, target_id, request_id, before, after, NULL);
    entry.hash := audit_hash(coalesce(last.hash, '\x'), entry);
    INSERT INTO audit SELECT entry.*;
END $$;

-- The days on which the head of a store's audit chain was sent to a place that this server cannot change.
CREATE TABLE audit_heads (
    tenant_id uuid NOT NULL REFERENCES tenants,
    day       date NOT NULL,
    head      text NOT NULL CHECK (length(head) <= 100),
    PRIMARY KEY (tenant_id, day)
);
CALL protect_table('audit_heads', false);

-- The ledger's functions run as the owner and append what staff said about money.
CREATE POLICY ledger ON audit FOR SELECT TO countersign_owner USING (true);
CREATE POLICY ledger_appends ON audit FOR INSERT TO countersign_owner WITH CHECK (true);

-- Who may do what.
GRANT SELECT, INSERT ON audit TO countersign_web;
GRANT SELECT, INSERT ON audit, audit_heads TO countersign_executor;
