-- A store's data: shoppers, the catalogue, orders, help articles, hours. Money is in minor units of the order's or store's currency.

CREATE TABLE shoppers (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    shopper_id  uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 120),
    email       text CHECK (length(email) <= 254 AND email = lower(email)),
    first_name  text NOT NULL CHECK (length(first_name) <= 120),
    last_name   text NOT NULL CHECK (length(last_name) <= 120),
    address     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- A guest is a shopper who has not signed in: it has no address and no data but its conversations.
    guest       boolean NOT NULL DEFAULT false,
    language    text CHECK (language ~ '^[a-z]{2,3}$'),
    epoch       integer NOT NULL DEFAULT 1,
    -- The addresses that the shopper had before, newest first: an erasure looks for each of them.
    former_emails text[] NOT NULL DEFAULT '{}',
    -- When the shopper was erased: from then on nothing is stored for it (`refuse_erased`).
    erased_at   timestamptz,
    PRIMARY KEY (tenant_id, shopper_id),
    UNIQUE (tenant_id, external_id),
    UNIQUE (tenant_id, email)
);
CALL protect_table('shoppers', true);
CREATE INDEX shoppers_guests ON shoppers (tenant_id, created_at) WHERE guest;

-- The executor may delete guests, but no shopper who is known.
CREATE POLICY guests_only ON shoppers AS RESTRICTIVE FOR DELETE TO countersign_executor USING (guest);

CREATE TABLE payment_methods (
    tenant_id     uuid NOT NULL,
    shopper_id    uuid NOT NULL,
    id            uuid NOT NULL,
    external_id   text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 120),
    kind          text NOT NULL CHECK (kind IN ('credit_card', 'paypal', 'gift_card')),
    brand         text,
    last_four     text CHECK (last_four ~ '^[0-9]{4}$'),
    balance_minor bigint CHECK (balance_minor >= 0),
    -- When the store last told the balance of a gift card.
    balance_at    timestamptz,
    -- The payment provider's ids of the method and its customer (Stripe: `pm_…`, `cus_…`). A charge without the shopper needs both.
    reference     text CHECK (length(reference) <= 200),
    customer      text CHECK (length(customer) <= 200),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_id),
    UNIQUE (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers,
    CHECK ((kind = 'gift_card') = (balance_minor IS NOT NULL))
);
CALL protect_table('payment_methods', true);

CREATE TABLE products (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 120),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
    -- The address of a picture: an `https://` URL, or a path on the site that the chat is on.
    picture     text CHECK (length(picture) <= 1000 AND picture ~ '^(https://|/[^/\\])'),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_id)
);
CALL protect_table('products', false);

CREATE TABLE variants (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    product_id  uuid NOT NULL,
    item_id     text NOT NULL CHECK (length(item_id) BETWEEN 1 AND 120),
    options     jsonb NOT NULL DEFAULT '{}',
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    available   boolean NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, item_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products
);
CALL protect_table('variants', false);
CREATE INDEX variants_of_product ON variants (tenant_id, product_id);

-- `version` rises with every change. A decision is bound to the version that its decider saw.
CREATE TABLE orders (
    tenant_id   uuid NOT NULL,
    shopper_id  uuid NOT NULL,
    id          uuid NOT NULL,
    number      text NOT NULL CHECK (length(number) BETWEEN 1 AND 64),
    -- Shops print a leading #, and no two orders may differ by it alone.
    bare_number text NOT NULL GENERATED ALWAYS AS (ltrim(number, '#')) STORED,
    -- What it is looked up by: the number in the one spelling that `store::order_number::fold` gives. The program writes it, because SQL does
    -- not know the digits and letters of every script in every locale. Two orders may share it; then only the exact number finds one.
    folded_number text NOT NULL,
    status      text NOT NULL CHECK (status IN ('pending', 'pending_items_modified', 'processed', 'partly_shipped', 'shipped', 'out_for_delivery',
                                                'delivered', 'cancelled', 'return_requested', 'exchange_requested')),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    address     jsonb NOT NULL,
    -- The total and what it is made of, in minor units (`store::orders::StoredTotals`). Without it the total is the sum of the lines.
    totals      jsonb CHECK (totals IS NULL OR totals ->> 'total' IS NOT NULL),
    -- The platform's lines that were replaced by an agreement made here (`store::agreed_lines`): the agreed ones stay until the platform's differ
    -- from these. NULL where the lines are the platform's.
    replaced_lines jsonb,
    version     bigint NOT NULL DEFAULT 1,
    placed_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- The id of the order at the shop's platform. Without it, changes are made in this database alone.
    reference   text CHECK (length(reference) <= 200),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, bare_number),
    UNIQUE (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('orders', true);
CREATE INDEX orders_by_folded_number ON orders (tenant_id, folded_number);
CREATE POLICY proved ON orders FOR SELECT TO countersign_reader USING (id = app_order());

-- The tables below repeat the order's shopper_id so that row-level security needs no join. The foreign key keeps it consistent, and takes
-- it along when an order turns out to be another shopper's.
CREATE TABLE order_lines (
    tenant_id   uuid NOT NULL,
    shopper_id  uuid NOT NULL,
    order_id    uuid NOT NULL,
    position    integer NOT NULL CHECK (position >= 0),
    product_id  text NOT NULL,
    item_id     text NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    options     jsonb NOT NULL DEFAULT '{}',
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    quantity    integer NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    -- What all units together cost, after discounts and with the tax where the prices have none. NULL where that is the price times the quantity.
    total_minor bigint CHECK (total_minor >= 0),
    PRIMARY KEY (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id) ON UPDATE CASCADE
);
CALL protect_table('order_lines', true);
CREATE POLICY proved ON order_lines FOR SELECT TO countersign_reader USING (order_id = app_order());

CREATE TABLE shipments (
    tenant_id       uuid NOT NULL,
    shopper_id      uuid NOT NULL,
    order_id        uuid NOT NULL,
    position        integer NOT NULL CHECK (position >= 0),
    carrier         text,
    tracking_number text CHECK (length(tracking_number) BETWEEN 1 AND 120),
    item_ids        text[] NOT NULL,
    shipped_at      timestamptz,
    -- The carrier's page about the parcel.
    url             text CHECK (length(url) <= 1000 AND url ~ '^https://'),
    status          text CHECK (status IN ('sent', 'out_for_delivery', 'attempted', 'ready_for_pickup', 'delivered', 'delayed', 'failed')),
    -- The platform's id of the fulfilment that the parcel belongs to.
    fulfillment     text CHECK (length(fulfillment) <= 100),
    PRIMARY KEY (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id) ON UPDATE CASCADE
);
CALL protect_table('shipments', true);
CREATE POLICY proved ON shipments FOR SELECT TO countersign_reader USING (order_id = app_order());

-- Trigrams find words with a typing error. The extension is trusted: whoever may create objects in the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE help_articles (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    slug       text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,119}$'),
    language   text NOT NULL CHECK (language ~ '^[a-z]{2,3}$'),
    title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body       text NOT NULL CHECK (length(body) BETWEEN 1 AND 20000),
    published  boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    words      tsvector NOT NULL GENERATED ALWAYS AS (
        CASE language
            WHEN 'de' THEN setweight(to_tsvector('german', title), 'A') || to_tsvector('german', body)
            ELSE setweight(to_tsvector('english', title), 'A') || to_tsvector('english', body)
        END) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, language, slug)
);
CALL protect_table('help_articles', false);

-- `week` has the spans of each day, such as 09:00-17:00, with Monday first. chat/business_hours.rs reads them.
CREATE TABLE staff_hours (
    tenant_id  uuid PRIMARY KEY REFERENCES tenants,
    time_zone  text NOT NULL CHECK (length(time_zone) BETWEEN 1 AND 64),
    week       jsonb NOT NULL CHECK (jsonb_typeof(week) = 'array' AND jsonb_array_length(week) = 7),
    closed_on  date[] NOT NULL CHECK (cardinality(closed_on) <= 366),
    updated_at timestamptz NOT NULL
);
CALL protect_table('staff_hours', false);

-- Whether a time zone exists, such as Europe/Berlin. It computes a time in the zone, because pg_timezone_names is read from 600 files.
CREATE FUNCTION is_time_zone(name text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM now() AT TIME ZONE name;
    -- POSIX rules such as `ABC3` are not accepted.
    RETURN name ~ '^[A-Za-z]+(/[A-Za-z0-9_+-]+)+$' OR name = 'UTC';
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END $$;

-- Who may do what.
GRANT SELECT ON shoppers, payment_methods, products, variants, orders, order_lines, shipments, help_articles TO countersign_reader;
GRANT SELECT, INSERT, UPDATE (external_id) ON shoppers TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON shoppers, order_lines, shipments TO countersign_executor;
GRANT SELECT ON payment_methods, products, variants, orders, order_lines, shipments TO countersign_web;
GRANT SELECT, INSERT, UPDATE ON payment_methods, products, variants, orders, help_articles TO countersign_executor;
GRANT SELECT, INSERT, UPDATE ON help_articles TO countersign_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON staff_hours TO countersign_web;
GRANT SELECT ON staff_hours TO countersign_executor;
REVOKE ALL ON FUNCTION is_time_zone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_time_zone TO countersign_web;
