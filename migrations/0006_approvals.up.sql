-- Staff, proposals and what becomes of them, and the audit that all of it leaves behind.

CREATE TABLE staff (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    email         text NOT NULL CHECK (length(email) <= 254 AND email = lower(email)),
    role          text NOT NULL CHECK (role IN ('viewer', 'approver', 'admin')),
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);
CALL protect_table('staff', false);

CREATE TABLE staff_sessions (
    tenant_id    uuid NOT NULL,
    staff_id     uuid NOT NULL,
    id           uuid NOT NULL,
    token_hash   bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff
);
CALL protect_table('staff_sessions', false);

CREATE FUNCTION find_staff_session(tenant uuid, hash bytea, at timestamptz)
    RETURNS TABLE (id uuid, staff_id uuid, role text, email text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.id, s.staff_id, m.role, m.email FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = tenant AND s.token_hash = hash AND s.revoked_at IS NULL AND s.expires_at > at AND m.disabled_at IS NULL;
END $$;
REVOKE ALL ON FUNCTION find_staff_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_staff_session TO countersign_web;

-- What a store has said about a tool. A tool without a row has the default of its contract.
CREATE TABLE policies (
    tenant_id               uuid NOT NULL REFERENCES tenants,
    tool                    text NOT NULL,
    mode                    text NOT NULL CHECK (mode IN ('off', 'staff', 'shopper', 'automatic')),
    automatic_below_minor   bigint CHECK (automatic_below_minor >= 0),
    automatic_per_day       integer CHECK (automatic_per_day >= 0),
    automatic_account_days  integer CHECK (automatic_account_days >= 0),
    two_deciders_from_minor bigint CHECK (two_deciders_from_minor >= 0),
    updated_at              timestamptz NOT NULL,
    updated_by              uuid NOT NULL,
    PRIMARY KEY (tenant_id, tool),
    FOREIGN KEY (tenant_id, updated_by) REFERENCES staff
);
CALL protect_table('policies', false);

CREATE TABLE proposals (
    tenant_id       uuid NOT NULL,
    shopper_id      uuid NOT NULL,
    id              uuid NOT NULL,
    conversation_id uuid NOT NULL,
    turn_id         uuid NOT NULL,
    tool            text NOT NULL,
    arguments       jsonb NOT NULL,
    -- The exact effect, as the decider is shown it, and its SHA-256.
    plan            jsonb NOT NULL,
    plan_digest     bytea NOT NULL CHECK (length(plan_digest) = 32),
    order_id        uuid,
    order_version   bigint,
    amount_minor    bigint CHECK (amount_minor >= 0),
    currency        text,
    -- Equal for equal requests: at most one of them is open.
    fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),
    awaiting        text NOT NULL CHECK (awaiting IN ('staff', 'shopper', 'nobody')),
    deciders_needed integer NOT NULL CHECK (deciders_needed BETWEEN 0 AND 2),
    state           text NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'stale', 'executing', 'executed', 'failed')),
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns,
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id)
);
CALL protect_table('proposals', true);
CREATE UNIQUE INDEX proposals_open ON proposals (tenant_id, shopper_id, fingerprint) WHERE state IN ('pending', 'approved', 'executing');
CREATE INDEX proposals_by_state ON proposals (tenant_id, state, created_at, id);
CREATE INDEX proposals_of_shopper ON proposals (tenant_id, shopper_id, created_at DESC);

-- The state machine, held by the database too.
CREATE FUNCTION proposals_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('pending', 'stale'),
        ('approved', 'executing'), ('executing', 'executed'), ('executing', 'failed'), ('executing', 'stale')) THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_step BEFORE UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION proposals_step();

CREATE TABLE decisions (
    tenant_id    uuid NOT NULL,
    shopper_id   uuid NOT NULL,
    id           uuid NOT NULL,
    proposal_id  uuid NOT NULL,
    decider_kind text NOT NULL CHECK (decider_kind IN ('policy', 'shopper', 'staff')),
    decider_id   uuid,
    verdict      text NOT NULL CHECK (verdict IN ('approve', 'reject', 'withdraw')),
    reason       text,
    -- What the decider was shown.
    plan_digest  bytea NOT NULL,
    order_version bigint,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals
);
-- Whoever approved may take it back later: a withdrawal stands beside the approval.
CREATE UNIQUE INDEX decisions_of_decider ON decisions (tenant_id, proposal_id, decider_kind, decider_id) NULLS NOT DISTINCT WHERE verdict <> 'withdraw';
CALL protect_table('decisions', true);

-- Effects that are more than a change of an order.
CREATE TABLE returns (
    tenant_id         uuid NOT NULL,
    shopper_id        uuid NOT NULL,
    id                uuid NOT NULL,
    proposal_id       uuid NOT NULL,
    order_id          uuid NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('return', 'exchange')),
    items             jsonb NOT NULL,
    payment_method_id uuid NOT NULL,
    difference_minor  bigint NOT NULL,
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, proposal_id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals,
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id, payment_method_id) REFERENCES payment_methods (tenant_id, shopper_id, id)
);
CALL protect_table('returns', true);

CREATE TABLE coupons (
    tenant_id   uuid NOT NULL,
    shopper_id  uuid NOT NULL,
    id          uuid NOT NULL,
    proposal_id uuid NOT NULL,
    code        text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('percent', 'amount')),
    value       bigint NOT NULL CHECK (value > 0),
    -- The largest amount that it takes off, in minor units of the store's currency.
    at_most_minor bigint NOT NULL CHECK (at_most_minor > 0),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code),
    UNIQUE (tenant_id, proposal_id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals,
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('coupons', true);

CREATE TABLE notes (
    tenant_id   uuid NOT NULL,
    shopper_id  uuid NOT NULL,
    id          uuid NOT NULL,
    proposal_id uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('crm', 'hand_off')),
    body        text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, proposal_id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals,
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('notes', true);

-- What is to leave the house, written in the transaction that caused it.
CREATE TABLE outbox (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    kind            text NOT NULL,
    idempotency_key text NOT NULL,
    payload         jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, idempotency_key)
);
CALL protect_table('outbox', false);

-- Append-only, each row chained by hash to the one before it within its tenant.
CREATE TABLE audit (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    seq         bigint NOT NULL,
    at          timestamptz NOT NULL,
    actor_kind  text NOT NULL CHECK (actor_kind IN ('shopper', 'staff', 'model', 'policy', 'system')),
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

-- Appends an entry. The lock makes writers of one tenant queue from here to their commit, so that the chain has no forks.
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

GRANT SELECT ON staff, policies TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON staff_sessions, policies TO countersign_web;
GRANT INSERT, SELECT, UPDATE ON staff TO countersign_executor;
GRANT SELECT, INSERT ON proposals, decisions TO countersign_web;
GRANT UPDATE (state, reason, updated_at) ON proposals TO countersign_web;
GRANT SELECT ON proposals, decisions, policies TO countersign_executor;
GRANT UPDATE (state, reason, attempts, updated_at) ON proposals TO countersign_executor;
GRANT SELECT ON returns, coupons, notes TO countersign_web;
GRANT SELECT, INSERT ON returns, coupons, notes TO countersign_executor;
GRANT INSERT, SELECT ON outbox TO countersign_web;
GRANT INSERT, SELECT, UPDATE (sent_at) ON outbox TO countersign_executor;
GRANT SELECT, INSERT ON audit TO countersign_web, countersign_executor;
-- What web may do to conversations, the executor must when a model's effect ends in one.
GRANT UPDATE (updated_at) ON conversations TO countersign_executor;
