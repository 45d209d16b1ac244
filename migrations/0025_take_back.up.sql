-- What was approved can be taken back while its money has not come in, and a return or exchange can be called off while the parcel is not back.

-- Whoever approved may take it back later: a withdrawal stands beside the approval.
-- squawk-ignore ban-drop-constraint
ALTER TABLE decisions DROP CONSTRAINT decisions_tenant_id_proposal_id_decider_kind_decider_id_key;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX decisions_of_decider ON decisions (tenant_id, proposal_id, decider_kind, decider_id) NULLS NOT DISTINCT WHERE verdict <> 'withdraw';
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX decisions_of_person;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX decisions_of_person ON decisions (tenant_id, proposal_id, person_id) WHERE person_id IS NOT NULL AND verdict <> 'withdraw';

CREATE OR REPLACE FUNCTION proposals_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('pending', 'stale'),
        ('approved', 'executing'), ('executing', 'executed'), ('executing', 'failed'), ('executing', 'stale'),
        ('executing', 'awaiting_payment'), ('awaiting_payment', 'executing'), ('awaiting_payment', 'needs_payment'), ('awaiting_payment', 'failed'),
        ('needs_payment', 'executing'), ('needs_payment', 'expired'), ('needs_payment', 'failed'),
        ('awaiting_payment', 'rejected'), ('needs_payment', 'rejected')) THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Gives up the money that a proposal asked for and that has not come in. Money that comes after all goes back.
CREATE FUNCTION give_up_money(for_proposal uuid, reason text, at timestamptz) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT fail_money(m.id, reason, at) FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.proposal_id = for_proposal AND m.direction = 'in' AND m.state = 'requested'
$$;

ALTER TABLE returns ADD called_off_at timestamptz;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE returns ADD CONSTRAINT received_or_called_off CHECK (received_at IS NULL OR called_off_at IS NULL);
CREATE OR REPLACE FUNCTION receive_return(of_proposal uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE returns SET received_at = at WHERE tenant_id = app_tenant() AND proposal_id = of_proposal AND received_at IS NULL AND called_off_at IS NULL;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
            job_key => 'execute:' || of_proposal);
    END IF;
    RETURN FOUND;
END $$;
-- The shopper keeps what it was to send back: the executor gives back what is held for it. False when there is no such return that waits.
CREATE FUNCTION call_off_return(of_proposal uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE returns SET called_off_at = at WHERE tenant_id = app_tenant() AND proposal_id = of_proposal AND received_at IS NULL AND called_off_at IS NULL;
    IF FOUND THEN
        PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
            job_key => 'execute:' || of_proposal);
    END IF;
    RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION give_up_money, call_off_return FROM PUBLIC;
GRANT EXECUTE ON FUNCTION give_up_money TO countersign_web, countersign_executor;
GRANT EXECUTE ON FUNCTION call_off_return TO countersign_web;
