-- Model spend. Amounts are millionths of the currency that the price table is in. A call first reserves the most it can
-- cost against every cap at once, and is then settled to what it did cost.

-- What a store has set. Without a row the defaults of the code hold.
CREATE TABLE budgets (
    tenant_id             uuid PRIMARY KEY REFERENCES tenants,
    conversation_micros   bigint NOT NULL CHECK (conversation_micros >= 0),
    shopper_day_micros    bigint NOT NULL CHECK (shopper_day_micros >= 0),
    tenant_day_micros     bigint NOT NULL CHECK (tenant_day_micros >= 0),
    tenant_month_micros   bigint NOT NULL CHECK (tenant_month_micros >= 0),
    updated_at            timestamptz NOT NULL,
    updated_by            uuid NOT NULL,
    FOREIGN KEY (tenant_id, updated_by) REFERENCES staff
);
CALL protect_table('budgets', false);

-- One row for each thing that has a cap. `period` is the day or month, and empty for a conversation.
CREATE TABLE spend (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    scope           text NOT NULL CHECK (scope IN ('conversation', 'shopper_day', 'tenant_day', 'tenant_month')),
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

-- Append-only: one row for each call's end.
CREATE TABLE budget_ledger (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    at              timestamptz NOT NULL,
    -- `released`: the call failed before it cost anything. `swept`: its process died.
    kind            text NOT NULL CHECK (kind IN ('settled', 'released', 'swept')),
    shopper_id      uuid NOT NULL,
    model           text NOT NULL,
    tools           text[] NOT NULL,
    reserved_micros bigint NOT NULL,
    spent_micros    bigint NOT NULL,
    input_tokens    integer NOT NULL,
    output_tokens   integer NOT NULL,
    -- A call that was given up for lost and then did end has both rows.
    PRIMARY KEY (tenant_id, id, kind)
);
CALL protect_table('budget_ledger', true);
CREATE INDEX budget_ledger_by_time ON budget_ledger (tenant_id, at);

-- The order in which every caller locks the four rows.
CREATE FUNCTION spend_scopes() RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY['conversation', 'shopper_day', 'tenant_day', 'tenant_month'];

-- Reserves, or returns the scope whose cap it would pass; the caller then rolls back.
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

-- Ends a reservation at what was spent, and returns the state of every cap's row. A reservation that was swept meanwhile
-- is spent all the same: the money is gone.
CREATE FUNCTION settle_spend(reservation uuid, their_keys text[], shopper uuid, by_model text, how text, amount bigint, input integer, output integer, called text[], at timestamptz)
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

GRANT SELECT, INSERT, UPDATE ON budgets, spend TO countersign_web;
GRANT SELECT, INSERT, DELETE ON reservations TO countersign_web;
GRANT SELECT, INSERT ON budget_ledger TO countersign_web;
GRANT SELECT, UPDATE ON spend TO countersign_executor;
GRANT SELECT, DELETE ON reservations TO countersign_executor;
GRANT SELECT, INSERT ON budget_ledger TO countersign_executor;
