DROP POLICY owner ON shoppers;
DROP POLICY owner ON staff;
DROP POLICY owner ON api_keys;
DROP FUNCTION refuse_erased, coupon_is_ready, request_handoff, queue_execution, forget_reasons, approve_by_policy, automatic_by_default, set_policy, require_fresh_admin, count_open_proposals, is_open, proposals_need_decisions,
    decisions_are_of_deciders, proposals_step CASCADE;
DROP VIEW standing_approvals;
DROP TABLE open_proposals, automatic_decisions, notes, coupons, returns, decisions, proposals, policies;
