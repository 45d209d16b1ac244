DROP TABLE tool_calls, messages, turns, conversations;
