-- What erasure and retention need: words and addresses may be blanked, amounts and decisions may not.
ALTER TABLE conversations ADD erased_at timestamptz;

GRANT UPDATE (body) ON messages, notes TO countersign_executor;
GRANT UPDATE (events, idempotency_key) ON turns TO countersign_executor;
GRANT SELECT (tenant_id, shopper_id, id, conversation_id, created_at, events) ON turns TO countersign_executor;
GRANT UPDATE (arguments) ON tool_calls TO countersign_executor;
GRANT SELECT (tenant_id, shopper_id, turn_id, arguments) ON tool_calls TO countersign_executor;
GRANT UPDATE (arguments, plan) ON proposals TO countersign_executor;
GRANT DELETE ON passwords TO countersign_executor;
GRANT UPDATE (revoked_at, address, device) ON sessions TO countersign_executor;
GRANT UPDATE (erased_at) ON conversations TO countersign_executor;
