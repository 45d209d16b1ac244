DROP FUNCTION is_time_zone CASCADE;
DROP TABLE staff_hours, help_articles, shipments, order_lines, orders, variants, products, payment_methods, shoppers;
DROP EXTENSION pg_trgm;
