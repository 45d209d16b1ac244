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

use super::privacy::everything;
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
        app.hurry().await;
        let jobs = "SELECT count(*) FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE t.identifier = 'execute_proposal'";
        app.becomes(jobs, 0).await;
        let left = everything(&app, &[]).await;
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
    app.becomes("SELECT count(*) FROM proposals WHERE state = 'stale'", 1)
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
