DROP FUNCTION forget_reasons;
DROP FUNCTION find_api_key;
CREATE FUNCTION find_api_key(tenant uuid, hashes bytea[], at timestamptz)
    RETURNS TABLE (id uuid, scopes text[], last_used_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT k.id, k.scopes, k.last_used_at FROM api_keys k
        WHERE k.tenant_id = tenant AND k.token_hash = ANY (hashes) AND k.revoked_at IS NULL AND k.expires_at > at;
END $$;
REVOKE ALL ON FUNCTION find_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key TO countersign_web;
DROP TRIGGER count_open_proposals ON proposals;
DROP TRIGGER proposals_need_decisions ON proposals;
DROP TRIGGER decisions_are_of_deciders ON decisions;
DROP FUNCTION count_open_proposals, proposals_need_decisions, decisions_are_of_deciders, approve_by_policy, queue_execution, queue_delivery, queue_take_in;
DROP TABLE automatic_decisions, open_proposals;
DROP FUNCTION is_open;
DROP POLICY owner ON proposals;
DROP POLICY owner ON decisions;
DROP POLICY owner ON shoppers;
DROP POLICY owner ON policies;
DROP POLICY owner ON staff;
DROP POLICY owner ON api_keys;
DROP POLICY people_decide ON decisions;
DROP INDEX decisions_of_person;
ALTER TABLE decisions DROP person_id, DROP policy;
ALTER TABLE tenants DROP machine_decisions;
ALTER TABLE proposals ALTER state DROP DEFAULT;
REVOKE INSERT ON proposals, decisions FROM countersign_web;
GRANT INSERT ON proposals, decisions TO countersign_web;
