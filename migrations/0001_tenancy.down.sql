DROP TABLE origins, store_keys, tenants;
DROP FUNCTION enforce_row_limit, app_order, app_shopper, app_tenant;
DROP PROCEDURE protect_table;
