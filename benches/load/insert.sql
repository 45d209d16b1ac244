\set t random(1, 100)
BEGIN;
SELECT set_config('app.tenant_id', '00000000-0000-7000-8000-' || lpad(to_hex(:t::int), 12, '0'), true);
INSERT INTO outbox (tenant_id, id, kind, idempotency_key, payload, created_at) SELECT app_tenant(), gen_random_uuid(), 'bench', gen_random_uuid()::text, '{}', now();
COMMIT;
