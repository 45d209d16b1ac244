REVOKE UPDATE (revoked_at) ON store_keys FROM countersign_web;
REVOKE INSERT ON store_keys FROM countersign_web;
REVOKE UPDATE (state, attempts, due_at) ON incoming_webhooks FROM countersign_web;
