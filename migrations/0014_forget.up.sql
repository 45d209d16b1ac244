-- A shopper may delete a conversation of theirs; one that a proposal came out of stays, with the proposal (foreign key).
GRANT DELETE ON messages, tool_calls, turns, conversations TO countersign_web;
-- By the hand of that shopper alone: a transaction that is not bound to one deletes nothing.
DO $$
DECLARE tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['messages', 'tool_calls', 'turns', 'conversations'] LOOP
        EXECUTE format('CREATE POLICY own_alone ON %I AS RESTRICTIVE FOR DELETE TO countersign_web USING (shopper_id = app_shopper())', tbl);
    END LOOP;
END $$;
