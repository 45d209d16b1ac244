DROP POLICY own_alone ON messages;
DROP POLICY own_alone ON tool_calls;
DROP POLICY own_alone ON turns;
DROP POLICY own_alone ON conversations;
REVOKE DELETE ON messages, tool_calls, turns, conversations FROM countersign_web;
