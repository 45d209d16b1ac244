DROP FUNCTION append_audit, audit_hash, find_staff_session;
DROP TABLE audit, outbox, notes, coupons, returns, decisions, proposals, policies, staff_sessions, staff;
DROP FUNCTION proposals_step;
