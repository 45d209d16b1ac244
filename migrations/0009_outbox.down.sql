REVOKE SELECT (id, address, device, created_at) ON sessions FROM countersign_executor;
ALTER TABLE payments DROP COLUMN reference;
ALTER TABLE shoppers DROP COLUMN language;
ALTER TABLE tenants DROP COLUMN language, DROP COLUMN reply_to;
DROP TABLE suppressed_addresses, integrations, webhook_endpoints;
ALTER TABLE outbox DROP COLUMN channel, DROP COLUMN state, DROP COLUMN attempts, DROP COLUMN last_error, DROP COLUMN due_at, DROP COLUMN reference;
