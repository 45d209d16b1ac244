REVOKE SELECT ON budgets FROM countersign_executor;
DROP FUNCTION backlog;
