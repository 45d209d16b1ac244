DROP VIEW order_payments;
DROP POLICY ledger ON staff_sessions;
DROP POLICY ledger ON outbox;
DROP POLICY ledger ON tenants;
DROP POLICY ledger ON orders;
DROP POLICY ledger ON payment_methods;
DROP POLICY ledger ON returns;
DROP FUNCTION move_payments, resume_proposal, end_return, cancel_money_in, hand_money_to_staff, settle_by_staff, require_staff_session, record_dispute, record_refund, set_reference, record_money,
    note_money, reach_attempt, retry_money_out, fail_money, confirm_money, show_delivery, reserve_refundable, lock_movement, settle_money_in, add_to_gift_card, give_back_money,
    request_money_out, request_money_in, gift_card_left, add_movement, movement_id, lock_balance, lock_balance_of, add_to_balance CASCADE;
DROP TABLE order_balances, money_movements;
