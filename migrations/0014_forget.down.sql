REVOKE DELETE ON messages, tool_calls, turns, conversations FROM countersign_web;
