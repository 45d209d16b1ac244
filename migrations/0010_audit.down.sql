DROP FUNCTION append_audit, audit_hash CASCADE;
DROP TABLE audit_heads, audit;
