-- What the console does besides: it tries incoming events again, and changes the store's publishable keys.
GRANT UPDATE (state, attempts, due_at) ON incoming_webhooks TO countersign_web;
GRANT INSERT ON store_keys TO countersign_web;
GRANT UPDATE (revoked_at) ON store_keys TO countersign_web;
