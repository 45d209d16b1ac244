DROP FUNCTION queue_processing, queue_platform_sync CASCADE;
DROP TABLE platform_syncs, record_versions, incoming_webhooks;
