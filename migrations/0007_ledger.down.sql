DROP VIEW order_payments;
DROP POLICY ledger ON staff_sessions;
DROP POLICY ledger ON outbox;
DROP POLICY ledger ON tenants;
DROP POLICY ledger ON orders;
DROP POLICY ledger ON payment_methods;
DROP POLICY ledger ON returns;
DROP FUNCTION go_on_with_proposal, end_return, give_up_money, hand_money_to_staff, settle_by_staff, speaker, record_refund, name_movement, record_money,
    note_money, retry_money_out, fail_money, confirm_money, take_share, lock_movement, settle_money_in, add_to_gift_card, give_back_money,
    request_money_out, request_money_in, gift_card_left, add_movement, movement_id, lock_balance, lock_balance_of, add_to_balance CASCADE;
DROP TABLE order_balances, money_movements;
