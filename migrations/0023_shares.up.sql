-- Guests together have a share of the store's day and month, and each of their networks a share of that. The function that holds
-- what a call may cost takes the shares with the caps, so that none is read and then acted on.

ALTER TABLE budgets
    ADD guests_percent integer NOT NULL DEFAULT 30 CHECK (guests_percent BETWEEN 0 AND 100),
    ADD network_percent integer NOT NULL DEFAULT 25 CHECK (network_percent BETWEEN 0 AND 100);

-- The constraint that takes its place allows more. squawk has no word for that.
-- squawk-ignore ban-drop-constraint
ALTER TABLE spend DROP CONSTRAINT spend_scope_check;
-- `network_day` is an IPv4 address or IPv6 /64, `site_day` the /48 above it; their keys are keyed hashes that change daily.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE spend ADD CONSTRAINT spend_scope_check CHECK (scope IN
    ('conversation', 'shopper_day', 'network_day', 'site_day', 'guests_day', 'guests_month', 'tenant_day', 'tenant_month'));

-- The order in which every caller locks the rows. A scope that a call does not count under has no key.
CREATE OR REPLACE FUNCTION spend_scopes() RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY['conversation', 'shopper_day', 'network_day', 'site_day', 'guests_day', 'guests_month', 'tenant_day', 'tenant_month'];

-- `hold_spend` has taken its place: no release calls it.
-- squawk-ignore ban-drop-function
DROP FUNCTION reserve_spend(uuid, bigint, text[], bigint[], uuid, text, timestamptz, timestamptz);

CREATE OR REPLACE FUNCTION hold_spend(tenant uuid, reservation uuid, amount bigint, their_keys text[], defaults bigint[], shopper uuid, by_model text, at timestamptz, until timestamptz)
    RETURNS TABLE (over text, caps bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
    b bigint[];
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true), set_config('synchronous_commit', 'off', true);
    b := coalesce((SELECT ARRAY[conversation_micros, shopper_day_micros, tenant_day_micros, tenant_month_micros, guests_percent, network_percent] FROM budgets), defaults);
    -- In the order of `spend_scopes`. A site has twice a network's share, and no more than all guests have.
    caps := ARRAY[b[1], b[2], b[3] * b[5] / 100 * b[6] / 100, b[3] * b[5] / 100 * least(2 * b[6], 100) / 100, b[3] * b[5] / 100, b[4] * b[5] / 100, b[3], b[4]];
    INSERT INTO reservations (tenant_id, id, keys, micros, shopper_id, model, created_at, expires_at)
        VALUES (tenant, reservation, their_keys, amount, shopper, by_model, at, until) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    FOR i IN 1..cardinality(caps) LOOP
        CONTINUE WHEN their_keys[i] IS NULL;
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
    FOR i IN 1..cardinality(their_keys) LOOP
        RETURN QUERY UPDATE spend s SET spent_micros = s.spent_micros + amount, reserved_micros = s.reserved_micros - coalesce(held, 0)
            WHERE s.scope = (spend_scopes())[i] AND s.key = their_keys[i] RETURNING s.scope, s.key, s.spent_micros;
    END LOOP;
    INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, output_tokens)
        VALUES (app_tenant(), reservation, at, how, shopper, by_model, called, coalesce(held, 0), amount, input, output);
END $$;

-- Where a guest's conversation was begun, as a keyed hash: guests of one network have a share of those who wait for a person.
-- `site`: the same of the IPv6 /48 above.
ALTER TABLE conversations ADD network bytea, ADD site bytea;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX conversations_waiting ON conversations (tenant_id, waiting_since) WHERE waiting_since IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX shoppers_guests ON shoppers (tenant_id, created_at) WHERE guest;
GRANT DELETE ON shoppers, conversations, messages, turns, tool_calls TO countersign_executor;
-- The executor deletes guests, and nothing that is of a shopper who is known.
CREATE POLICY guests_alone ON shoppers AS RESTRICTIVE FOR DELETE TO countersign_executor USING (guest);
CREATE POLICY guests_alone ON conversations AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = conversations.tenant_id AND s.shopper_id = conversations.shopper_id AND s.guest));
CREATE POLICY guests_alone ON messages AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = messages.tenant_id AND s.shopper_id = messages.shopper_id AND s.guest));
CREATE POLICY guests_alone ON turns AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = turns.tenant_id AND s.shopper_id = turns.shopper_id AND s.guest));
CREATE POLICY guests_alone ON tool_calls AS RESTRICTIVE FOR DELETE TO countersign_executor
    USING (EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = tool_calls.tenant_id AND s.shopper_id = tool_calls.shopper_id AND s.guest));

-- Has a proposal's conversation wait for a person; `taken` when it does from now on, `full` when guests have all the places they may
-- have. Who counts them holds the store's lock, so that two cannot both take the last. Bound to a shopper it sees no other's
-- conversations: it unbinds itself, and binds again.
CREATE FUNCTION call_person(of_proposal uuid, at timestamptz, most_of_network integer, most_of_site integer, most_of_guests integer)
    RETURNS TABLE (taken uuid, is_full boolean) LANGUAGE plpgsql AS $$
DECLARE
    bound text := current_setting('app.shopper_id', true);
    c record;
BEGIN
    is_full := false;
    PERFORM set_config('app.shopper_id', '', true);
    SELECT v.id, v.network, v.site, s.guest INTO c FROM proposals p
        JOIN conversations v ON v.tenant_id = p.tenant_id AND v.id = p.conversation_id
        JOIN shoppers s ON s.tenant_id = v.tenant_id AND s.shopper_id = v.shopper_id
        WHERE p.tenant_id = app_tenant() AND p.id = of_proposal AND v.held_by IS NULL AND v.waiting_since IS NULL;
    IF FOUND AND c.guest THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('call_person ' || app_tenant(), 0));
        SELECT count(*) >= most_of_guests OR count(*) FILTER (WHERE w.network = c.network) >= most_of_network
                OR count(*) FILTER (WHERE w.site = c.site) >= most_of_site INTO is_full
            FROM conversations w JOIN shoppers s ON s.tenant_id = w.tenant_id AND s.shopper_id = w.shopper_id
            WHERE w.tenant_id = app_tenant() AND w.waiting_since IS NOT NULL AND s.guest;
    END IF;
    IF c.id IS NOT NULL AND NOT is_full THEN
        UPDATE conversations v SET waiting_since = at
            WHERE v.tenant_id = app_tenant() AND v.id = c.id AND v.held_by IS NULL AND v.waiting_since IS NULL RETURNING v.id INTO taken;
    END IF;
    PERFORM set_config('app.shopper_id', coalesce(bound, ''), true);
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION call_person FROM PUBLIC;
GRANT EXECUTE ON FUNCTION call_person TO countersign_executor;

-- So many rows of a kind a store may have in use. Those who add one of the same kind to the same store wait for each other here, so that none is counted
-- and then added to.
CREATE FUNCTION keep_few() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    in_use bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(TG_TABLE_NAME || NEW.tenant_id, 0));
    EXECUTE format('SELECT count(*) FROM %I WHERE tenant_id = $1 AND %s', TG_TABLE_NAME, TG_ARGV[1]) INTO in_use USING NEW.tenant_id;
    IF in_use >= TG_ARGV[0]::bigint THEN
        RAISE EXCEPTION 'a store has at most % in use', TG_ARGV[0] USING ERRCODE = 'check_violation', CONSTRAINT = 'at_most_in_use', HINT = TG_ARGV[0];
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_few BEFORE INSERT ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION keep_few('10', 'disabled_at IS NULL');
CREATE TRIGGER keep_few BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION keep_few('100', 'revoked_at IS NULL AND expires_at > now()');
CREATE TRIGGER keep_few BEFORE INSERT ON store_keys FOR EACH ROW EXECUTE FUNCTION keep_few('20', 'revoked_at IS NULL');
