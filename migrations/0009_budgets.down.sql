DROP FUNCTION record_spend, reserve_spend, settle_spend, spend_scopes CASCADE;
DROP TABLE model_outages, budget_ledger, reservations, spend, store_models, budgets;
