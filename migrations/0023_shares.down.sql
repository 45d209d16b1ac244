DROP TRIGGER keep_few ON webhook_endpoints;
DROP TRIGGER keep_few ON api_keys;
DROP TRIGGER keep_few ON store_keys;
DROP FUNCTION keep_few;
DROP FUNCTION call_person;
DROP POLICY guests_alone ON shoppers;
DROP POLICY guests_alone ON conversations;
DROP POLICY guests_alone ON messages;
DROP POLICY guests_alone ON turns;
DROP POLICY guests_alone ON tool_calls;
REVOKE DELETE ON shoppers, conversations, messages, turns, tool_calls FROM countersign_executor;
DROP INDEX shoppers_guests;
DROP INDEX conversations_waiting;
ALTER TABLE conversations DROP COLUMN network, DROP COLUMN site;

-- Calls under way are given up, and what was counted for guests alone goes; the other caps' rows stay as they are.
ALTER TABLE spend NO FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations NO FORCE ROW LEVEL SECURITY;
UPDATE spend s SET reserved_micros = 0;
DELETE FROM reservations;
DELETE FROM spend WHERE scope IN ('network_day', 'site_day', 'guests_day', 'guests_month');
ALTER TABLE spend FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations FORCE ROW LEVEL SECURITY;
ALTER TABLE spend DROP CONSTRAINT spend_scope_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE spend ADD CONSTRAINT spend_scope_check CHECK (scope IN ('conversation', 'shopper_day', 'tenant_day', 'tenant_month'));
ALTER TABLE budgets DROP COLUMN guests_percent, DROP COLUMN network_percent;

CREATE OR REPLACE FUNCTION spend_scopes() RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY['conversation', 'shopper_day', 'tenant_day', 'tenant_month'];

CREATE FUNCTION reserve_spend(reservation uuid, amount bigint, their_keys text[], caps bigint[], shopper uuid, by_model text, at timestamptz, until timestamptz)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
BEGIN
    FOR i IN 1..4 LOOP
        INSERT INTO spend AS s (tenant_id, scope, key, spent_micros, reserved_micros)
            VALUES (app_tenant(), (spend_scopes())[i], their_keys[i], 0, amount)
            ON CONFLICT (tenant_id, scope, key) DO UPDATE SET reserved_micros = s.reserved_micros + amount
            RETURNING spent_micros + reserved_micros INTO total;
        IF total > caps[i] THEN RETURN (spend_scopes())[i]; END IF;
    END LOOP;
    INSERT INTO reservations (tenant_id, id, keys, micros, shopper_id, model, created_at, expires_at)
        VALUES (app_tenant(), reservation, their_keys, amount, shopper, by_model, at, until);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION hold_spend(tenant uuid, reservation uuid, amount bigint, their_keys text[], defaults bigint[], shopper uuid, by_model text, at timestamptz, until timestamptz)
    RETURNS TABLE (over text, caps bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true), set_config('synchronous_commit', 'off', true);
    caps := coalesce((SELECT ARRAY[conversation_micros, shopper_day_micros, tenant_day_micros, tenant_month_micros] FROM budgets), defaults);
    INSERT INTO reservations (tenant_id, id, keys, micros, shopper_id, model, created_at, expires_at)
        VALUES (tenant, reservation, their_keys, amount, shopper, by_model, at, until) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    FOR i IN 1..4 LOOP
        INSERT INTO spend AS s (tenant_id, scope, key, spent_micros, reserved_micros) VALUES (tenant, (spend_scopes())[i], their_keys[i], 0, amount)
            ON CONFLICT (tenant_id, scope, key) DO UPDATE SET reserved_micros = s.reserved_micros + amount
            RETURNING spent_micros + reserved_micros INTO total;
        IF total > caps[i] THEN
            over := (spend_scopes())[i];
            UPDATE spend s SET reserved_micros = s.reserved_micros - amount
                FROM unnest(spend_scopes(), their_keys) WITH ORDINALITY AS held(scope, key, place)
                WHERE s.scope = held.scope AND s.key = held.key AND held.place <= i;
            DELETE FROM reservations r WHERE r.id = reservation;
            EXIT;
        END IF;
    END LOOP;
    RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION settle_spend(reservation uuid, their_keys text[], shopper uuid, by_model text, how text, amount bigint, input integer, output integer, called text[], at timestamptz)
    RETURNS TABLE (scope text, key text, spent_micros bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    held bigint;
BEGIN
    DELETE FROM reservations r WHERE r.id = reservation RETURNING r.micros INTO held;
    IF how = 'swept' AND held IS NULL THEN RETURN; END IF;
    FOR i IN 1..4 LOOP
        RETURN QUERY UPDATE spend s SET spent_micros = s.spent_micros + amount, reserved_micros = s.reserved_micros - coalesce(held, 0)
            WHERE s.scope = (spend_scopes())[i] AND s.key = their_keys[i] RETURNING s.scope, s.key, s.spent_micros;
    END LOOP;
    INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, output_tokens)
        VALUES (app_tenant(), reservation, at, how, shopper, by_model, called, coalesce(held, 0), amount, input, output);
END $$;
