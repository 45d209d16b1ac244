DROP FUNCTION queue_processing CASCADE;
DROP TABLE record_versions, incoming_webhooks;
