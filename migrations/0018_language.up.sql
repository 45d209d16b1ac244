-- The language that a conversation is held in: what its shopper's browser asked for last, else the shopper's, else the store's.
-- Constant defaults rewrite no table; rows there are have no other value, so that there is nothing to validate.
ALTER TABLE conversations ADD language text NOT NULL DEFAULT 'en';
ALTER TABLE conversations ADD CONSTRAINT conversations_language_check CHECK (language IN ('en', 'de')) NOT VALID;
GRANT UPDATE (language) ON conversations TO countersign_web;
