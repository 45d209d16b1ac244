DROP POLICY owner ON origins;
DROP FUNCTION set_origin, set_store_model, set_budget, record_spend, reserve_spend, settle_spend, spend_scopes CASCADE;
DROP TABLE model_outages, budget_ledger, reservations, spend, store_models, budgets;
