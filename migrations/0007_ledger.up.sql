-- The ledger of the money that moves for orders. A movement is requested, and then confirmed or failed by whoever moves the money: the
-- payment provider, the shop's platform, a member of staff, or the demo's provider. No role may write the tables; only the functions below
-- do. Constraints on `order_balances` never let more money out of an order than came in, also for concurrent transactions.

CREATE TABLE money_movements (
    tenant_id         uuid NOT NULL,
    shopper_id        uuid NOT NULL,
    order_id          uuid NOT NULL,
    id                uuid NOT NULL,
    position          integer NOT NULL CHECK (position >= 0),
    -- Rows of one payout share this id, because a payout may be taken from several payments.
    request_id        uuid NOT NULL,
    direction         text NOT NULL CHECK (direction IN ('in', 'out')),
    payment_method_id uuid NOT NULL,
    amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Who moves the money and confirms it. `store` means that the store's own system reported it.
    provider          text NOT NULL CHECK (provider IN ('store', 'stripe', 'platform', 'staff', 'demo')),
    state             text NOT NULL CHECK (state IN ('requested', 'confirmed', 'failed')),
    -- The provider's id (Stripe: `pi_…`, `ch_…`, `re_…`).
    reference         text CHECK (length(reference) <= 200),
    -- The proposal that the money is moved for. NULL for what the store reported.
    proposal_id       uuid,
    -- For money out: the movement that brought the money in.
    source_id         uuid,
    -- For money in: what has gone out of it, in all states but failed.
    returned_minor    bigint NOT NULL DEFAULT 0 CONSTRAINT at_most_what_came_in_goes_back CHECK (returned_minor BETWEEN 0 AND amount_minor),
    -- False while money is held for a change that is not made yet, and for giving such money back.
    settled           boolean NOT NULL,
    -- The provider's page where the shopper pays.
    payment_link      text CHECK (length(payment_link) <= 2000),
    failure           text CHECK (length(failure) <= 500),
    -- A refund that somebody made at the provider's own pages.
    made_elsewhere    boolean NOT NULL DEFAULT false,
    -- How often a payout that failed was asked for again.
    retries           integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id) ON UPDATE CASCADE,
    -- `move_payments` checks it at its end.
    CONSTRAINT money_movements_method FOREIGN KEY (tenant_id, shopper_id, payment_method_id) REFERENCES payment_methods (tenant_id, shopper_id, id) DEFERRABLE,
    FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals,
    FOREIGN KEY (tenant_id, source_id) REFERENCES money_movements,
    CHECK ((direction = 'out') = (source_id IS NOT NULL)),
    CHECK (direction = 'in' OR returned_minor = 0),
    CONSTRAINT only_confirmed_money_goes_out CHECK (returned_minor = 0 OR state = 'confirmed')
);
CREATE INDEX money_movements_of_proposal ON money_movements (tenant_id, proposal_id) WHERE proposal_id IS NOT NULL;
CREATE INDEX money_movements_by_staff ON money_movements (tenant_id, id) WHERE provider = 'staff' AND state = 'requested';
-- One refund of a provider's is one row, however many events tell of it at once. A refund that the store told us of may have several rows.
CREATE UNIQUE INDEX money_movements_refund_reference_key ON money_movements (tenant_id, provider, direction, reference) WHERE provider = 'stripe' AND direction = 'out';
CREATE INDEX money_movements_by_reference ON money_movements (tenant_id, reference) WHERE reference IS NOT NULL;
CALL protect_table('money_movements', true);

-- `held` is confirmed money in for a change that is not made yet. `paid_out` is requested or confirmed money out.
CREATE TABLE order_balances (
    tenant_id  uuid NOT NULL,
    shopper_id uuid NOT NULL,
    order_id   uuid NOT NULL,
    paid_in    bigint NOT NULL CHECK (paid_in >= 0),
    held       bigint NOT NULL CONSTRAINT only_what_is_held_goes_back CHECK (held >= 0),
    paid_out   bigint NOT NULL CHECK (paid_out >= 0),
    PRIMARY KEY (tenant_id, order_id),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id) ON UPDATE CASCADE,
    CONSTRAINT paid_out_at_most_paid_in CHECK (paid_out + held <= paid_in)
);
CALL protect_table('order_balances', true);

-- Adds to an order's balance. The row is locked until the caller's transaction ends, so that movements of one order wait for each other.
CREATE FUNCTION add_to_balance(shopper uuid, of_order uuid, more_in bigint, more_held bigint, more_out bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO order_balances AS b (tenant_id, shopper_id, order_id, paid_in, held, paid_out) VALUES (app_tenant(), shopper, of_order, 0, 0, 0)
        ON CONFLICT (tenant_id, order_id) DO NOTHING;
    UPDATE order_balances SET paid_in = paid_in + more_in, held = held + more_held, paid_out = paid_out + more_out
        WHERE tenant_id = app_tenant() AND order_id = of_order
$$;

-- Locks the balance of a proposal's order. Every function locks the balance before any movement, so that there are no deadlocks.
CREATE FUNCTION lock_balance_of(proposal uuid) RETURNS void LANGUAGE sql AS $$
    SELECT add_to_balance(o.shopper_id, o.id, 0, 0, 0) FROM proposals p JOIN orders o ON (o.tenant_id, o.id) = (p.tenant_id, p.order_id)
        WHERE p.tenant_id = app_tenant() AND p.id = proposal
$$;

-- Locks the balance of an order, for a caller that compares the order's movements with what it was told and then adds what is new.
CREATE FUNCTION lock_balance(of_order uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT add_to_balance(o.shopper_id, o.id, 0, 0, 0) FROM orders o WHERE o.tenant_id = app_tenant() AND o.id = of_order
$$;

-- The payments of an order that moved to another shopper are of that shopper's method from now on: where the money came from is the provider's
-- to know. The caller has deferred the constraint.
CREATE FUNCTION move_payments(of_order uuid, to_method uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE money_movements m SET payment_method_id = p.id FROM payment_methods p
        WHERE m.tenant_id = app_tenant() AND m.order_id = of_order AND p.tenant_id = m.tenant_id AND p.id = to_method AND p.shopper_id = m.shopper_id
$$;

-- The id of a movement, which whoever moves the money is told as the key of the request. It is made of what the movement is for, so that an execution that
-- is repeated, as after a restore of the database, asks for the same movement under the same key. `which`: 'in', 'out', or 'back' and the payment that goes
-- back. `place`: what number of its kind it is for its proposal.
CREATE FUNCTION movement_id(of_what text, which text, place integer) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN encode(substring(sha256(convert_to(concat_ws(' ', 'movement', of_what, which, place), 'UTF8')) FOR 16), 'hex')::uuid;

CREATE FUNCTION add_movement(of_order uuid, which text, method uuid, amount bigint, by_provider text, for_proposal uuid, source uuid, is_settled boolean, request uuid, at timestamptz)
    RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    movement uuid;
    place integer := 0;
BEGIN
    IF by_provider = 'demo' AND NOT (SELECT demo_payments FROM tenants WHERE tenant_id = app_tenant()) THEN
        RAISE EXCEPTION 'the demo''s provider moves no money of this store' USING ERRCODE = 'check_violation', CONSTRAINT = 'demo_payments_only';
    END IF;
    -- The caller holds the balance of the order, so nobody else counts the movements of its proposal now. What the store told us has no proposal.
    LOOP
        movement := CASE WHEN for_proposal IS NULL THEN gen_random_uuid()
            ELSE movement_id(app_tenant() || ' ' || for_proposal, CASE WHEN is_settled OR which = 'in' THEN which ELSE 'back ' || source END, place) END;
        EXIT WHEN NOT EXISTS (SELECT FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.id = movement);
        place := place + 1;
    END LOOP;
    INSERT INTO money_movements (tenant_id, shopper_id, order_id, id, position, request_id, direction, payment_method_id, amount_minor, currency, provider, state,
            proposal_id, source_id, settled, created_at, updated_at)
        SELECT o.tenant_id, o.shopper_id, o.id, movement, coalesce((SELECT max(m.position) + 1 FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.order_id = o.id), 0),
            request, which, method, amount, o.currency, by_provider, 'requested', for_proposal, source, is_settled, at, at
        FROM orders o WHERE o.tenant_id = app_tenant() AND o.id = of_order;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such order' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN movement;
END $$;

-- What a shopper can still spend from a gift card: its balance less what is requested or held for changes that are not made yet, without
-- those of one order. NULL for other methods and when no balance is known.
CREATE FUNCTION gift_card_left(method uuid, but_order uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT c.balance_minor - coalesce((SELECT sum(m.amount_minor - m.returned_minor) FROM money_movements m WHERE m.tenant_id = c.tenant_id
            AND m.payment_method_id = c.id AND m.direction = 'in' AND NOT m.settled AND m.state <> 'failed' AND m.order_id IS DISTINCT FROM but_order), 0)::bigint
        FROM payment_methods c WHERE c.tenant_id = app_tenant() AND c.id = method AND c.kind = 'gift_card'
$$;

-- Requests money in for a proposal. It is held until the change is made (`settle_money_in`) or it is given back (`give_back_money`).
CREATE FUNCTION request_money_in(of_order uuid, method uuid, amount bigint, by_provider text, for_proposal uuid, at timestamptz) RETURNS uuid LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM add_to_balance(o.shopper_id, o.id, 0, 0, 0) FROM orders o WHERE o.tenant_id = app_tenant() AND o.id = of_order;
    -- Requests of one gift card wait for each other here.
    PERFORM FROM payment_methods WHERE tenant_id = app_tenant() AND id = method AND kind = 'gift_card' FOR UPDATE;
    IF gift_card_left(method, NULL) < amount THEN
        RAISE EXCEPTION 'the gift card does not hold so much' USING ERRCODE = 'check_violation', CONSTRAINT = 'gift_card_covers';
    END IF;
    RETURN add_movement(of_order, 'in', method, amount, by_provider, for_proposal, NULL, false, gen_random_uuid(), at);
END $$;

-- Requests money out: first from what the same method paid, then from the others, one row for each payment. With `same_method` (a provider
-- that refunds a charge to where it came from) only from that method's payments with a reference. Fails on `paid_out_at_most_paid_in` when
-- there is not enough.
CREATE FUNCTION request_money_out(of_order uuid, method uuid, amount bigint, by_provider text, same_method boolean, for_proposal uuid, at timestamptz)
    RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    request uuid := gen_random_uuid();
    rest bigint := amount;
    part bigint;
    source money_movements;
BEGIN
    PERFORM add_to_balance(o.shopper_id, o.id, 0, 0, amount) FROM orders o WHERE o.tenant_id = app_tenant() AND o.id = of_order;
    FOR source IN SELECT * FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.order_id = of_order AND m.direction = 'in' AND m.state = 'confirmed' AND m.settled
            AND m.returned_minor < m.amount_minor AND (NOT same_method OR m.payment_method_id = method AND m.reference IS NOT NULL)
            ORDER BY m.payment_method_id = method DESC, m.position FOR UPDATE LOOP
        part := least(rest, source.amount_minor - source.returned_minor);
        UPDATE money_movements SET returned_minor = returned_minor + part, updated_at = at WHERE tenant_id = app_tenant() AND id = source.id;
        RETURN NEXT add_movement(of_order, 'out', method, part, by_provider, for_proposal, source.id, true, request, at);
        rest := rest - part;
        EXIT WHEN rest = 0;
    END LOOP;
    IF rest > 0 THEN
        RAISE EXCEPTION 'more would go out than came in' USING ERRCODE = 'check_violation', CONSTRAINT = 'paid_out_at_most_paid_in';
    END IF;
END $$;

-- Requests that money which is held for a proposal goes back to where it came from, because the change is not made.
CREATE FUNCTION give_back_money(for_proposal uuid, at timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    source money_movements;
    part bigint;
BEGIN
    PERFORM lock_balance_of(for_proposal);
    FOR source IN SELECT * FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.proposal_id = for_proposal AND m.direction = 'in' AND m.state = 'confirmed'
            AND NOT m.settled AND m.returned_minor < m.amount_minor ORDER BY m.position FOR UPDATE LOOP
        part := source.amount_minor - source.returned_minor;
        PERFORM add_to_balance(source.shopper_id, source.order_id, 0, -part, part);
        UPDATE money_movements SET returned_minor = amount_minor, updated_at = at WHERE tenant_id = app_tenant() AND id = source.id;
        RETURN NEXT add_movement(source.order_id, 'out', source.payment_method_id, part, source.provider, for_proposal, source.id, false, gen_random_uuid(), at);
    END LOOP;
END $$;

-- Adds to the known balance of a gift card and does nothing for other methods. A balance that the store has told since the money was requested may hold it
-- already, so it is not added then: what is known is less for a while, until the store tells the balance again, and never more. It stops at zero.
CREATE FUNCTION add_to_gift_card(method uuid, amount bigint, requested_at timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE payment_methods SET balance_minor = greatest(0, balance_minor + amount) WHERE tenant_id = app_tenant() AND id = method AND kind = 'gift_card'
        AND (balance_at IS NULL OR balance_at < requested_at)
$$;

-- The change that money was held for is made: it counts as paid on the order from now on, less what somebody refunded of it meanwhile; such a refund
-- counts as one of the order, and no longer as the proposal's. Gift cards are debited here.
CREATE FUNCTION settle_money_in(for_proposal uuid, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    source money_movements;
    part bigint;
BEGIN
    PERFORM lock_balance_of(for_proposal);
    FOR source IN SELECT * FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.proposal_id = for_proposal AND m.direction = 'in' AND m.state = 'confirmed'
            AND NOT m.settled ORDER BY m.position FOR UPDATE LOOP
        part := source.amount_minor - source.returned_minor;
        PERFORM add_to_balance(source.shopper_id, source.order_id, 0, -part, 0);
        UPDATE money_movements SET settled = true, updated_at = at WHERE tenant_id = app_tenant() AND id = source.id;
        UPDATE money_movements SET settled = true, proposal_id = NULL, updated_at = at WHERE tenant_id = app_tenant() AND source_id = source.id;
        UPDATE payment_methods SET balance_minor = greatest(0, balance_minor - part) WHERE tenant_id = app_tenant() AND id = source.payment_method_id
            AND kind = 'gift_card';
    END LOOP;
END $$;

-- Locks the balance of a movement's order and then the movement, and returns it. Returns nothing when there is none.
CREATE FUNCTION lock_movement(movement uuid) RETURNS money_movements LANGUAGE plpgsql AS $$
DECLARE
    m money_movements;
BEGIN
    PERFORM add_to_balance(x.shopper_id, x.order_id, 0, 0, 0) FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.id = movement;
    SELECT * INTO m FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.id = movement FOR UPDATE;
    RETURN m;
END $$;

-- Takes the amount of a payout from its source and the order's balance, or frees it. Fails on the constraints when there is not enough.
CREATE FUNCTION reserve_refundable(m money_movements, amount bigint, at timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT add_to_balance(m.shopper_id, m.order_id, 0, CASE WHEN m.settled THEN 0 ELSE -amount END, amount);
    UPDATE money_movements SET returned_minor = returned_minor + amount, updated_at = at WHERE tenant_id = app_tenant() AND id = m.source_id
$$;

-- The delivery of a payout shows what became of its money: staff can retry or drop one that was sent and failed afterwards. A row that somebody holds is
-- left to them: the sender looks at the movement before it ends, and staff have just decided.
CREATE FUNCTION show_delivery(m money_movements, from_state text, to_state text, reason text) RETURNS void LANGUAGE sql AS $$
    UPDATE outbox SET state = to_state, last_error = left(reason, 500) WHERE tenant_id = app_tenant() AND id IN (SELECT d.id FROM outbox d
        WHERE d.tenant_id = app_tenant() AND d.idempotency_key IN ('refund:' || m.id, 'shop_refund:' || m.id) AND d.state = from_state FOR UPDATE SKIP LOCKED)
$$;

-- The provider says that the money moved. False when that was known or is no longer possible. A proposal that waits for the money goes on.
CREATE FUNCTION confirm_money(movement uuid, its_reference text, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
BEGIN
    -- A charge that was given up and succeeds later is real money. A failed payout with an id of the provider is final; one that was
    -- refused without an id and succeeds later takes its amount again.
    IF m.id IS NULL OR m.state = 'confirmed' OR m.state = 'failed' AND m.direction = 'out' AND m.reference IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM set_reference(m, its_reference, at);
    IF m.state = 'failed' AND m.direction = 'out' THEN
        PERFORM reserve_refundable(m, m.amount_minor, at);
    END IF;
    UPDATE money_movements SET state = 'confirmed', failure = NULL WHERE tenant_id = app_tenant() AND id = movement;
    PERFORM show_delivery(m, 'dead', 'done', NULL);
    IF m.direction = 'in' THEN
        PERFORM add_to_balance(m.shopper_id, m.order_id, m.amount_minor, CASE WHEN m.settled THEN 0 ELSE m.amount_minor END, 0);
        PERFORM resume_proposal(m);
    ELSIF m.settled THEN
        PERFORM add_to_gift_card(m.payment_method_id, m.amount_minor, m.created_at);
        PERFORM resume_proposal(m);
    END IF;
    RETURN true;
END $$;

-- The provider says that the money did not move, or that it came back. False when that was known, or for confirmed money in.
CREATE FUNCTION fail_money(movement uuid, reason text, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
BEGIN
    IF m.id IS NULL OR m.state = 'failed' OR m.state = 'confirmed' AND m.direction = 'in' THEN
        RETURN false;
    END IF;
    UPDATE money_movements SET state = 'failed', failure = left(reason, 500), updated_at = at WHERE tenant_id = app_tenant() AND id = movement;
    IF m.direction = 'in' THEN
        PERFORM resume_proposal(m);
        RETURN true;
    END IF;
    PERFORM show_delivery(m, 'done', 'dead', reason);
    PERFORM reserve_refundable(m, -m.amount_minor, at);
    IF m.settled AND m.state = 'confirmed' THEN
        PERFORM add_to_gift_card(m.payment_method_id, -m.amount_minor, m.created_at);
    END IF;
    -- What somebody refunded of held money is held again: its proposal may have ended, and give it back.
    IF m.settled OR m.made_elsewhere THEN
        PERFORM resume_proposal(m);
    END IF;
    RETURN true;
END $$;

-- Staff retry a failed payout: it takes its amount of the order's money again, or fails on `paid_out_at_most_paid_in`.
CREATE FUNCTION retry_money_out(movement uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
BEGIN
    IF m.id IS NULL OR m.direction <> 'out' OR m.state <> 'failed' THEN
        RETURN false;
    END IF;
    PERFORM reserve_refundable(m, m.amount_minor, at);
    UPDATE money_movements SET state = 'requested', failure = NULL, reference = NULL, retries = retries + 1, updated_at = at WHERE tenant_id = app_tenant() AND id = movement;
    IF m.settled THEN
        PERFORM resume_proposal(m);
    END IF;
    RETURN true;
END $$;

-- The provider speaks of a later attempt of a payout than this database knows, because it was restored since or the provider is faster than its answer. Only
-- a payout that failed is tried again, so it is at that attempt from now on, and one that was freed takes its amount again, or fails on
-- `paid_out_at_most_paid_in`. A name that is known already is the same refund.
CREATE FUNCTION reach_attempt(movement uuid, attempt integer, its_reference text, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
BEGIN
    IF m.id IS NULL OR m.direction <> 'out' OR attempt <= m.retries THEN
        RETURN;
    ELSIF m.reference = left(its_reference, 200) THEN
        UPDATE money_movements SET retries = attempt, updated_at = at WHERE tenant_id = app_tenant() AND id = movement;
        RETURN;
    ELSIF m.state = 'failed' THEN
        PERFORM reserve_refundable(m, m.amount_minor, at);
    ELSIF m.state = 'confirmed' AND m.settled THEN
        PERFORM add_to_gift_card(m.payment_method_id, -m.amount_minor, m.created_at);
    END IF;
    UPDATE money_movements SET state = 'requested', failure = NULL, reference = NULL, retries = attempt, updated_at = at WHERE tenant_id = app_tenant() AND id = movement;
    IF m.settled THEN
        PERFORM resume_proposal(m);
    END IF;
END $$;

-- Stores the provider's id of a movement that is not confirmed yet, or the page where the shopper pays.
CREATE FUNCTION note_money(movement uuid, its_reference text, link text, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
BEGIN
    IF m.id IS NULL OR m.state <> 'requested' THEN
        RETURN;
    END IF;
    PERFORM set_reference(m, its_reference, at);
    UPDATE money_movements SET payment_link = coalesce(link, payment_link) WHERE tenant_id = app_tenant() AND id = movement;
    IF link IS NOT NULL THEN
        PERFORM resume_proposal(m);
    END IF;
END $$;

-- Books money that the store's own system says has moved.
CREATE FUNCTION record_money(of_order uuid, which text, method uuid, amount bigint, its_reference text, at timestamptz) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    movement uuid;
BEGIN
    IF which = 'in' THEN
        PERFORM add_to_balance(o.shopper_id, o.id, amount, 0, 0) FROM orders o WHERE o.tenant_id = app_tenant() AND o.id = of_order;
        movement := add_movement(of_order, 'in', method, amount, 'store', NULL, NULL, true, gen_random_uuid(), at);
        UPDATE money_movements SET state = 'confirmed', reference = left(its_reference, 200) WHERE tenant_id = app_tenant() AND id = movement;
    ELSE
        FOR movement IN SELECT request_money_out(of_order, method, amount, 'store', false, NULL, at) LOOP
            UPDATE money_movements SET state = 'confirmed', reference = left(its_reference, 200) WHERE tenant_id = app_tenant() AND id = movement;
        END LOOP;
    END IF;
END $$;

-- Sets a movement's provider reference. If an external refund with this reference was booked already, that row's amount and reference move
-- here.
CREATE FUNCTION set_reference(m money_movements, its_reference text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    same uuid := (SELECT x.id FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.provider = m.provider AND x.direction = m.direction
        AND x.reference = left(its_reference, 200) AND x.id <> m.id AND x.direction = 'out' AND x.made_elsewhere);
BEGIN
    IF same IS NOT NULL THEN
        PERFORM fail_money(same, 'it is the refund of another movement', at);
        UPDATE money_movements SET reference = NULL WHERE tenant_id = app_tenant() AND id = same;
    END IF;
    UPDATE money_movements SET reference = coalesce(left(its_reference, 200), reference), updated_at = at WHERE tenant_id = app_tenant() AND id = m.id;
END $$;

-- A refund of a payment that somebody made at its provider. Of a payment that is held for a change, so much less is held. The store may have told us of the
-- same refund, or staff may have made it for a task: what goes out of the order to the same method, has the same amount and no name takes the name.
-- Says what was done: 'recorded', 'matched', 'known' when that reference was known, 'no_payment' when no payment is called so, or 'other_currency' when the
-- payment was made in another.
CREATE FUNCTION record_refund(of_payment text, amount bigint, in_currency text, by_provider text, its_reference text, at timestamptz) RETURNS text LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- The balance is locked from here on: events about one refund queue, and each but the first finds it.
    source money_movements := lock_movement((SELECT x.id FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.reference = of_payment AND x.direction = 'in'
        AND x.state = 'confirmed' ORDER BY x.position LIMIT 1));
    told money_movements;
    movement uuid;
BEGIN
    IF source.id IS NULL THEN
        RETURN 'no_payment';
    ELSIF source.currency <> in_currency THEN
        RETURN 'other_currency';
    ELSIF EXISTS (SELECT FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.direction = 'out' AND x.reference = left(its_reference, 200)) THEN
        RETURN 'known';
    END IF;
    SELECT * INTO told FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.order_id = source.order_id AND x.direction = 'out' AND x.state <> 'failed'
        AND x.provider IN ('store', 'platform', 'staff') AND x.payment_method_id = source.payment_method_id AND x.amount_minor = amount AND x.reference IS NULL
        AND x.settled = source.settled ORDER BY x.source_id = source.id DESC, x.position LIMIT 1 FOR UPDATE;
    IF told.id IS NOT NULL THEN
        -- The store says of which method's payments it was, and the provider of which payment.
        IF told.source_id <> source.id AND source.amount_minor - source.returned_minor >= amount THEN
            UPDATE money_movements SET returned_minor = returned_minor - amount, updated_at = at WHERE tenant_id = app_tenant() AND id = told.source_id;
            UPDATE money_movements SET returned_minor = returned_minor + amount, updated_at = at WHERE tenant_id = app_tenant() AND id = source.id;
            UPDATE money_movements SET source_id = source.id WHERE tenant_id = app_tenant() AND id = told.id;
        END IF;
        UPDATE money_movements SET reference = left(its_reference, 200), updated_at = at WHERE tenant_id = app_tenant() AND id = told.id;
        PERFORM confirm_money(told.id, NULL, at);
        RETURN 'matched';
    END IF;
    movement := add_movement(source.order_id, 'out', source.payment_method_id, amount, by_provider, NULL, source.id, source.settled, gen_random_uuid(), at);
    UPDATE money_movements SET state = 'confirmed', made_elsewhere = true, reference = left(its_reference, 200),
            proposal_id = CASE WHEN NOT source.settled THEN source.proposal_id END
        WHERE tenant_id = app_tenant() AND id = movement;
    PERFORM reserve_refundable(x, amount, at) FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.id = movement;
    IF NOT source.settled THEN
        PERFORM resume_proposal(source);
    END IF;
    RETURN 'recorded';
END $$;

-- What a bank takes back of a payment by a dispute. It is money out, as much of it as has not gone out otherwise; when it is told again and more is left by
-- then, as after a refund that failed, it takes the rest. Says 'recorded', 'known', 'no_payment' or 'other_currency', as above.
CREATE FUNCTION record_dispute(of_payment text, amount bigint, in_currency text, by_provider text, its_reference text, at timestamptz) RETURNS text LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    source money_movements := lock_movement((SELECT x.id FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.reference = of_payment AND x.direction = 'in'
        AND x.state = 'confirmed' ORDER BY x.position LIMIT 1));
    m money_movements;
    part bigint;
BEGIN
    IF source.id IS NULL THEN
        RETURN 'no_payment';
    ELSIF source.currency <> in_currency THEN
        RETURN 'other_currency';
    END IF;
    SELECT * INTO m FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.direction = 'out' AND x.provider = by_provider
        AND x.reference = left(its_reference, 200) FOR UPDATE;
    part := least(amount - coalesce(m.amount_minor, 0), source.amount_minor - source.returned_minor);
    IF part <= 0 OR m.state = 'failed' THEN
        RETURN 'known';
    ELSIF m.id IS NOT NULL THEN
        UPDATE money_movements SET amount_minor = amount_minor + part WHERE tenant_id = app_tenant() AND id = m.id;
    ELSE
        m.id := add_movement(source.order_id, 'out', source.payment_method_id, part, by_provider, NULL, source.id, source.settled, gen_random_uuid(), at);
        UPDATE money_movements SET made_elsewhere = true, reference = left(its_reference, 200), proposal_id = CASE WHEN NOT source.settled THEN source.proposal_id END
            WHERE tenant_id = app_tenant() AND id = m.id;
    END IF;
    PERFORM reserve_refundable(x, part, at) FROM money_movements x WHERE x.tenant_id = app_tenant() AND x.id = m.id;
    IF NOT source.settled THEN
        PERFORM resume_proposal(source);
    END IF;
    RETURN 'recorded';
END $$;

-- Returns the member of staff who owns the live session, or fails. The caller's audit entry names this session.
CREATE FUNCTION require_staff_session(by_session uuid, of_shopper uuid, at timestamptz) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    person staff;
BEGIN
    SELECT m.* INTO person FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
        WHERE s.tenant_id = app_tenant() AND s.id = by_session AND s.epoch = m.epoch AND s.full_access AND s.revoked_at IS NULL
            AND s.created_at <= greatest(at, now()) AND s.expires_at > greatest(at, now()) AND m.disabled_at IS NULL AND m.role IN ('approver', 'admin');
    IF person.id IS NULL THEN
        RAISE EXCEPTION 'only a person who is signed in may say so' USING ERRCODE = 'check_violation', CONSTRAINT = 'said_in_a_live_session';
    ELSIF EXISTS (SELECT FROM shoppers s WHERE s.tenant_id = app_tenant() AND mailbox(s.email) = mailbox(person.email) AND s.shopper_id = of_shopper) THEN
        RAISE EXCEPTION 'somebody else must say so: it is their own order' USING ERRCODE = 'check_violation', CONSTRAINT = 'not_their_own_order';
    END IF;
    RETURN person.id;
END $$;

-- A member of staff says what became of money that only people can move. The audit has it whoever calls this.
CREATE FUNCTION settle_by_staff(movement uuid, has_moved boolean, by_session uuid, request text, at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m money_movements := lock_movement(movement);
    person uuid;
BEGIN
    IF m.id IS NULL OR m.provider <> 'staff' OR m.state <> 'requested' THEN
        RETURN false;
    END IF;
    person := require_staff_session(by_session, m.shopper_id, at);
    IF has_moved THEN
        PERFORM confirm_money(movement, NULL, at);
    ELSE
        PERFORM fail_money(movement, 'staff said that it did not move', at);
    END IF;
    PERFORM append_audit(at, 'staff', person, CASE WHEN has_moved THEN 'payment.confirm' ELSE 'payment.fail' END, 'payment', movement::text, request,
        NULL, jsonb_build_object('session', by_session));
    RETURN true;
END $$;

-- Staff drop a delivery that was to move money, so that only a person can say whether the money moves. A failed payout takes its amount
-- again; when that money has gone out otherwise, nothing is left to decide.
CREATE FUNCTION hand_money_to_staff(delivery uuid, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    movement uuid := (SELECT coalesce(o.payload->>'movement', o.payload#>>'{operation,refund,movement}')::uuid FROM outbox o
        WHERE o.tenant_id = app_tenant() AND o.id = delivery AND o.state = 'dropped');
BEGIN
    PERFORM retry_money_out(movement, at);
    UPDATE money_movements SET provider = 'staff', updated_at = at WHERE tenant_id = app_tenant() AND id = movement AND state = 'requested';
EXCEPTION WHEN check_violation THEN
    RETURN;
END $$;

-- Gives up money that a proposal requested and that has not come in. Money that comes in later goes back.
CREATE FUNCTION cancel_money_in(for_proposal uuid, reason text, at timestamptz) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT fail_money(m.id, reason, at) FROM money_movements m WHERE m.tenant_id = app_tenant() AND m.proposal_id = for_proposal AND m.direction = 'in' AND m.state = 'requested'
$$;

-- A member of staff says that a parcel came, or that it will not. The audit has it whoever calls this.
CREATE FUNCTION end_return(of_proposal uuid, has_come boolean, by_session uuid, request text, at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r returns;
    person uuid;
BEGIN
    UPDATE returns SET received_at = CASE WHEN has_come THEN at END, called_off_at = CASE WHEN NOT has_come THEN at END
        WHERE tenant_id = app_tenant() AND proposal_id = of_proposal AND received_at IS NULL AND called_off_at IS NULL RETURNING * INTO r;
    IF r.id IS NULL THEN
        RETURN false;
    END IF;
    person := require_staff_session(by_session, r.shopper_id, at);
    PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', app_tenant(), 'proposal', of_proposal),
        job_key => 'execute:' || of_proposal);
    PERFORM append_audit(at, 'staff', person, CASE WHEN has_come THEN 'return.receive' ELSE 'return.call_off' END, 'proposal', of_proposal::text, request,
        NULL, jsonb_build_object('session', by_session));
    RETURN true;
END $$;

-- Queues the proposal that waits for this money, no longer waits for it, or paid it out.
CREATE FUNCTION resume_proposal(m money_movements) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF m.proposal_id IS NOT NULL AND m.provider <> 'demo' THEN
        PERFORM graphile_worker.add_job(identifier => 'execute_proposal', payload => json_build_object('tenant', m.tenant_id, 'proposal', m.proposal_id),
            job_key => 'execute:' || m.proposal_id);
    END IF;
END $$;

-- The functions run as the owner. These policies let it see the bound tenant's rows, limited to the bound shopper's when one is bound.
DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['money_movements', 'order_balances', 'orders', 'payment_methods', 'returns'] LOOP
        EXECUTE format('CREATE POLICY ledger ON %I TO countersign_owner USING (app_shopper() IS NULL OR shopper_id = app_shopper())
            WITH CHECK (app_shopper() IS NULL OR shopper_id = app_shopper())', tbl);
    END LOOP;
    CREATE POLICY ledger ON staff_sessions FOR SELECT TO countersign_owner USING (true);
    CREATE POLICY ledger ON outbox TO countersign_owner USING (true);
    CREATE POLICY ledger ON tenants FOR SELECT TO countersign_owner USING (true);
END $$;

-- What counts as paid and refunded on an order, one row for each request. `left_minor` is what can still go out of a payment.
CREATE VIEW order_payments WITH (security_invoker = true) AS
    SELECT tenant_id, shopper_id, order_id, request_id, min(position) AS position, CASE direction WHEN 'in' THEN 'payment' ELSE 'refund' END AS kind,
        sum(amount_minor)::bigint AS amount_minor, payment_method_id, max(reference) AS reference,
        sum(CASE direction WHEN 'in' THEN amount_minor - returned_minor ELSE 0 END)::bigint AS left_minor, bool_and(state = 'confirmed') AS confirmed, provider,
        min(created_at) AS created_at
    FROM money_movements WHERE settled AND (state = 'confirmed' OR direction = 'out' AND state = 'requested')
    GROUP BY tenant_id, shopper_id, order_id, request_id, direction, payment_method_id, provider;

-- Who may do what.
GRANT SELECT ON money_movements, order_balances, order_payments TO countersign_reader, countersign_web, countersign_executor;
REVOKE ALL ON FUNCTION add_to_balance, lock_balance_of, lock_balance, move_payments, set_reference, movement_id, add_movement, gift_card_left, request_money_in, request_money_out, give_back_money,
    add_to_gift_card, settle_money_in, lock_movement, reserve_refundable, show_delivery, confirm_money, fail_money, retry_money_out, reach_attempt, note_money, record_money, record_refund, record_dispute,
    require_staff_session, settle_by_staff, hand_money_to_staff, cancel_money_in, end_return, resume_proposal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gift_card_left TO countersign_reader, countersign_web, countersign_executor;
GRANT EXECUTE ON FUNCTION lock_balance, move_payments, request_money_in, request_money_out, give_back_money, settle_money_in, confirm_money, fail_money, retry_money_out, reach_attempt,
    note_money, record_money, record_refund, record_dispute TO countersign_executor;
GRANT EXECUTE ON FUNCTION settle_by_staff, hand_money_to_staff, end_return TO countersign_web;
GRANT EXECUTE ON FUNCTION cancel_money_in TO countersign_executor, countersign_web;
