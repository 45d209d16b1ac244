-- The days on which the head of a store's audit chain was sent to where this server cannot change it.
CREATE TABLE audit_heads (
    tenant_id uuid NOT NULL REFERENCES tenants,
    day       date NOT NULL,
    head      text NOT NULL CHECK (length(head) <= 100),
    PRIMARY KEY (tenant_id, day)
);
CALL protect_table('audit_heads', false);
GRANT SELECT, INSERT ON audit_heads TO countersign_executor;
