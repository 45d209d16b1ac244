-- What a store holds. Money is integer minor units of the order's or tenant's currency.

CREATE TABLE shoppers (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    shopper_id  uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 120),
    email       text NOT NULL CHECK (length(email) <= 254 AND email = lower(email)),
    first_name  text NOT NULL CHECK (length(first_name) <= 120),
    last_name   text NOT NULL CHECK (length(last_name) <= 120),
    address     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, shopper_id),
    UNIQUE (tenant_id, external_id),
    UNIQUE (tenant_id, email)
);
CALL protect_table('shoppers', true);

CREATE TABLE payment_methods (
    tenant_id     uuid NOT NULL,
    shopper_id    uuid NOT NULL,
    id            uuid NOT NULL,
    external_id   text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 120),
    kind          text NOT NULL CHECK (kind IN ('credit_card', 'paypal', 'gift_card')),
    brand         text,
    last_four     text CHECK (last_four ~ '^[0-9]{4}$'),
    balance_minor bigint CHECK (balance_minor >= 0),
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

-- `version` rises with every change: a decision is bound to the version its decider saw.
CREATE TABLE orders (
    tenant_id   uuid NOT NULL,
    shopper_id  uuid NOT NULL,
    id          uuid NOT NULL,
    number      text NOT NULL CHECK (length(number) BETWEEN 1 AND 64),
    -- What it is looked up by: shops print a leading #, shoppers leave it out, and no two orders may differ by it alone.
    bare_number text NOT NULL GENERATED ALWAYS AS (ltrim(number, '#')) STORED,
    status      text NOT NULL CHECK (status IN ('pending', 'pending_items_modified', 'processed', 'delivered',
                                                'cancelled', 'return_requested', 'exchange_requested')),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    address     jsonb NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    placed_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, bare_number),
    UNIQUE (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id) REFERENCES shoppers
);
CALL protect_table('orders', true);

-- Children of an order repeat shopper_id so that row-level security needs no join; the foreign key keeps it true.
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
    PRIMARY KEY (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id)
);
CALL protect_table('order_lines', true);

CREATE TABLE shipments (
    tenant_id       uuid NOT NULL,
    shopper_id      uuid NOT NULL,
    order_id        uuid NOT NULL,
    position        integer NOT NULL CHECK (position >= 0),
    carrier         text,
    tracking_number text NOT NULL CHECK (length(tracking_number) BETWEEN 1 AND 120),
    item_ids        text[] NOT NULL,
    shipped_at      timestamptz,
    PRIMARY KEY (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id)
);
CALL protect_table('shipments', true);

-- The money ledger of an order: append-only, a correction is a new row.
CREATE TABLE payments (
    tenant_id         uuid NOT NULL,
    shopper_id        uuid NOT NULL,
    order_id          uuid NOT NULL,
    position          integer NOT NULL CHECK (position >= 0),
    kind              text NOT NULL CHECK (kind IN ('payment', 'refund')),
    amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
    payment_method_id uuid NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, shopper_id, order_id) REFERENCES orders (tenant_id, shopper_id, id),
    FOREIGN KEY (tenant_id, shopper_id, payment_method_id) REFERENCES payment_methods (tenant_id, shopper_id, id)
);
CALL protect_table('payments', true);

GRANT SELECT ON shoppers, payment_methods, products, variants, orders, order_lines, shipments, payments
    TO countersign_reader, countersign_web, countersign_executor;
GRANT INSERT ON shoppers TO countersign_web;
GRANT INSERT, UPDATE ON shoppers, payment_methods, products, variants, orders TO countersign_executor;
GRANT INSERT, UPDATE, DELETE ON order_lines, shipments TO countersign_executor;
GRANT INSERT ON payments TO countersign_executor;
