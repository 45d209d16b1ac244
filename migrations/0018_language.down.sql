ALTER TABLE conversations DROP COLUMN language;
