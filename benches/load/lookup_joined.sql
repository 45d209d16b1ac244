\set t random(1, 100)
\set n random(1, :each)
\set s 1 + :n % 100
BEGIN \; SELECT set_config('app.tenant_id', '00000000-0000-7000-8000-' || lpad(to_hex(:t::int), 12, '0'), true) \; SELECT shopper_id FROM sessions WHERE token_hash = decode(lpad(to_hex(:s::int), 64, '0'), 'hex') AND revoked_at IS NULL AND idle_until > now() AND expires_at > now();
SELECT set_config('app.shopper_id', lpad(to_hex(:t::int), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(:s::int), 12, '0'), true) \; SELECT id, number, status, currency, address, version, placed_at FROM orders WHERE bare_number = (:n::int)::text \; SELECT item_id, name, options, price_minor, quantity FROM order_lines l JOIN orders o ON (o.tenant_id, o.id) = (l.tenant_id, l.order_id) WHERE o.bare_number = (:n::int)::text ORDER BY position \; COMMIT;
