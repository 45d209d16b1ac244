REVOKE INSERT, DELETE ON origins FROM countersign_web;
DROP POLICY own_added ON origins;
DROP POLICY own_removed ON origins;
ALTER TABLE conversations DROP COLUMN waiting_since, DROP COLUMN held_by;
DROP TABLE help_articles;
DROP EXTENSION pg_trgm;
