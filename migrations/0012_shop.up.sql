-- What the shop's platform calls an order; without it effects are the store's own books alone.
ALTER TABLE orders ADD reference text CHECK (length(reference) <= 200);
