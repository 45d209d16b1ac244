DROP PROCEDURE protect_table;
DROP FUNCTION app_shopper();
DROP FUNCTION app_tenant();
