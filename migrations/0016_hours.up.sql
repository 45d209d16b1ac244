-- When staff answers; what an answer is founded on; how a product looks.

-- `week`: Monday first, for each day the spans such as 09:00-17:00; the server reads them (chat/business_hours.rs).
CREATE TABLE staff_hours (
    tenant_id  uuid PRIMARY KEY REFERENCES tenants,
    time_zone  text NOT NULL CHECK (length(time_zone) BETWEEN 1 AND 64),
    week       jsonb NOT NULL CHECK (jsonb_typeof(week) = 'array' AND jsonb_array_length(week) = 7),
    closed_on  date[] NOT NULL CHECK (cardinality(closed_on) <= 366),
    updated_at timestamptz NOT NULL
);
CALL protect_table('staff_hours', false);
GRANT SELECT, INSERT, UPDATE, DELETE ON staff_hours TO countersign_web;

-- Whether a place has a clock, such as Europe/Berlin. Asks for its time, because the list of all (pg_timezone_names) is read from 600 files.
CREATE FUNCTION is_time_zone(name text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM now() AT TIME ZONE name;
    -- Not what the machine's owner could define as a rule of its own, such as `ABC3`.
    RETURN name ~ '^[A-Za-z]+(/[A-Za-z0-9_+-]+)+$' OR name = 'UTC';
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION is_time_zone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_time_zone TO countersign_web;

-- The help articles that a search gave in the turn: `[{"title", "slug", "language"}]`.
ALTER TABLE messages ADD citations jsonb;

-- A picture of the shop's: on a server of its own, or a path on the page that the chat is on. No row there is has one yet, so
-- that there is nothing to validate.
ALTER TABLE products ADD picture text;
ALTER TABLE products ADD CONSTRAINT products_picture_check CHECK (length(picture) <= 1000 AND picture ~ '^(https://|/[^/\\])') NOT VALID;
