ALTER TABLE conversations DROP COLUMN erased_at;
REVOKE UPDATE (body) ON messages, notes FROM countersign_executor;
REVOKE SELECT, UPDATE ON turns, tool_calls FROM countersign_executor;
REVOKE UPDATE (arguments, plan) ON proposals FROM countersign_executor;
REVOKE DELETE ON passwords FROM countersign_executor;
REVOKE UPDATE ON sessions FROM countersign_executor;
