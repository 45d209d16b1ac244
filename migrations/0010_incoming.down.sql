DROP TABLE record_versions, incoming_webhooks;
