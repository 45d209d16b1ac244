-- A function that metrics read.

-- Backlogs and budgets of all stores as counts, ages and shares, without anybody's data. It runs as its caller and reads each store under
-- that store's own scope.
CREATE FUNCTION backlog(day text, month text, day_cap bigint, month_cap bigint, at timestamptz)
    RETURNS TABLE (what text, kind text, waiting bigint, oldest_seconds double precision, share double precision) LANGUAGE plpgsql AS $$
DECLARE
    store uuid;
BEGIN
    FOR store IN SELECT t.tenant_id FROM tenants t LOOP
        PERFORM set_config('app.tenant_id', store::text, true);
        RETURN QUERY
            SELECT 'approvals', p.awaiting, count(*), coalesce(extract(epoch FROM at - min(p.created_at)), 0)::double precision, 0::double precision
                FROM proposals p WHERE p.state = 'pending' GROUP BY p.awaiting
            UNION ALL
            SELECT 'executions', p.state, count(*), coalesce(extract(epoch FROM at - min(p.updated_at)), 0)::double precision, 0
                FROM proposals p WHERE p.state IN ('approved', 'executing') GROUP BY p.state
            UNION ALL
            SELECT 'outbox_' || o.state, o.channel, count(*), coalesce(extract(epoch FROM at - min(o.created_at)), 0)::double precision, 0
                FROM outbox o WHERE o.state IN ('queued', 'dead') GROUP BY o.state, o.channel
            UNION ALL
            SELECT 'incoming', i.source, count(*), coalesce(extract(epoch FROM at - min(i.received_at)), 0)::double precision, 0
                FROM incoming_webhooks i WHERE i.state = 'queued' GROUP BY i.source
            UNION ALL
            SELECT 'budget', s.scope, 0, 0, (s.spent_micros + s.reserved_micros)::double precision / greatest(1,
                    CASE s.scope WHEN 'store_day' THEN coalesce(b.store_day_micros, day_cap) ELSE coalesce(b.store_month_micros, month_cap) END)
                FROM spend s LEFT JOIN budgets b USING (tenant_id)
                WHERE (s.scope, s.key) IN (('store_day', day), ('store_month', month));
    END LOOP;
END $$;
