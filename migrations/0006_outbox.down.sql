DROP FUNCTION queue_delivery CASCADE;
DROP TABLE suppressed_addresses, integrations, webhook_endpoints, outbox;
