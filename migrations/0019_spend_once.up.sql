-- A model call's two bookings, each one statement and one round trip: as `find_session` they bind their scope themselves. The release
-- before calls `reserve_spend` and `settle_spend` inside a transaction; they can go when none of it runs any more.

-- Holds `amount` against every cap, or nothing, and then names the scope whose cap it would pass. `defaults` hold for a store that has
-- set no caps; those that were in force come back. Again for the same reservation it holds no more.
--
-- Its commit does not wait for the disk: other transactions see it at once, and what a crash of Postgres could lose is a hold, not
-- what was spent, which `book_spend` books with or without it.
CREATE FUNCTION hold_spend(tenant uuid, reservation uuid, amount bigint, their_keys text[], defaults bigint[], shopper uuid, by_model text, at timestamptz, until timestamptz)
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

-- `settle_spend`, with its scope. Twice for the same end it fails on the ledger's key, and books nothing.
CREATE FUNCTION book_spend(tenant uuid, reservation uuid, their_keys text[], shopper uuid, by_model text, how text, amount bigint, input integer, output integer, called text[], at timestamptz)
    RETURNS TABLE (scope text, key text, spent_micros bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.scope, s.key, s.spent_micros FROM settle_spend(reservation, their_keys, shopper, by_model, how, amount, input, output, called, at) s;
END $$;

REVOKE ALL ON FUNCTION hold_spend, book_spend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_spend, book_spend TO countersign_web;
