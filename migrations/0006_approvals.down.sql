DROP FUNCTION append_audit, audit_hash, find_staff_session;
DROP TABLE audit, outbox, notes, coupons, returns, decisions, proposals, policies, staff_sessions, staff;
DROP FUNCTION proposals_step;
REVOKE UPDATE (updated_at) ON conversations FROM countersign_executor;
