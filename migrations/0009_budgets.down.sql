DROP FUNCTION book_spend, hold_spend, settle_spend, spend_scopes CASCADE;
DROP TABLE budget_ledger, reservations, spend, store_models, budgets;
