DROP FUNCTION call_off_return;
DROP FUNCTION give_up_money;
ALTER TABLE returns DROP called_off_at;
CREATE OR REPLACE FUNCTION receive_return(of_proposal uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE returns SET received_at = at WHERE tenant_id = app_tenant() AND proposal_id = of_proposal AND received_at IS NULL;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
            job_key => 'execute:' || of_proposal);
    END IF;
    RETURN FOUND;
END $$;
CREATE OR REPLACE FUNCTION proposals_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('pending', 'stale'),
        ('approved', 'executing'), ('executing', 'executed'), ('executing', 'failed'), ('executing', 'stale'),
        ('executing', 'awaiting_payment'), ('awaiting_payment', 'executing'), ('awaiting_payment', 'needs_payment'), ('awaiting_payment', 'failed'),
        ('needs_payment', 'executing'), ('needs_payment', 'expired'), ('needs_payment', 'failed')) THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- The schema before has one decision of each: the withdrawal of somebody who had approved has no place in it.
ALTER TABLE decisions NO FORCE ROW LEVEL SECURITY;
DELETE FROM decisions d USING decisions e WHERE d.verdict = 'withdraw' AND e.verdict <> 'withdraw' AND (e.tenant_id, e.proposal_id) = (d.tenant_id, d.proposal_id)
    AND (e.decider_kind, e.decider_id) IS NOT DISTINCT FROM (d.decider_kind, d.decider_id);
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
DROP INDEX decisions_of_person;
CREATE UNIQUE INDEX decisions_of_person ON decisions (tenant_id, proposal_id, person_id) WHERE person_id IS NOT NULL;
DROP INDEX decisions_of_decider;
ALTER TABLE decisions ADD CONSTRAINT decisions_tenant_id_proposal_id_decider_kind_decider_id_key UNIQUE NULLS NOT DISTINCT (tenant_id, proposal_id, decider_kind, decider_id);
