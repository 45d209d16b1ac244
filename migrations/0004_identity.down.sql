DROP FUNCTION find_session;
DROP TABLE sessions, passwords;
