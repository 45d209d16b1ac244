DROP FUNCTION release_conversations CASCADE;
DROP TABLE tool_calls, messages, turns, conversations;
