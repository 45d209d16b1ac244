//! Privacy: export and erasure of a shopper's data, retention, and export of a whole store.

use chrono::{Duration, Utc};
use countersign::{
    identity::StaffRole,
    store::{erasure, privacy},
    tenancy::audit::{self, Actor},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, shopper::answer};

/// All rows of the database as one text, except for the tables in `without`.
pub async fn database_as_text(app: &TestApp, without: &[&str]) -> String {
    let mut db = app.superuser().await;
    let tables: Vec<String> = sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relname = ANY ($1)")
        .bind(without)
        .fetch_all(&mut db)
        .await
        .expect("lists");
    let mut all = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut db)
            .await
            .expect("reads");
        rows.iter().for_each(|row| all.push_str(row));
    }
    all
}

/// Erases the shopper with this address in the first store.
async fn erase(app: &TestApp, email: &str) {
    let mut tx = app.executor_tx().await;
    let shopper = privacy::find(&mut tx, email).await.expect("finds").expect("known");
    erasure::erase(&mut tx, shopper, &Actor::system(), Utc::now())
        .await
        .expect("erases");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn erasing_a_shopper_deletes_the_events_about_the_whole_address_alone() {
    let app = TestApp::start().await;
    app.execute_sql(
        r#"UPDATE shoppers SET email = 've@example.com' WHERE email = 'mia@example.com';
        INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state)
        SELECT tenant_id, gen_random_uuid(), 'store', topic || body, topic, body::jsonb, now(), now(), 'done' FROM (SELECT DISTINCT tenant_id FROM shoppers WHERE email = 've@example.com') AS t,
        (VALUES ('about', '{"e": "VE@example.com"}'), ('about', '{"e": "Ve <ve@example.com>"}'), ('about', '{"e": "line\nve@example.com."}'), ('about', '{"ve@example.com": 1}'),
        ('other', '{"e": "eve@example.com"}'), ('other', '{"e": "a+ve@example.com"}'), ('other', '{"e": "ve@example.com.au"}'), ('other', '{"e": "ve@example-com"}')) AS v (topic, body)"#,
    )
    .await;
    erase(&app, "ve@example.com").await;
    let other = "SELECT count(*) FROM incoming_webhooks WHERE topic = 'other'";
    assert_eq!(app.count(other).await, 8, "four of each store");
    let about = "SELECT count(*) FROM incoming_webhooks WHERE topic = 'about'";
    assert_eq!(app.count(about).await, 4, "the other store's alone");
}

/// Columns about a shopper that erasure keeps: states, kinds, ids of this server, money. Every other text column must be erased.
const KEPT_COLUMNS: &[&str] = &[
    "budget_ledger.kind",
    "budget_ledger.model",
    "budget_ledger.tools",
    "automatic_decisions.tool",
    "codes.purpose",
    "conversations.language",
    "coupons.code",
    "coupons.kind",
    "decisions.decider_kind",
    "decisions.verdict",
    "messages.author",
    "messages.source",
    "messages.suggestions",
    "money_movements.currency",
    "money_movements.direction",
    "money_movements.failure",
    "money_movements.payment_link",
    "money_movements.provider",
    "money_movements.reference",
    "money_movements.state",
    "notes.kind",
    "order_lines.item_id",
    "order_lines.name",
    "order_lines.options",
    "order_lines.product_id",
    "orders.bare_number",
    "orders.currency",
    "orders.folded_number",
    "orders.number",
    "orders.reference",
    "orders.status",
    "payment_methods.kind",
    "proposals.awaiting",
    "proposals.currency",
    "proposals.payout",
    "proposals.state",
    "proposals.tool",
    "returns.items",
    "returns.kind",
    "sessions.assertion_key",
    "shipments.item_ids",
    "shoppers.language",
    "tool_calls.outcome",
    "tool_calls.tool",
    "turns.status",
];

/// A new column about a shopper must be erased or listed above.
#[tokio::test]
async fn every_column_about_a_shopper_is_erased_or_listed() {
    let app = TestApp::start().await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    let refund = json!({ "order_number": "#1002", "amount": "3.00", "reason": "a reason" });
    let refused = mia.propose(&app, "request_refund", refund).await;
    kim.reject(&refused, "a reason of staff").await;
    app.model.script([Reply::text("an answer")]);
    let asked = mia
        .post("/v1/chat/send")
        .header("idempotency-key", "a-key-of-the-browser");
    assert_eq!(
        answer(asked.json(&json!({ "text": "a question" }))).await.0,
        StatusCode::OK
    );
    let columns = "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type IN ('text', 'jsonb', 'ARRAY')
            AND c.table_name IN (SELECT table_name FROM information_schema.columns WHERE column_name = 'shopper_id') ORDER BY 1";
    let mut db = app.superuser().await;
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(&mut db).await.expect("reads");
    let id: uuid::Uuid = sqlx::query_scalar("SELECT shopper_id FROM shoppers JOIN tenants USING (tenant_id) WHERE email = 'mia@example.com' AND slug = 'one'")
        .fetch_one(&mut db)
        .await
        .expect("reads");
    let unknown: Vec<_> = KEPT_COLUMNS
        .iter()
        .filter(|kept| !columns.contains(&(**kept).to_owned()))
        .collect();
    assert!(unknown.is_empty(), "there are no such columns: {unknown:?}");
    let mut before = Vec::new();
    for column in columns.iter().filter(|column| !KEPT_COLUMNS.contains(&&column[..])) {
        let (table, name) = column.split_once('.').expect("a column");
        let values = format!("SELECT DISTINCT {name}::text FROM {table} WHERE shopper_id = $1 AND {name} IS NOT NULL");
        let values: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(values))
            .bind(id)
            .fetch_all(&mut db)
            .await
            .expect("reads");
        before.push((table, name, values));
    }
    erase(&app, "mia@example.com").await;
    let mut left = Vec::new();
    for (table, name, values) in before {
        let still = format!(
            "SELECT count(*) FROM {table} WHERE shopper_id = $1 AND {name}::text = ANY ($2) AND {name}::text NOT IN ('', '{{}}', '[]')"
        );
        let still: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(still))
            .bind(id)
            .bind(&values)
            .fetch_one(&mut db)
            .await
            .expect("reads");
        if still > 0 {
            left.push(format!("{table}.{name}"));
        }
    }
    assert!(
        left.is_empty(),
        "erase these columns, or list them with the reason in mind: {left:?}"
    );
}

#[tokio::test]
async fn a_shopper_gets_everything_and_is_erased_but_for_the_money() {
    let app = TestApp::start().await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    let refund = mia
        .propose(
            &app,
            "request_refund",
            json!({ "order_number": "#1002", "amount": "3.00", "reason": "SECRET-REASON" }),
        )
        .await;
    kim.approve(&refund).await;
    assert_eq!(mia.wait_until_ended(&refund).await["state"], "executed");
    let address =
        json!({ "address1": "77 SECRET-STREET", "address2": "", "city": "X", "state": "", "zip": "1", "country": "X" });
    mia.propose(&app, "change_profile_address", json!({ "address": address }))
        .await;
    app.model.script([Reply::text("SECRET-ANSWER")]);
    mia.ask("SECRET-QUESTION").await;

    let (status, export) = mia.read("/v1/export").await;
    assert_eq!(status, StatusCode::OK);
    let text = export.to_string();
    for kept in [
        "mia@example.com",
        "SECRET-REASON",
        "SECRET-STREET",
        "SECRET-ANSWER",
        "SECRET-QUESTION",
        "#1002",
        "127.0.0.1",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(
        !text.contains("noah") && !text.contains("argon2") && !text.contains("token"),
        "{text}"
    );
    let guest = app.guest().await;
    assert_eq!(guest.read("/v1/export").await.0, StatusCode::FORBIDDEN);

    let paid = app.count("SELECT sum(amount_minor)::bigint FROM order_payments").await;
    erase(&app, "mia@example.com").await;
    assert_eq!(mia.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    // Rows of the other store are left out, because it has a Mia too.
    let other = app.other_store.tenant.id.to_string();
    // `staff_sessions` is left out, because addresses of staff are not the shopper's data.
    let mut left = database_as_text(&app, &["staff_sessions"]).await;
    left = left.split('(').filter(|row| !row.contains(&other)).collect();
    for gone in [
        "SECRET-REASON",
        "SECRET-STREET",
        "SECRET-ANSWER",
        "SECRET-QUESTION",
        "mia@example.com",
        "card-mia",
    ] {
        assert!(!left.contains(gone), "{gone} is still there");
    }
    let places = "SELECT count(*) FROM sessions JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id LIKE 'erased-%' AND sessions.address IS NOT NULL";
    assert_eq!(app.count(places).await, 0);
    assert_eq!(
        app.count("SELECT sum(amount_minor)::bigint FROM order_payments").await,
        paid,
        "the books stay"
    );
    let mut tx = app.executor_tx().await;
    assert_eq!(
        audit::verify(&mut tx).await.expect("verifies").1,
        None,
        "and so does the audit"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action IN ('shopper.export', 'shopper.erase')")
            .await,
        2
    );
    let log_in = app.with_store_key(
        "/v1/sessions",
        json!({ "email": "mia@example.com", "password": crate::support::PASSWORD }),
    );
    assert_eq!(answer(log_in).await.0, StatusCode::UNAUTHORIZED);
    let noah = app.shopper("noah").await;
    assert_eq!(
        noah.read("/v1/orders/2001").await.0,
        StatusCode::OK,
        "nobody else is touched"
    );
}

#[tokio::test]
async fn words_of_old_conversations_are_blanked_and_those_of_others_are_not() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let boss = app.staff("boss@shop.example", StaffRole::Admin).await;
    boss.set_policy("add_crm_note", json!({ "mode": "automatic" })).await;
    // The words stand in the message, the call, the request's plan and the note.
    app.model.script([
        Reply::call("add_crm_note", json!({ "text": "OLD-ILLNESS" })),
        Reply::text("OLD-ANSWER"),
        Reply::text("NEW-ANSWER"),
    ]);
    mia.ask("OLD-QUESTION").await;
    app.wait_for_count("SELECT count(*) FROM notes WHERE body = 'OLD-ILLNESS'", 1)
        .await;
    sqlx::raw_sql("UPDATE conversations SET updated_at = now() - interval '400 days'")
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    mia.ask("NEW-QUESTION").await;
    assert_eq!(
        privacy::retain(&app.pools.executor, Duration::days(365), Utc::now())
            .await
            .expect("blanks"),
        1
    );
    assert_eq!(
        privacy::retain(&app.pools.executor, Duration::days(365), Utc::now())
            .await
            .expect("blanks"),
        0
    );
    let left = database_as_text(&app, &[]).await;
    assert!(!left.contains("OLD-") && left.contains("NEW-QUESTION") && left.contains("NEW-ANSWER"));
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'conversations.blank'")
            .await,
        1
    );
}

#[tokio::test]
async fn what_is_exported_is_what_an_import_takes() {
    let app = TestApp::offline().await;
    sqlx::raw_sql("UPDATE money_movements SET reference = 'pi_' || position")
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    let export = async |store: &countersign::tenancy::Tenant| {
        let mut out = Vec::new();
        countersign::cli::export::write(&app.pools.executor, store, &mut out)
            .await
            .expect("writes");
        String::from_utf8(out).expect("text")
    };
    let first = export(&app.store.tenant).await;
    let (third, _) = countersign::tenancy::create(&app.pools.executor, "three", "Three", app.store.tenant.currency)
        .await
        .expect("founded");
    let lines = first.lines().map(|line| Ok(line.to_owned()));
    let report = countersign::cli::import::from_lines(&app.pools.executor, &third, lines)
        .await
        .expect("imports");
    assert_eq!(report.rejected, []);
    let sorted = |text: &str| {
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        lines.sort_by_key(Value::to_string);
        lines
    };
    assert_eq!(sorted(&first), sorted(&export(&third).await));
    assert!(first.lines().count() > 5);
}

#[tokio::test]
async fn a_tail_that_was_cut_off_the_audit_shows_against_a_head_kept_elsewhere() {
    let app = TestApp::offline().await;
    app.staff("kim@shop.example", countersign::identity::StaffRole::Admin)
        .await
        .set_policy("hand_off", json!({ "mode": "staff" }))
        .await;
    let now = app.clock.now();
    for _ in 0..2 {
        countersign::audit_heads::publish(&app.pools.executor, now)
            .await
            .expect("runs");
    }
    assert_eq!(
        app.count("SELECT count(*) FROM audit_heads").await,
        1,
        "once a day, and only where something was done"
    );
    let mut tx = app.executor_tx().await;
    let head = countersign::tenancy::audit::head(&mut tx)
        .await
        .expect("reads")
        .expect("a head");
    let read = head.to_string().parse::<countersign::tenancy::audit::Head>();
    assert_eq!(read.as_ref(), Ok(&head), "what is printed is read again");
    assert!(countersign::tenancy::audit::holds(&mut tx, &head).await.expect("reads"));
    drop(tx);
    app.execute_sql("DELETE FROM audit a USING (SELECT tenant_id, max(seq) AS last FROM audit GROUP BY tenant_id) l WHERE a.tenant_id = l.tenant_id AND a.seq = l.last").await;
    let mut tx = app.executor_tx().await;
    assert_eq!(
        countersign::tenancy::audit::verify(&mut tx).await.expect("reads").1,
        None,
        "what is left is whole"
    );
    assert!(!countersign::tenancy::audit::holds(&mut tx, &head).await.expect("reads"));
    for bad in ["", "1", "x:00", "1:zz"] {
        assert!(bad.parse::<countersign::tenancy::audit::Head>().is_err(), "{bad}");
    }
}
