-- Proposals are born pending, and nothing is executed that was not decided: by people who may, under the policy in force when they did, or by
-- the policy itself within its limits. The limits are taken in the statements that enforce them.

ALTER TABLE proposals ALTER state SET DEFAULT 'pending';
REVOKE INSERT ON proposals FROM countersign_web;
GRANT INSERT (tenant_id, shopper_id, id, conversation_id, turn_id, tool, arguments, plan, plan_digest, order_id, order_version, amount_minor, currency, fingerprint,
    awaiting, deciders_needed, created_at, updated_at, expires_at) ON proposals TO countersign_web;

-- Decisions may be closed to machine keys.
ALTER TABLE tenants ADD machine_decisions boolean NOT NULL DEFAULT true;
-- `person_id`: the member of staff who decided, or who made the key that did. `policy`: what the store had said about the tool then; none where it had said nothing.
ALTER TABLE decisions ADD person_id uuid, ADD policy jsonb;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX decisions_of_person ON decisions (tenant_id, proposal_id, person_id) WHERE person_id IS NOT NULL AND verdict <> 'withdraw';
REVOKE INSERT ON decisions FROM countersign_web;
GRANT INSERT (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, reason, plan_digest, order_version, created_at) ON decisions TO countersign_web;
-- The policy decides in `approve_by_policy` alone.
CREATE POLICY people_decide ON decisions AS RESTRICTIVE FOR INSERT TO countersign_web WITH CHECK (decider_kind <> 'policy');

-- Who decides must be somebody who may: a shopper on its own proposals, staff with the role whose account is open, a key of theirs.
CREATE FUNCTION decisions_are_of_deciders() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p proposals;
BEGIN
    SELECT * INTO p FROM proposals x WHERE x.tenant_id = NEW.tenant_id AND x.id = NEW.proposal_id;
    NEW.policy := (SELECT to_jsonb(y) - 'tenant_id' FROM policies y WHERE y.tenant_id = NEW.tenant_id AND y.tool = p.tool);
    NEW.person_id := CASE NEW.decider_kind
        WHEN 'staff' THEN (SELECT m.id FROM staff m WHERE m.tenant_id = NEW.tenant_id AND m.id = NEW.decider_id AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin'))
        WHEN 'machine' THEN (SELECT m.id FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by) JOIN tenants t ON t.tenant_id = k.tenant_id
            WHERE k.tenant_id = NEW.tenant_id AND k.id = NEW.decider_id AND k.revoked_at IS NULL AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin')
                AND t.machine_decisions)
    END;
    IF NEW.decider_kind IN ('staff', 'machine') AND NEW.person_id IS NULL OR NEW.decider_kind = 'shopper' AND NEW.decider_id IS DISTINCT FROM p.shopper_id THEN
        RAISE EXCEPTION 'this is not theirs to decide' USING ERRCODE = 'check_violation', CONSTRAINT = 'decider_may_decide';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decisions_are_of_deciders BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION decisions_are_of_deciders();

-- A proposal is approved when so many have approved as it needs. The executor counts again, against the policy of that moment.
CREATE FUNCTION proposals_need_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'approved' AND OLD.state = 'pending' AND (SELECT count(*) FROM decisions d WHERE d.tenant_id = NEW.tenant_id AND d.proposal_id = NEW.id
            AND d.verdict = 'approve' AND d.plan_digest = NEW.plan_digest) < greatest(1, NEW.deciders_needed) THEN
        RAISE EXCEPTION 'a proposal is approved by decisions' USING ERRCODE = 'check_violation', CONSTRAINT = 'approved_by_decisions';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_need_decisions BEFORE UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION proposals_need_decisions();

-- How often a policy has decided by itself: for a shopper, a tool and a day (UTC).
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

-- A shopper's proposals that are not at their end: at most ten. The row is locked until the transaction ends, so that the eleventh waits and is refused.
CREATE TABLE open_proposals (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    count      integer NOT NULL CHECK (count >= 0),
    PRIMARY KEY (tenant_id, shopper_id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers ON DELETE CASCADE
);
CREATE FUNCTION is_open(state text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN state IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment');
ALTER TABLE proposals NO FORCE ROW LEVEL SECURITY;
INSERT INTO open_proposals (tenant_id, shopper_id, count)
    SELECT tenant_id, shopper_id, least(10, count(*)) FROM proposals WHERE is_open(state) GROUP BY tenant_id, shopper_id;
ALTER TABLE proposals FORCE ROW LEVEL SECURITY;
CALL protect_table('open_proposals', true);
CREATE FUNCTION count_open_proposals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    was boolean := TG_OP = 'UPDATE' AND is_open(OLD.state);
BEGIN
    -- A guest who signs in takes its proposals along.
    IF TG_OP = 'UPDATE' AND NEW.shopper_id <> OLD.shopper_id AND was THEN
        UPDATE open_proposals SET count = greatest(0, count - 1) WHERE tenant_id = OLD.tenant_id AND shopper_id = OLD.shopper_id;
        was := false;
    END IF;
    IF is_open(NEW.state) AND NOT was THEN
        -- What a guest takes along may be one too many; what is asked for anew may not.
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

-- The policy decides, within its limits, or not at all: false. `fallback` is the tool's own policy, for a store that has said nothing.
CREATE FUNCTION approve_by_policy(of_proposal uuid, fallback jsonb, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p proposals;
    rule jsonb;
    most integer;
BEGIN
    SELECT * INTO p FROM proposals x WHERE x.tenant_id = app_tenant() AND x.id = of_proposal AND x.state = 'pending' FOR UPDATE;
    rule := coalesce((SELECT to_jsonb(y) FROM policies y WHERE y.tenant_id = app_tenant() AND y.tool = p.tool), fallback);
    most := (rule->>'automatic_per_day')::integer;
    IF p.id IS NULL OR rule->>'mode' <> 'automatic' OR NOT (coalesce(p.amount_minor, 0) = 0 OR coalesce(p.amount_minor < (rule->>'automatic_below_minor')::bigint, false))
            OR coalesce(p.amount_minor, 0) > 0 AND p.amount_minor >= (rule->>'two_deciders_from_minor')::bigint
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
    RETURN true;
END $$;

-- Erasure blanks what was written beside decisions; the decisions themselves stay as they were made.
CREATE FUNCTION forget_reasons(of_shopper uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE decisions SET reason = NULL WHERE tenant_id = app_tenant() AND shopper_id = of_shopper AND reason IS NOT NULL
$$;
REVOKE ALL ON FUNCTION forget_reasons FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_reasons TO countersign_executor;

-- The only ways for the server to queue a job. Each looks at the row that the job is about.
CREATE FUNCTION queue_execution(of_proposal uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM proposals WHERE tenant_id = app_tenant() AND id = of_proposal AND state = 'approved';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only what was approved is executed' USING ERRCODE = 'check_violation', CONSTRAINT = 'execute_approved';
    END IF;
    PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
        job_key => 'execute:' || of_proposal);
END $$;
CREATE FUNCTION queue_delivery(delivery uuid, wait_seconds double precision) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM outbox WHERE tenant_id = app_tenant() AND id = delivery;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'deliver', payload => json_build_object('tenant', app_tenant(), 'id', delivery),
            run_at => now() + make_interval(secs => wait_seconds));
    END IF;
END $$;
CREATE FUNCTION queue_take_in(lane integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM graphile_worker.add_job(identifier => 'take_in', payload => json_build_object('tenant', app_tenant()), job_key => 'take_in:' || app_tenant() || ':' || lane);
END $$;

DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['proposals', 'decisions', 'automatic_decisions', 'open_proposals', 'shoppers'] LOOP
        EXECUTE format('CREATE POLICY owner ON %I TO countersign_owner USING (app_shopper() IS NULL OR shopper_id = app_shopper())
            WITH CHECK (app_shopper() IS NULL OR shopper_id = app_shopper())', tbl);
    END LOOP;
    FOREACH tbl IN ARRAY ARRAY['policies', 'staff', 'api_keys'] LOOP
        EXECUTE format('CREATE POLICY owner ON %I FOR SELECT TO countersign_owner USING (true)', tbl);
    END LOOP;
END $$;
GRANT SELECT ON automatic_decisions, open_proposals TO countersign_web, countersign_executor;
REVOKE ALL ON FUNCTION decisions_are_of_deciders, count_open_proposals, approve_by_policy, queue_execution, queue_delivery, queue_take_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION approve_by_policy TO countersign_web;
GRANT EXECUTE ON FUNCTION queue_execution, queue_delivery, queue_take_in TO countersign_web, countersign_executor;

-- A key acts for its maker: it dies with the maker's account, and can do no more than the maker's role.
-- squawk-ignore ban-drop-function
DROP FUNCTION find_api_key;
CREATE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz, maker uuid, maker_email text, maker_role text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at, m.id, m.email, m.role FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by)
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.revoked_at IS NULL AND k.expires_at > at AND m.disabled_at IS NULL;
END $$;
REVOKE ALL ON FUNCTION find_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key TO countersign_web;
