DROP TABLE store_keys;
DROP TABLE tenants;
