-- Proposals and their decisions. A proposal is created pending and executed only after it was decided: by people who may decide under the
-- policy in force at that time, or by the policy itself within its limits. The statements that enforce limits also count against them.

-- The policy that a store has set for a tool. A tool without a row has the default of its contract.
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
    -- The exact effect as it is shown to the decider, and its SHA-256.
    plan            jsonb NOT NULL,
    plan_digest     bytea NOT NULL CHECK (length(plan_digest) = 32),
    order_id        uuid,
    order_version   bigint,
    amount_minor    bigint CHECK (amount_minor >= 0),
    currency        text,
    -- The value of goods that are sent for others, to which the limits of a policy apply as to money.
    goods_minor     bigint CHECK (goods_minor >= 0),
    -- Equal requests have the same fingerprint, and at most one of them is open.
    fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),
    awaiting        text NOT NULL CHECK (awaiting IN ('staff', 'shopper', 'nobody')),
    deciders_needed integer NOT NULL CHECK (deciders_needed BETWEEN 0 AND 2),
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'stale', 'executing', 'awaiting_payment', 'needs_payment', 'executed', 'failed')),
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- What the shopper was last told about the payout of the proposal. NULL when no money goes out.
    payout          text CHECK (payout IN ('requested', 'paid', 'failed')),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id) ON UPDATE CASCADE,
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns,
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id)
);
CALL protect_table('proposals', true);
CREATE UNIQUE INDEX proposals_open ON proposals (tenant_id, shopper_id, fingerprint)
    WHERE state IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment');
CREATE INDEX proposals_by_state ON proposals (tenant_id, state, created_at, id);
-- The items of an order are changed once, whatever status the store's systems report afterwards.
CREATE UNIQUE INDEX order_items_are_changed_once ON proposals (tenant_id, order_id) WHERE tool = 'change_order_items' AND state = 'executed';
CREATE INDEX proposals_of_shopper ON proposals (tenant_id, shopper_id, created_at DESC);

-- The database enforces the state machine too.
CREATE FUNCTION proposals_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('pending', 'stale'),
        ('approved', 'executing'), ('executing', 'executed'), ('executing', 'failed'), ('executing', 'stale'),
        ('executing', 'awaiting_payment'), ('awaiting_payment', 'executing'), ('awaiting_payment', 'needs_payment'), ('awaiting_payment', 'failed'),
        ('awaiting_payment', 'rejected'), ('awaiting_payment', 'expired'),
        ('needs_payment', 'executing'), ('needs_payment', 'rejected'), ('needs_payment', 'expired'), ('needs_payment', 'failed')) THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    -- The server's role decides; what comes of it, the executor alone says.
    IF NEW.state <> OLD.state AND current_user = 'countersign_web' AND OLD.state <> 'pending' AND NEW.state <> 'rejected' THEN
        RAISE EXCEPTION 'only the executor moves a proposal from % to %', OLD.state, NEW.state USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_step BEFORE UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION proposals_step();

CREATE TABLE decisions (
    tenant_id     uuid NOT NULL,
    shopper_id    uuid NOT NULL,
    id            uuid NOT NULL,
    proposal_id   uuid NOT NULL,
    decider_kind  text NOT NULL CHECK (decider_kind IN ('policy', 'shopper', 'staff', 'machine')),
    decider_id    uuid,
    verdict       text NOT NULL CHECK (verdict IN ('approve', 'reject', 'withdraw')),
    reason        text,
    -- The digest of the plan that the decider was shown.
    plan_digest   bytea NOT NULL,
    order_version bigint,
    created_at    timestamptz NOT NULL,
    -- `person_id`: the member of staff who decided, or who made the key that did. `policy`: what the store had said about the tool then; none where it had said nothing.
    -- `person_epoch`: that account's, so that a decision counts only while the account is as it was.
    person_id     uuid,
    person_epoch  integer,
    policy        jsonb,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals
);

-- Whoever approved may take it back later: a withdrawal stands beside the approval. Whose account has changed since may decide anew.
CREATE UNIQUE INDEX decisions_of_decider ON decisions (tenant_id, proposal_id, decider_kind, decider_id, person_epoch) NULLS NOT DISTINCT WHERE verdict <> 'withdraw';
CALL protect_table('decisions', true);
CREATE UNIQUE INDEX decisions_of_person ON decisions (tenant_id, proposal_id, person_id, person_epoch) WHERE person_id IS NOT NULL AND verdict <> 'withdraw';

-- Decisions of the policy are added by `approve_by_policy` alone.
CREATE POLICY people_decide ON decisions AS RESTRICTIVE FOR INSERT TO countersign_web WITH CHECK (decider_kind <> 'policy');

-- Effects other than a change of an order.
CREATE TABLE returns (
    tenant_id         uuid NOT NULL,
    shopper_id        uuid NOT NULL,
    id                uuid NOT NULL,
    proposal_id       uuid NOT NULL,
    order_id          uuid NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('return', 'exchange')),
    items             jsonb NOT NULL,
    -- How many units of each item the order had when it was asked for: a platform may take off what came back, or not.
    ordered           jsonb NOT NULL,
    payment_method_id uuid NOT NULL,
    difference_minor  bigint NOT NULL,
    created_at        timestamptz NOT NULL,
    -- Staff say that the parcel has arrived (`received_at`) or that it will not (`called_off_at`). The executor then settles the money of a
    -- return that arrived, or gives back what is held for one that was called off.
    received_at       timestamptz,
    called_off_at     timestamptz,
    settled_at        timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, proposal_id),
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals,
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id, payment_method_id) REFERENCES payment_methods (tenant_id, shopper_id, id),
    CONSTRAINT received_or_called_off CHECK (received_at IS NULL OR called_off_at IS NULL)
);
CALL protect_table('returns', true);

CREATE TABLE coupons (
    tenant_id     uuid NOT NULL,
    shopper_id    uuid NOT NULL,
    id            uuid NOT NULL,
    proposal_id   uuid NOT NULL,
    code          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('percent', 'amount')),
    value         bigint NOT NULL CHECK (value > 0),
    -- The largest amount that the coupon takes off, in minor units of the store's currency.
    at_most_minor bigint NOT NULL CHECK (at_most_minor > 0),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    -- When the code can be used; none while the shop's platform has not created it.
    ready_at      timestamptz,
    -- When the shopper was told the code.
    told_at       timestamptz,
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

-- A decider must be allowed to decide: a shopper on its own proposals, staff with the role and an enabled account, or their API key.
CREATE FUNCTION decisions_are_of_deciders() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p proposals;
BEGIN
    SELECT * INTO p FROM proposals x WHERE x.tenant_id = NEW.tenant_id AND x.id = NEW.proposal_id;
    NEW.policy := (SELECT to_jsonb(y) - 'tenant_id' FROM policies y WHERE y.tenant_id = NEW.tenant_id AND y.tool = p.tool);
    NEW.person_id := CASE NEW.decider_kind
        WHEN 'staff' THEN (SELECT m.id FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.decider_id AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin'))
        WHEN 'machine' THEN (SELECT m.id FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by) JOIN tenants t ON t.tenant_id = k.tenant_id
            WHERE k.tenant_id = NEW.tenant_id AND k.id = NEW.decider_id AND k.revoked_at IS NULL AND k.epoch = m.epoch AND k.expires_at > greatest(NEW.created_at, now())
                AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin') AND t.machine_decisions)
    END;
    NEW.person_epoch := (SELECT m.epoch FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.person_id);
    IF NEW.decider_kind IN ('staff', 'machine') AND NEW.person_id IS NULL OR NEW.decider_kind = 'shopper' AND NEW.decider_id IS DISTINCT FROM p.shopper_id THEN
        RAISE EXCEPTION 'this is not theirs to decide' USING ERRCODE = 'check_violation', CONSTRAINT = 'decider_may_decide';
    END IF;
    -- Nobody decides on a request of their own: one mailbox is one person.
    IF EXISTS (SELECT FROM staff m JOIN shoppers s ON s.tenant_id = m.tenant_id AND s.shopper_id = p.shopper_id WHERE m.tenant_id = NEW.tenant_id
            AND m.id = NEW.person_id AND mailbox(s.email) = mailbox(m.email)) THEN
        RAISE EXCEPTION 'somebody else must decide: it is their own request' USING ERRCODE = 'check_violation', CONSTRAINT = 'decider_may_decide';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decisions_are_of_deciders BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION decisions_are_of_deciders();

-- The approvals that count now: the policy's and the shopper's, and those of people who may still decide. A person whose account was shut, lost the role or
-- changed in any way since is no longer among them, nor is a machine key that was revoked.
CREATE VIEW standing_approvals WITH (security_invoker = true) AS
    SELECT d.tenant_id, d.shopper_id, d.id, d.proposal_id, d.decider_kind, d.plan_digest, d.policy, d.created_at
    FROM decisions d LEFT JOIN staff m ON (m.tenant_id, m.id) = (d.tenant_id, d.person_id)
    WHERE d.verdict = 'approve' AND (d.decider_kind IN ('policy', 'shopper')
        OR m.epoch = d.person_epoch AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin')
            AND (d.decider_kind <> 'machine' OR EXISTS (SELECT FROM api_keys k WHERE k.tenant_id = d.tenant_id AND k.id = d.decider_id AND k.revoked_at IS NULL)));

-- A proposal is approved when so many have approved as it needs. The executor counts again, against the policy of that moment.
CREATE FUNCTION proposals_need_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'approved' AND OLD.state = 'pending' AND (SELECT count(*) FROM standing_approvals d WHERE d.tenant_id = NEW.tenant_id AND d.proposal_id = NEW.id
            AND d.plan_digest = NEW.plan_digest) < greatest(1, NEW.deciders_needed) THEN
        RAISE EXCEPTION 'a proposal is approved by decisions' USING ERRCODE = 'check_violation', CONSTRAINT = 'approved_by_decisions';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_need_decisions BEFORE UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION proposals_need_decisions();

-- How often the policy has decided by itself, for each shopper, tool and day (UTC).
CREATE TABLE automatic_decisions (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    tool       text NOT NULL,
    day        date NOT NULL,
    used       integer NOT NULL CHECK (used > 0),
    PRIMARY KEY (tenant_id, shopper_id, tool, day),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers ON DELETE CASCADE
);
CALL protect_table('automatic_decisions', true);

-- The number of a shopper's open proposals, at most ten. The row is locked until the transaction ends, so that the eleventh waits and is
-- then refused.
CREATE TABLE open_proposals (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    count      integer NOT NULL CHECK (count >= 0),
    PRIMARY KEY (tenant_id, shopper_id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers ON DELETE CASCADE
);
CALL protect_table('open_proposals', true);

CREATE FUNCTION is_open(state text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN state IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment');

CREATE FUNCTION count_open_proposals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    was boolean := TG_OP = 'UPDATE' AND is_open(OLD.state);
BEGIN
    -- A guest who signs in keeps its proposals.
    IF TG_OP = 'UPDATE' AND NEW.shopper_id <> OLD.shopper_id AND was THEN
        UPDATE open_proposals SET count = greatest(0, count - 1) WHERE tenant_id = OLD.tenant_id AND shopper_id = OLD.shopper_id;
        was := false;
    END IF;
    IF is_open(NEW.state) AND NOT was THEN
        -- Proposals that a guest keeps may exceed the limit; new ones may not.
        INSERT INTO open_proposals AS o (tenant_id, shopper_id, count) VALUES (NEW.tenant_id, NEW.shopper_id, 1)
            ON CONFLICT (tenant_id, shopper_id) DO UPDATE SET count = o.count + 1 WHERE o.count < 10 OR TG_OP = 'UPDATE';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'ten proposals are open' USING ERRCODE = 'check_violation', CONSTRAINT = 'at_most_ten_open';
        END IF;
    ELSIF was AND NOT is_open(NEW.state) THEN
        UPDATE open_proposals SET count = greatest(0, count - 1) WHERE tenant_id = NEW.tenant_id AND shopper_id = NEW.shopper_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_open_proposals AFTER INSERT OR UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION count_open_proposals();

-- Who changes the rules of a store: an admin in a live session, who gave password and code in the last ten minutes. The session is named in the audit.
CREATE FUNCTION require_fresh_admin(by_session uuid, at timestamptz) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    this_moment timestamptz := greatest(at, now());
    person uuid := (SELECT m.id FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = app_tenant() AND s.id = by_session AND s.epoch = m.epoch AND s.full_access AND s.revoked_at IS NULL AND s.created_at <= this_moment
            AND s.expires_at > this_moment AND s.proved_at + interval '10 minutes' >= this_moment AND m.disabled_at IS NULL AND m.role = 'admin');
BEGIN
    IF person IS NULL THEN
        RAISE EXCEPTION 'only an admin who has just proved who it is may change this' USING ERRCODE = 'check_violation', CONSTRAINT = 'changed_by_a_fresh_admin';
    END IF;
    RETURN person;
END $$;

-- An admin sets the policy of a tool. The audit has it whoever calls this. `by_default` is what applied before, where the store had set nothing.
CREATE FUNCTION set_policy(of_tool text, rule jsonb, by_default jsonb, by_session uuid, request text, at timestamptz) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person uuid := require_fresh_admin(by_session, at);
    old jsonb := (SELECT to_jsonb(y) - 'tenant_id' - 'tool' - 'updated_at' - 'updated_by' FROM policies y WHERE y.tenant_id = app_tenant() AND y.tool = of_tool);
BEGIN
    INSERT INTO policies (tenant_id, tool, mode, automatic_below_minor, automatic_per_day, automatic_account_days, two_deciders_from_minor, updated_at, updated_by)
        VALUES (app_tenant(), of_tool, rule->>'mode', (rule->>'automatic_below_minor')::bigint, (rule->>'automatic_per_day')::integer,
            (rule->>'automatic_account_days')::integer, (rule->>'two_deciders_from_minor')::bigint, at, person)
        ON CONFLICT (tenant_id, tool) DO UPDATE SET mode = excluded.mode, automatic_below_minor = excluded.automatic_below_minor,
            automatic_per_day = excluded.automatic_per_day, automatic_account_days = excluded.automatic_account_days,
            two_deciders_from_minor = excluded.two_deciders_from_minor, updated_at = excluded.updated_at, updated_by = excluded.updated_by;
    PERFORM append_audit(at, 'staff', person, 'policy.change', 'tool', of_tool, request, coalesce(old, by_default), rule || jsonb_build_object('session', by_session));
END $$;

-- The default of a tool that is automatic where the store has set nothing, as the tool's contract has it (a test compares them). Every other tool needs
-- people then.
CREATE FUNCTION automatic_by_default(of_tool text) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN of_tool IN ('add_crm_note', 'hand_off') THEN '{"mode": "automatic", "automatic_per_day": 20}'::jsonb END;

-- Approves a proposal by policy within its limits, or returns false. The audit has the decision and the rule that it was made by.
CREATE FUNCTION approve_by_policy(of_proposal uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p proposals;
    rule jsonb;
    most integer;
    stake bigint;
BEGIN
    SELECT * INTO p FROM proposals x WHERE x.tenant_id = app_tenant() AND x.id = of_proposal AND x.state = 'pending' FOR UPDATE;
    rule := coalesce((SELECT to_jsonb(y) FROM policies y WHERE y.tenant_id = app_tenant() AND y.tool = p.tool), automatic_by_default(p.tool));
    most := (rule->>'automatic_per_day')::integer;
    stake := greatest(p.amount_minor, p.goods_minor, 0);
    IF p.id IS NULL OR rule->>'mode' IS DISTINCT FROM 'automatic' OR NOT (stake = 0 OR coalesce(stake < (rule->>'automatic_below_minor')::bigint, false))
            OR stake > 0 AND stake >= (rule->>'two_deciders_from_minor')::bigint
            OR at - (SELECT s.created_at FROM shoppers s WHERE s.tenant_id = p.tenant_id AND s.shopper_id = p.shopper_id) < make_interval(days => (rule->>'automatic_account_days')::integer) THEN
        RETURN false;
    END IF;
    IF most IS NOT NULL THEN
        INSERT INTO automatic_decisions AS a (tenant_id, shopper_id, tool, day, used)
            SELECT p.tenant_id, p.shopper_id, p.tool, (at AT TIME ZONE 'UTC')::date, 1 WHERE most > 0
            ON CONFLICT (tenant_id, shopper_id, tool, day) DO UPDATE SET used = a.used + 1 WHERE a.used < most;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, verdict, plan_digest, order_version, created_at)
        VALUES (p.tenant_id, p.shopper_id, gen_random_uuid(), p.id, 'policy', 'approve', p.plan_digest, p.order_version, at);
    UPDATE proposals SET state = 'approved', awaiting = 'nobody', deciders_needed = 0, updated_at = at WHERE tenant_id = p.tenant_id AND id = p.id;
    PERFORM queue_execution(p.id);
    PERFORM append_audit(at, 'policy', NULL, 'proposal.approve_by_policy', 'proposal', p.id::text, NULL, NULL,
        rule - 'tenant_id' - 'tool' - 'updated_at' - 'updated_by' || jsonb_build_object('plan', encode(p.plan_digest, 'hex')));
    RETURN true;
END $$;

-- Erasure blanks the reasons of decisions. The decisions themselves stay.
CREATE FUNCTION forget_reasons(of_shopper uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE decisions SET reason = NULL WHERE tenant_id = app_tenant() AND shopper_id = of_shopper AND reason IS NOT NULL
$$;

-- The only functions by which the server can queue a job. Each checks the row that the job is about.
CREATE FUNCTION queue_execution(of_proposal uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM proposals WHERE tenant_id = app_tenant() AND id = of_proposal AND state = 'approved';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only what was approved is executed' USING ERRCODE = 'check_violation', CONSTRAINT = 'execute_approved';
    END IF;
    PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
        job_key => 'execute:' || of_proposal);
END $$;

-- Records that a proposal's coupon can be used, and queues the job that tells the shopper.
CREATE FUNCTION coupon_is_ready(of_proposal uuid, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE coupons SET ready_at = at WHERE tenant_id = app_tenant() AND proposal_id = of_proposal AND ready_at IS NULL;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
            job_key => 'execute:' || of_proposal);
    END IF;
END $$;

-- The functions run as the owner. These policies let it see the bound store's rows, limited to the bound shopper's when one is bound.
DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['proposals', 'decisions', 'automatic_decisions', 'open_proposals', 'shoppers', 'coupons'] LOOP
        EXECUTE format('CREATE POLICY owner ON %I TO countersign_owner USING (app_shopper() IS NULL OR shopper_id = app_shopper())
            WITH CHECK (app_shopper() IS NULL OR shopper_id = app_shopper())', tbl);
    END LOOP;
    FOREACH tbl IN ARRAY ARRAY['staff', 'api_keys'] LOOP
        EXECUTE format('CREATE POLICY owner ON %I FOR SELECT TO countersign_owner USING (true)', tbl);
    END LOOP;
    CREATE POLICY owner ON policies TO countersign_owner USING (true) WITH CHECK (true);
END $$;

-- Makes a proposal's conversation wait for a person. Returns `taken` when it waits from now on, `full` when guests have all places they may
-- have. A lock by store makes counting and taking atomic. Bound to a shopper it would see only that shopper's conversations, so it
-- unbinds the shopper and binds it again.
CREATE FUNCTION request_handoff(of_proposal uuid, at timestamptz, most_of_network integer, most_of_site integer, most_of_guests integer)
    RETURNS TABLE (taken uuid, is_full boolean) LANGUAGE plpgsql AS $$
DECLARE
    bound text := current_setting('app.shopper_id', true);
    c record;
BEGIN
    is_full := false;
    PERFORM set_config('app.shopper_id', '', true);
    SELECT v.id, v.network, v.site, s.guest INTO c FROM proposals p
        JOIN conversations v ON v.tenant_id = p.tenant_id AND v.id = p.conversation_id
        JOIN shoppers s ON s.tenant_id = v.tenant_id AND s.shopper_id = v.shopper_id
        WHERE p.tenant_id = app_tenant() AND p.id = of_proposal AND v.held_by IS NULL AND v.waiting_since IS NULL;
    IF FOUND AND c.guest THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('request_handoff ' || app_tenant(), 0));
        SELECT count(*) >= most_of_guests OR count(*) FILTER (WHERE w.network = c.network) >= most_of_network
                OR count(*) FILTER (WHERE w.site = c.site) >= most_of_site INTO is_full
            FROM conversations w JOIN shoppers s ON s.tenant_id = w.tenant_id AND s.shopper_id = w.shopper_id
            WHERE w.tenant_id = app_tenant() AND w.waiting_since IS NOT NULL AND s.guest;
    END IF;
    IF c.id IS NOT NULL AND NOT is_full THEN
        UPDATE conversations v SET waiting_since = at
            WHERE v.tenant_id = app_tenant() AND v.id = c.id AND v.held_by IS NULL AND v.waiting_since IS NULL RETURNING v.id INTO taken;
    END IF;
    PERFORM set_config('app.shopper_id', coalesce(bound, ''), true);
    RETURN NEXT;
END $$;

-- Nothing is stored for a shopper who was erased. Whoever inserts shares the shopper's row until its transaction ends, and an erasure holds it alone: one
-- of the two comes first, so that an erasure finds all there is, or what comes after it is refused. A password raises the epoch, which needs more than a
-- share. Not in the list are numbers, what the store's own systems tell, and money that is on its way, which must find its end.
CREATE FUNCTION refuse_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.shopper_id IS NULL THEN
        RETURN NEW;
    ELSIF TG_TABLE_NAME = 'passwords' THEN
        PERFORM FROM shoppers s WHERE s.tenant_id = NEW.tenant_id AND s.shopper_id = NEW.shopper_id AND s.erased_at IS NULL FOR NO KEY UPDATE;
    ELSE
        PERFORM FROM shoppers s WHERE s.tenant_id = NEW.tenant_id AND s.shopper_id = NEW.shopper_id AND s.erased_at IS NULL FOR SHARE;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the shopper was erased' USING ERRCODE = 'check_violation', CONSTRAINT = 'shopper_is_not_erased';
    END IF;
    RETURN NEW;
END $$;
DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['passwords', 'sessions', 'codes', 'conversations', 'turns', 'messages', 'tool_calls', 'proposals', 'decisions', 'returns',
            'coupons', 'notes'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_erased BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION refuse_erased()', tbl);
    END LOOP;
END $$;

-- Who may do what.
GRANT SELECT ON policies TO countersign_web;
GRANT SELECT, UPDATE (state, reason, updated_at), INSERT (tenant_id, shopper_id, id, conversation_id, turn_id, tool, arguments, plan, plan_digest,
    order_id, order_version, amount_minor, currency, fingerprint, awaiting, deciders_needed, created_at, updated_at, expires_at, goods_minor) ON proposals TO
    countersign_web;
GRANT SELECT, INSERT (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, reason, plan_digest, order_version, created_at) ON
    decisions TO countersign_web;
GRANT SELECT, UPDATE (state, reason, attempts, updated_at, arguments, plan, payout) ON proposals TO countersign_executor;
GRANT SELECT ON standing_approvals TO countersign_web, countersign_executor;
GRANT SELECT ON decisions, policies, automatic_decisions, open_proposals TO countersign_executor;
GRANT SELECT ON returns, coupons, notes, automatic_decisions, open_proposals TO countersign_web;
GRANT SELECT, INSERT, UPDATE (settled_at) ON returns TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (told_at) ON coupons TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (body) ON notes TO countersign_executor;
REVOKE ALL ON FUNCTION decisions_are_of_deciders, count_open_proposals, require_fresh_admin, set_policy, automatic_by_default, approve_by_policy, forget_reasons, queue_execution, request_handoff, coupon_is_ready FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_policy, approve_by_policy TO countersign_web;
GRANT EXECUTE ON FUNCTION forget_reasons, request_handoff, coupon_is_ready TO countersign_executor;
GRANT EXECUTE ON FUNCTION queue_execution TO countersign_web, countersign_executor;
