-- Model spend. Amounts are millionths of the price table's currency. A call first reserves the most it can cost against every cap at once
-- and is then settled to its real cost. Guests together have a share of the store's day and month, and each of their networks a share of
-- that.

-- The caps that a store has set. Without a row the defaults of the code apply.
CREATE TABLE budgets (
    tenant_id           uuid PRIMARY KEY REFERENCES tenants,
    conversation_micros bigint NOT NULL CHECK (conversation_micros >= 0),
    shopper_day_micros  bigint NOT NULL CHECK (shopper_day_micros >= 0),
    store_day_micros   bigint NOT NULL CHECK (store_day_micros >= 0),
    store_month_micros bigint NOT NULL CHECK (store_month_micros >= 0),
    updated_at          timestamptz NOT NULL,
    updated_by          uuid NOT NULL,
    guests_percent      integer NOT NULL DEFAULT 30 CHECK (guests_percent BETWEEN 0 AND 100),
    network_percent     integer NOT NULL DEFAULT 25 CHECK (network_percent BETWEEN 0 AND 100),
    FOREIGN KEY (tenant_id, updated_by) REFERENCES staff
);
CALL protect_table('budgets', false);

-- What a store's admin has chosen: the model, and whether turns that no longer fit into a prompt leave a summary. Without a model, or when
-- the installation offers that model no more, its default answers.
CREATE TABLE store_models (
    tenant_id  uuid PRIMARY KEY REFERENCES tenants,
    model      text CHECK (model <> ''),
    summarizes boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    CHECK (model IS NOT NULL OR summarizes),
    FOREIGN KEY (tenant_id, updated_by) REFERENCES staff
);
CALL protect_table('store_models', false);

-- One row for each thing that has a cap.
CREATE TABLE spend (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    scope           text NOT NULL CHECK (scope IN ('conversation', 'shopper_day', 'network_day', 'site_day', 'guests_day', 'guests_month', 'store_day', 'store_month')),
    key             text NOT NULL,
    spent_micros    bigint NOT NULL CHECK (spent_micros >= 0),
    reserved_micros bigint NOT NULL CHECK (reserved_micros >= 0),
    PRIMARY KEY (tenant_id, scope, key)
);
CALL protect_table('spend', false);

CREATE TABLE reservations (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    keys       text[] NOT NULL,
    micros     bigint NOT NULL CHECK (micros >= 0),
    shopper_id uuid NOT NULL,
    model      text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CALL protect_table('reservations', true);

-- One row for each call that ended, append-only.
CREATE TABLE budget_ledger (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    at              timestamptz NOT NULL,
    -- `released`: the call failed before it cost anything. `swept`: the call's process died.
    kind            text NOT NULL CHECK (kind IN ('settled', 'released', 'swept')),
    shopper_id      uuid NOT NULL,
    model           text NOT NULL,
    tools           text[] NOT NULL,
    reserved_micros bigint NOT NULL,
    spent_micros    bigint NOT NULL,
    input_tokens    integer NOT NULL,
    -- Of the input: read from the provider's cache.
    cached_tokens   integer NOT NULL DEFAULT 0,
    output_tokens   integer NOT NULL,
    -- A call that was swept and ended later has two rows.
    PRIMARY KEY (tenant_id, id, kind)
);
CALL protect_table('budget_ledger', true);
CREATE INDEX budget_ledger_by_time ON budget_ledger (tenant_id, at);

-- Every caller locks the rows in this order. A scope that a call does not count under has no key.
CREATE FUNCTION spend_scopes() RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY['conversation', 'shopper_day', 'network_day', 'site_day', 'guests_day', 'guests_month', 'store_day', 'store_month'];

-- Ends a reservation at what was spent, and returns the state of every cap's row. A reservation that was swept meanwhile
-- is spent all the same: the money is gone.
CREATE FUNCTION settle_spend(reservation uuid, their_keys text[], shopper uuid, by_model text, how text, amount bigint, input integer, cached integer, output integer, called text[], at timestamptz)
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
    INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, cached_tokens, output_tokens)
        VALUES (app_tenant(), reservation, at, how, shopper, by_model, called, coalesce(held, 0), amount, input, cached, output);
END $$;

-- Reserves `amount` against every cap, or reserves nothing and returns the scope whose cap it would exceed. `defaults` apply to a store
-- that has set no caps; the caps in force are returned. A second call for the same reservation reserves nothing more.
--
-- The commit does not wait for the disk. Other transactions see it at once, and a crash of Postgres can lose only the reservation, not what
-- was spent, which `record_spend` books with or without it.
CREATE FUNCTION reserve_spend(tenant uuid, reservation uuid, amount bigint, their_keys text[], defaults bigint[], shopper uuid, by_model text, at timestamptz, until timestamptz)
    RETURNS TABLE (over text, caps bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
    b bigint[];
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true), set_config('synchronous_commit', 'off', true);
    b := coalesce((SELECT ARRAY[conversation_micros, shopper_day_micros, store_day_micros, store_month_micros, guests_percent, network_percent] FROM budgets), defaults);
    -- The caps are in the order of `spend_scopes`. A site has twice a network's share, but no more than all guests have.
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

-- `settle_spend`, with its scope. Twice for the same end it fails on the ledger's key, and books nothing.
CREATE FUNCTION record_spend(tenant uuid, reservation uuid, their_keys text[], shopper uuid, by_model text, how text, amount bigint, input integer, cached integer, output integer, called text[], at timestamptz)
    RETURNS TABLE (scope text, key text, spent_micros bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true), set_config('app.shopper_id', '', true);
    RETURN QUERY SELECT s.scope, s.key, s.spent_micros FROM settle_spend(reservation, their_keys, shopper, by_model, how, amount, input, cached, output, called, at) s;
END $$;

-- Outages of the first language model: each store's admins are told of one once, whichever replica sees it first.
CREATE TABLE model_outages (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    started_at timestamptz NOT NULL,
    error      text NOT NULL CHECK (length(error) <= 40),
    ended_at   timestamptz CHECK (ended_at >= started_at),
    PRIMARY KEY (tenant_id, started_at)
);
CALL protect_table('model_outages', false);
CREATE UNIQUE INDEX model_outages_open ON model_outages (tenant_id) WHERE ended_at IS NULL;

-- An admin sets the caps. The audit has it whoever calls this. `by_default` is what applied before, where the store had set nothing.
CREATE FUNCTION set_budget(caps jsonb, by_default jsonb, by_session uuid, request text, at timestamptz) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person uuid := require_fresh_admin(by_session, at);
    old jsonb := (SELECT to_jsonb(b) - 'tenant_id' - 'updated_at' - 'updated_by' FROM budgets b WHERE b.tenant_id = app_tenant());
BEGIN
    INSERT INTO budgets (tenant_id, conversation_micros, shopper_day_micros, store_day_micros, store_month_micros, updated_at, updated_by, guests_percent, network_percent)
        VALUES (app_tenant(), (caps->>'conversation_micros')::bigint, (caps->>'shopper_day_micros')::bigint, (caps->>'store_day_micros')::bigint,
            (caps->>'store_month_micros')::bigint, at, person, (caps->>'guests_percent')::integer, (caps->>'network_percent')::integer)
        ON CONFLICT (tenant_id) DO UPDATE SET conversation_micros = excluded.conversation_micros, shopper_day_micros = excluded.shopper_day_micros,
            store_day_micros = excluded.store_day_micros, store_month_micros = excluded.store_month_micros, guests_percent = excluded.guests_percent,
            network_percent = excluded.network_percent, updated_at = excluded.updated_at, updated_by = excluded.updated_by;
    PERFORM append_audit(at, 'staff', person, 'budget.change', 'budget', 'caps', request, coalesce(old, by_default), caps || jsonb_build_object('session', by_session));
END $$;

-- An admin chooses the store's model and whether cut turns leave a summary; NULL and false take the choice away. False where there was none
-- to take away.
CREATE FUNCTION set_store_model(of_name text, keeps_summary boolean, by_session uuid, request text, at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person uuid := require_fresh_admin(by_session, at);
    old jsonb := (SELECT jsonb_build_object('model', s.model, 'summarizes', s.summarizes) FROM store_models s WHERE s.tenant_id = app_tenant());
    chooses boolean := of_name IS NOT NULL OR keeps_summary;
BEGIN
    IF chooses THEN
        INSERT INTO store_models (tenant_id, model, summarizes, updated_at, updated_by) VALUES (app_tenant(), of_name, keeps_summary, at, person)
            ON CONFLICT (tenant_id) DO UPDATE SET model = excluded.model, summarizes = excluded.summarizes, updated_at = excluded.updated_at, updated_by = excluded.updated_by;
    ELSIF old IS NULL THEN
        RETURN false;
    ELSE
        DELETE FROM store_models WHERE tenant_id = app_tenant();
    END IF;
    PERFORM append_audit(at, 'staff', person, 'model.change', 'model', 'choice', request, old,
        CASE WHEN chooses THEN jsonb_build_object('model', of_name, 'summarizes', keeps_summary, 'session', by_session) END);
    RETURN true;
END $$;

-- An admin allows the pages of an origin to call the API, or forbids them. False where there was nothing to forbid.
CREATE FUNCTION set_origin(of_origin text, is_allowed boolean, by_session uuid, request text, at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person uuid := require_fresh_admin(by_session, at);
BEGIN
    IF is_allowed THEN
        INSERT INTO origins (tenant_id, origin) VALUES (app_tenant(), of_origin) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM origins WHERE tenant_id = app_tenant() AND origin = of_origin;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    PERFORM append_audit(at, 'staff', person, CASE WHEN is_allowed THEN 'origin.allow' ELSE 'origin.forbid' END, 'origin', of_origin, request,
        NULL, jsonb_build_object('session', by_session));
    RETURN true;
END $$;

-- The functions run as the owner. These policies let it see the bound store's rows.
CREATE POLICY owner ON budgets TO countersign_owner USING (true) WITH CHECK (true);
CREATE POLICY owner ON store_models TO countersign_owner USING (true) WITH CHECK (true);
CREATE POLICY owner ON origins TO countersign_owner USING (true) WITH CHECK (true);

-- Who may do what.
GRANT SELECT ON budgets, store_models TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON spend TO countersign_web;
GRANT SELECT, INSERT, DELETE ON reservations TO countersign_web;
GRANT SELECT, INSERT ON budget_ledger TO countersign_web, countersign_executor;
GRANT SELECT, UPDATE ON spend TO countersign_executor;
GRANT SELECT, DELETE ON reservations TO countersign_executor;
GRANT SELECT ON budgets TO countersign_executor;
GRANT SELECT, INSERT, UPDATE (ended_at) ON model_outages TO countersign_executor;
REVOKE ALL ON FUNCTION reserve_spend, record_spend, set_budget, set_store_model, set_origin FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_spend, record_spend, set_budget, set_store_model, set_origin TO countersign_web;
