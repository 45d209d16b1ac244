//! An erasure beside everything that goes on for the shopper: whichever comes first, nothing of the shopper stays.

use std::time::Duration;

use chrono::Utc;
use countersign::{
    identity::StaffRole,
    store::{erasure, privacy},
    tenancy::audit::Actor,
};
use reqwest::StatusCode;
use serde_json::json;

use super::privacy::database_as_text;
use crate::support::{Reply, TestApp, shopper::answer};

/// Tables with a `shopper_id` in which nothing of a person is stored: numbers, what the store's own systems tell, and money on its way.
const OPEN_TO_ALL: [&str; 10] = [
    "automatic_decisions",
    "budget_ledger",
    "money_movements",
    "open_proposals",
    "order_balances",
    "order_lines",
    "orders",
    "payment_methods",
    "reservations",
    "shipments",
];

pub async fn erase(app: &TestApp, email_or_id: &str) {
    let mut tx = app.executor_tx().await;
    let found = privacy::find(&mut tx, email_or_id).await.expect("finds");
    let id = found.expect("known");
    erasure::erase(&mut tx, id, &Actor::system(), Utc::now())
        .await
        .expect("erases");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn every_table_of_shoppers_refuses_rows_of_who_was_erased_or_is_listed() {
    let app = TestApp::offline().await;
    let unguarded: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'shopper_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'shoppers'
            AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'refuse_erased') ORDER BY 1",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("reads");
    assert_eq!(unguarded, OPEN_TO_ALL);
}

#[tokio::test]
async fn an_erasure_while_a_turn_runs_leaves_nothing_of_the_turn() {
    let app = TestApp::start().await;
    let boss = app.staff("boss@shop.example", StaffRole::Admin).await;
    boss.set_policy("add_crm_note", json!({ "mode": "automatic" })).await;
    // The erasure comes while the model is asked first, and while it is asked again.
    for (shopper, pauses) in [("mia", [1500, 0]), ("noah", [0, 1500])] {
        let session = app.shopper(shopper).await;
        let after = |pause: u64, reply: Reply| Reply::After(Duration::from_millis(pause), Box::new(reply));
        app.model.script([
            after(pauses[0], Reply::call("add_crm_note", json!({ "text": "SECRET-NOTE" }))),
            after(pauses[1], Reply::text("SECRET-ANSWER")),
        ]);
        let asked = app.model.requests().len();
        let turn = tokio::spawn(async move {
            let sent = session
                .post("/v1/chat/send")
                .json(&json!({ "text": "SECRET-QUESTION" }));
            answer(sent).await
        });
        let due = asked + if pauses[0] > 0 { 1 } else { 2 };
        while app.model.requests().len() < due {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        erase(&app, &format!("{shopper}@example.com")).await;
        turn.await.expect("runs");
        app.make_jobs_due().await;
        let jobs = "SELECT count(*) FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE t.identifier = 'execute_proposal'";
        app.wait_for_count(jobs, 0).await;
        let left = database_as_text(&app, &[]).await;
        assert!(!left.contains("SECRET-"), "{shopper}: {left}");
        let running = "SELECT count(*) FROM turns WHERE status = 'running'";
        assert_eq!(app.count(running).await, 0, "{shopper}");
        app.model.forget_script();
    }
}

#[tokio::test]
async fn what_was_approved_or_waits_of_who_was_erased_is_not_carried_out() {
    let app = TestApp::without_worker().await;
    let mia = app.shopper("mia").await;
    let kim = app.staff("kim@shop.example", StaffRole::Approver).await;
    let refund = |amount: &str| json!({ "order_number": "#1002", "amount": amount, "reason": "a reason" });
    let approved = mia.propose(&app, "request_refund", refund("3.00")).await;
    let waits = mia.propose(&app, "request_refund", refund("4.00")).await;
    assert_eq!(kim.approve(&approved).await.0, StatusCode::OK);
    erase(&app, "mia@example.com").await;
    assert_eq!(kim.approve(&waits).await.0, StatusCode::CONFLICT);
    let (_replica, _stop) = app.replica_with(|settings| settings.run_worker = true).await;
    app.wait_for_count("SELECT count(*) FROM proposals WHERE state = 'stale'", 1)
        .await;
    assert_eq!(
        app.count("SELECT count(*) FROM proposals WHERE state = 'expired'")
            .await,
        1
    );
    assert_eq!(
        app.count("SELECT count(*) FROM money_movements WHERE direction = 'out' AND proposal_id IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn an_erasure_finds_a_person_by_every_address_and_every_id() {
    let app = TestApp::offline().await;
    app.execute_sql(
        r##"UPDATE shoppers SET external_id = 'zoe-at-the-store' WHERE email = 'mia@example.com';
        UPDATE shoppers SET email = 'first@example.com' WHERE external_id = 'zoe-at-the-store';
        UPDATE shoppers SET email = 'second@example.com' WHERE external_id = 'zoe-at-the-store';
        UPDATE orders SET reference = 'gid://shopify/Order/4455667788' WHERE number = '#1001';
        INSERT INTO record_versions (tenant_id, kind, external_id, version) SELECT tenant_id, 'shopper', 'zoe-at-the-store', 1 FROM tenants;
        INSERT INTO outbox (tenant_id, id, kind, idempotency_key, payload, created_at, state, last_error)
            SELECT tenant_id, gen_random_uuid(), 'code', gen_random_uuid(), '{}', now(), 'dead', '550 no such user SECRET <first@example.com>' FROM tenants;
        INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state)
        SELECT tenant_id, gen_random_uuid(), source, topic || body, topic, body::jsonb, now(), now(), 'done' FROM tenants,
        (VALUES ('store', 'order.upserted', '{"version": 1, "data": {"number": "#Z1", "shopper": "zoe-at-the-store", "address": "SECRET-STREET"}}'),
            ('store', 'order.upserted', '{"version": 1, "data": {"number": "1001", "shopper": "?", "address": "SECRET-STREET"}}'),
            ('shopify', 'orders/paid', '{"id": 4455667788, "shipping": "SECRET-STREET"}'),
            ('mail', 'bounced', '{"to": "Mia SECRET <mia@example.com>"}'), ('mail', 'bounced', '{"to": "SECRET first@example.com"}'),
            ('store', 'order.upserted', '{"version": 1, "data": {"number": "#9", "shopper": "noah", "address": "KEPT"}}')) AS v (source, topic, body)"##,
    )
    .await;
    let ask = app.with_store_key("/v1/sessions/code-requests", json!({ "email": "second@example.com" }));
    assert_eq!(answer(ask).await.0, StatusCode::ACCEPTED);
    let guest = app.guest().await;
    let prove = guest.post("/v1/order-proofs");
    let prove = prove.json(&json!({ "order_number": "#1001", "email": "second@example.com" }));
    assert_eq!(answer(prove).await.0, StatusCode::ACCEPTED);
    app.mailbox.newest_to("second@example.com", 2).await;
    erase(&app, "second@example.com").await;
    let other = app.other_store.tenant.id.to_string();
    let left = database_as_text(&app, &[]).await;
    let left: String = left.split('(').filter(|row| !row.contains(&other)).collect();
    for gone in [
        "SECRET",
        "zoe-at-the-store",
        "mia@example.com",
        "first@example.com",
        "second@example.com",
    ] {
        assert!(!left.contains(gone), "{gone}");
    }
    assert!(left.contains("KEPT"), "the event of another shopper stays");
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks").await,
        7,
        "the other store keeps its events"
    );
}

#[tokio::test]
async fn an_erasure_finds_what_a_guest_looked_up_with_a_proved_order() {
    let app = TestApp::start().await;
    let guest = app.guest().await;
    let ask = guest.post("/v1/order-proofs");
    let ask = ask.json(&json!({ "order_number": "#1001", "email": "mia@example.com" }));
    assert_eq!(answer(ask).await.0, StatusCode::ACCEPTED);
    let code = app.mailbox.newest_to("mia@example.com", 1).await.code();
    let verify = guest.post("/v1/order-proofs/verify");
    let (status, proved) = answer(verify.json(&json!({ "email": "mia@example.com", "code": code }))).await;
    assert_eq!(status, StatusCode::CREATED, "{proved}");
    let guest = guest.with(proved["token"].as_str().expect("a token"));
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "#1001" })),
        Reply::text("It goes to SECRET-STREET."),
    ]);
    guest.ask("Where does #1001 go?").await;
    let stranger = app.guest().await;
    app.model.script([Reply::text("KEPT-ANSWER")]);
    stranger.ask("KEPT-QUESTION").await;
    // The session is long gone when the owner asks to be forgotten.
    app.execute_sql("DELETE FROM sessions").await;
    erase(&app, "mia@example.com").await;
    let left = database_as_text(&app, &[]).await;
    for gone in ["SECRET-STREET", "Where does #1001 go?"] {
        assert!(!left.contains(gone), "{gone}");
    }
    assert!(left.contains("KEPT-ANSWER") && left.contains("KEPT-QUESTION"));
}
