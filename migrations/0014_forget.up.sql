-- A shopper may delete a conversation of theirs; one that a proposal came out of stays, with the proposal (foreign key).
GRANT DELETE ON messages, tool_calls, turns, conversations TO countersign_web;
