DROP FUNCTION settle_spend, reserve_spend, spend_scopes;
DROP TABLE budget_ledger, reservations, spend, budgets;
