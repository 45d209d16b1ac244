DROP TABLE payments, shipments, order_lines, orders, variants, products, payment_methods, shoppers;
