DROP FUNCTION queue_take_in CASCADE;
DROP TABLE record_versions, incoming_webhooks;
