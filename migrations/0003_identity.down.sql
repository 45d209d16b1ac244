DROP TRIGGER raise_shopper_epoch ON shoppers;
DROP FUNCTION is_current, mailbox, stamp_code, stamp_api_key, stamp_staff_session, stamp_session, password_raises_epoch, raise_shopper_epoch,
    raise_staff_epoch, account_epoch, find_api_key, consume_throttle, find_staff_session, session_lives, find_session CASCADE;
DROP TABLE api_keys, recovery_codes, throttles, assertion_uses, assertion_keys, codes, staff_sessions, staff, sessions, passwords;
