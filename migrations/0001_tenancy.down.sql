DROP TABLE origins, store_keys, tenants;
DROP FUNCTION keep_few, app_order, app_shopper, app_tenant;
DROP PROCEDURE protect_table;
