-- Guests and what only they hold go with the feature; accounts stay.
REVOKE ALL ON shoppers, conversations, turns, passwords, staff, sessions, staff_sessions FROM countersign_web, countersign_executor;
DROP TABLE origins, api_keys, recovery_codes, throttles, assertion_uses, assertion_keys, codes;
DROP FUNCTION take, find_api_key, find_staff_session(uuid, bytea[], timestamptz), find_session(uuid, bytea[], timestamptz);
DROP POLICY proved ON shipments;
DROP POLICY proved ON order_lines;
DROP POLICY proved ON orders;
DROP FUNCTION app_order();
ALTER TABLE audit DROP CONSTRAINT audit_actor_kind_check,
    ADD CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('shopper', 'staff', 'model', 'policy', 'system')) NOT VALID;
ALTER TABLE decisions DROP CONSTRAINT decisions_decider_kind_check,
    ADD CONSTRAINT decisions_decider_kind_check CHECK (decider_kind IN ('policy', 'shopper', 'staff')) NOT VALID;
ALTER TABLE staff_sessions DROP COLUMN full_access, DROP COLUMN proved_at, DROP COLUMN address, DROP COLUMN device;
ALTER TABLE staff DROP COLUMN totp_secret, DROP COLUMN totp_confirmed_at, DROP COLUMN totp_last_step;
ALTER TABLE sessions DROP COLUMN address, DROP COLUMN device, DROP COLUMN order_id;
ALTER TABLE shoppers DROP CONSTRAINT shoppers_known;
UPDATE shoppers SET email = 'guest-' || shopper_id || '@guest.invalid' WHERE email IS NULL;
ALTER TABLE shoppers ALTER COLUMN email SET NOT NULL, DROP COLUMN guest;
GRANT SELECT, INSERT ON shoppers TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON shoppers TO countersign_executor;
GRANT SELECT, INSERT ON conversations, turns TO countersign_web;
GRANT UPDATE (updated_at) ON conversations TO countersign_web, countersign_executor;
GRANT SELECT ON conversations TO countersign_executor;
GRANT UPDATE (status, events, lease_until, finished_at) ON turns TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON passwords, sessions, staff_sessions TO countersign_web;
GRANT INSERT, UPDATE, SELECT ON passwords, staff TO countersign_executor;
GRANT SELECT ON staff TO countersign_web;
ALTER TABLE turns DROP CONSTRAINT turns_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id);
ALTER TABLE messages DROP CONSTRAINT messages_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id);
ALTER TABLE proposals DROP CONSTRAINT proposals_tenant_id_shopper_id_conversation_id_fkey,
    ADD FOREIGN KEY (tenant_id, shopper_id, conversation_id) REFERENCES conversations (tenant_id, shopper_id, id);
