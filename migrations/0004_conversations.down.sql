DROP FUNCTION record_subject, release_conversations CASCADE;
DROP TABLE conversation_subjects, tool_calls, messages, turns, conversations;
