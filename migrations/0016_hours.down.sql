DROP FUNCTION is_time_zone;
ALTER TABLE products DROP COLUMN picture;
ALTER TABLE messages DROP COLUMN citations;
DROP TABLE staff_hours;
