-- People answer too: articles that staff write for the assistant to quote, and conversations that a person takes over.

-- A trusted extension: whoever may create in the database may create it. For words with a letter wrong.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE help_articles (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    slug       text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,119}$'),
    language   text NOT NULL CHECK (language IN ('en', 'de')),
    title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body       text NOT NULL CHECK (length(body) BETWEEN 1 AND 20000),
    published  boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    words      tsvector NOT NULL GENERATED ALWAYS AS (
        CASE language
            WHEN 'de' THEN setweight(to_tsvector('german', title), 'A') || to_tsvector('german', body)
            ELSE setweight(to_tsvector('english', title), 'A') || to_tsvector('english', body)
        END) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, language, slug)
);
CALL protect_table('help_articles', false);
GRANT SELECT ON help_articles TO countersign_reader;
GRANT SELECT, INSERT, UPDATE ON help_articles TO countersign_web, countersign_executor;

-- `waiting_since`: a person was asked for. `held_by`: the member of staff who answers instead of the assistant.
ALTER TABLE conversations ADD waiting_since timestamptz, ADD held_by uuid;
ALTER TABLE conversations ADD CONSTRAINT conversations_held_by_fkey FOREIGN KEY (tenant_id, held_by) REFERENCES staff NOT VALID;
GRANT UPDATE (waiting_since, held_by) ON conversations TO countersign_web;
GRANT UPDATE (waiting_since) ON conversations TO countersign_executor;

-- Admins name the pages that may call. The table's own policy lets web read every store's (a preflight names none): writing is
-- for the bound one alone.
CREATE POLICY own_added ON origins AS RESTRICTIVE FOR INSERT TO countersign_web WITH CHECK (tenant_id = app_tenant());
CREATE POLICY own_removed ON origins AS RESTRICTIVE FOR DELETE TO countersign_web USING (tenant_id = app_tenant());
GRANT INSERT, DELETE ON origins TO countersign_web;
