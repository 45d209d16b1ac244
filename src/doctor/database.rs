//! The doctor's checks of the database: roles, row-level security, privileges, the clock, and what each store's staff have set up.

use chrono::Utc;

use super::{
    Finding,
    Level::{self, Amber, Red},
    or_all_well, shops,
};
use crate::tenancy::{self, Executor, Pool, Pools, Role, Scope, audit};

/// Checks that the database roles can sign in and cannot bypass row-level security, then checks the schema.
pub(super) async fn roles_and_schema(pools: &Pools) -> Vec<Finding> {
    let mut found = Vec::new();
    for (role, reached, bypasses_rls) in [
        (
            tenancy::Reader::NAME,
            pools.reader.is_reachable().await,
            pools.reader.can_bypass_row_security().await,
        ),
        (
            tenancy::Web::NAME,
            pools.web.is_reachable().await,
            pools.web.can_bypass_row_security().await,
        ),
        (
            Executor::NAME,
            pools.executor.is_reachable().await,
            pools.executor.can_bypass_row_security().await,
        ),
    ] {
        if !reached {
            let mend = format!(
                "{role} cannot sign in to the database: is it up, was `countersign migrate` run with this password?"
            );
            found.push(Finding::new("database", Red, "role_refused", mend));
        } else if matches!(bypasses_rls, Ok(true)) {
            let mend = format!("{role} can bypass row-level security: take SUPERUSER and BYPASSRLS from it");
            found.push(Finding::new("database", Red, "role_powerful", mend));
        }
    }
    if found.is_empty() {
        found.extend(schema(pools).await.unwrap_or_else(|error| {
            let text = format!("the catalogue cannot be read: {}", crate::telemetry::cause(&error));
            vec![Finding::new("database", Red, "catalogue_unreadable", text)]
        }));
    }
    or_all_well(
        found,
        "database",
        "database_sound",
        "the three roles can sign in, none can bypass row-level security, and every table enforces it",
    )
}

async fn schema(pools: &Pools) -> Result<Vec<Finding>, sqlx::Error> {
    let mut found = Vec::new();
    if !pools.web.has_schema().await {
        let mend = "the schema is older than this release; run `countersign migrate`";
        found.push(Finding::new("database", Red, "schema_old", mend));
    }
    // These queries are not checked at compile time, because they read the catalogue.
    let open: Vec<String> = names(
        &pools.executor,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname <> '_sqlx_migrations' AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1",
    )
    .await?;
    if !open.is_empty() {
        let mend = format!(
            "row-level security is off or not forced on {}; run `countersign migrate` on a fresh database and compare",
            open.join(", ")
        );
        found.push(Finding::new("database", Red, "rls_off", mend));
    }
    for (role, condition, code) in [
        ("countersign_reader", "true", "reader_writes"),
        (
            "countersign_web",
            "relname IN ('orders', 'order_lines', 'money_movements', 'order_balances', 'payment_methods', 'products', 'variants')",
            "web_writes",
        ),
        (
            "countersign_executor",
            "relname IN ('audit', 'decisions', 'budget_ledger')",
            "history_changes",
        ),
    ] {
        let kinds = if code == "history_changes" {
            "UPDATE,DELETE,TRUNCATE"
        } else {
            "INSERT,UPDATE,DELETE,TRUNCATE"
        };
        let query = format!(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND {condition}
                AND has_table_privilege('{role}', oid, '{kinds}') ORDER BY 1"
        );
        let may = names(&pools.executor, &query).await?;
        if !may.is_empty() {
            let mend = format!("{role} may change {}; REVOKE {kinds} ON them", may.join(", "));
            found.push(Finding::new("database", Red, code, mend));
        }
    }
    let now: Vec<chrono::DateTime<Utc>> = pools
        .executor
        .unscoped(|pool| async move { sqlx::query_scalar("SELECT clock_timestamp()").fetch_all(&pool).await })
        .await?;
    let skew = now
        .first()
        .map_or(0, |now| (*now - crate::clock::now()).num_seconds().abs());
    if skew > 5 {
        let level = if skew > 30 { Red } else { Amber };
        found.push(Finding::new(
            "clock",
            level,
            "clock_skew",
            format!("this machine and the database's are {skew} s apart; run NTP on both"),
        ));
    }
    Ok(found)
}

async fn names(executor: &Pool<Executor>, query: &str) -> Result<Vec<String>, sqlx::Error> {
    let run = |pool: sqlx::PgPool| {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        async move { sqlx::query_scalar(query).fetch_all(&pool).await }
    };
    executor.unscoped(run).await
}

/// Checks what each store's staff have set up, and what waits for them.
pub(super) async fn stores(pools: &Pools) -> Result<Vec<Finding>, sqlx::Error> {
    let mut found = Vec::new();
    let stores = tenancy::list(&pools.executor).await?;
    for store in &stores {
        let mut tx = pools.executor.begin(Scope::tenant(store.id)).await?;
        let mut note = |level: Level, code, text: String| {
            found.push(Finding::new("stores", level, code, format!("{}: {text}", store.slug)));
        };
        let seen = sqlx::query!(
            r#"SELECT
                (SELECT count(*) FROM staff WHERE role = 'admin' AND disabled_at IS NULL) AS "admins!",
                (SELECT count(*) FROM staff WHERE role IN ('admin', 'approver') AND disabled_at IS NULL AND totp_confirmed_at IS NULL) AS "half!",
                (SELECT count(*) FROM budgets) AS "budgets!",
                (SELECT count(*) FROM origins) AS "origins!",
                (SELECT count(*) FROM outbox WHERE state = 'dead') AS "dead!",
                (SELECT count(*) FROM proposals WHERE state = 'pending' AND awaiting = 'staff' AND created_at < now() - interval '4 hours') AS "forgotten!",
                (SELECT count(*) FROM proposals WHERE state IN ('approved', 'executing') AND updated_at < now() - interval '5 minutes') AS "stuck!",
                (SELECT demo_payments FROM tenants WHERE tenant_id = app_tenant()) AS "demo_payments!",
                (SELECT count(*) FROM money_movements WHERE provider = 'staff' AND state = 'requested' AND created_at < now() - interval '4 hours') AS "unpaid!",
                (SELECT coalesce(string_agg(tool, ', ' ORDER BY tool), '') FROM policies WHERE mode = 'automatic' AND automatic_below_minor > 10000) AS "generous!""#
        )
        .fetch_one(&mut *tx)
        .await?;
        if seen.admins == 0 {
            note(
                Red,
                "admin_missing",
                "nobody can administer it; `countersign staff add --role admin`".into(),
            );
        }
        if seen.half > 0 {
            note(
                Amber,
                "second_factor_missing",
                format!(
                    "approvers and admins without a second factor: {}; they cannot decide until they set one up, at their next sign-in",
                    seen.half
                ),
            );
        }
        if seen.budgets == 0 {
            note(
                Amber,
                "budget_unset",
                "its budget is the default; set one in the console, *Rules and limits*, or by PUT /v1/staff/budget"
                    .into(),
            );
        }
        if seen.origins == 0 {
            note(
                Amber,
                "origin_unset",
                "no page may call from a browser; `countersign tenant allow-origin`".into(),
            );
        }
        if seen.dead > 0 {
            note(
                Amber,
                "delivery_dead",
                format!(
                    "deliveries that were given up: {}; console, *Deliveries*: send them again or drop them",
                    seen.dead
                ),
            );
        }
        if seen.forgotten > 0 {
            note(
                Amber,
                "approval_forgotten",
                format!(
                    "proposals that have waited four hours for staff: {}; console, *Approvals*",
                    seen.forgotten
                ),
            );
        }
        if seen.demo_payments {
            note(
                Red,
                "demo_payments",
                "the demo's payment provider confirms its payments and moves no real money; use another store to go live".into(),
            );
        }
        if seen.unpaid > 0 {
            note(
                Amber,
                "payment_forgotten",
                format!(
                    "payments that have waited four hours for staff: {}; console, *Payments*",
                    seen.unpaid
                ),
            );
        }
        if seen.stuck > 0 {
            note(
                Red,
                "execution_stuck",
                format!(
                    "approved proposals that are not carried out: {}; is a worker running?",
                    seen.stuck
                ),
            );
        }
        if !seen.generous.is_empty() {
            note(
                Amber,
                "policy_generous",
                format!(
                    "{} run without a decision for amounts above 100.00; check that you want that in the console, *Rules and limits*",
                    seen.generous
                ),
            );
        }
        if let (_, Some(entry)) = audit::verify(&mut tx).await? {
            note(
                Red,
                "audit_broken",
                format!("its audit was changed at entry {entry}; keep the database as it is and find out who"),
            );
        }
        found.extend(shops::examine(&mut tx, &store.slug).await?);
    }
    if stores.is_empty() {
        found.push(Finding::new(
            "stores",
            Amber,
            "store_missing",
            "there is no store; `countersign tenant create`",
        ));
    }
    Ok(or_all_well(
        found,
        "stores",
        "stores_set_up",
        "every store has admins, a budget and origins, and its audit chain is unbroken",
    ))
}
