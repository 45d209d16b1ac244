//! What staff say about money and parcels is said in a live session, and the audit has it, whoever calls the database.

use countersign::{identity::StaffRole::Viewer, tenancy::Scope};
use sqlx::AssertSqlSafe;

use super::*;

/// What is asked of the database as the web server's role. The answer is rolled back unless it is true.
async fn as_web(shop: &Shop, statement: &str) -> Result<bool, String> {
    let scope = Scope::tenant(shop.app.store.tenant.id);
    let mut tx = shop.app.pools.web.begin(scope).await.expect("begins");
    let done = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
        .fetch_one(&mut *tx)
        .await;
    match done {
        Ok(true) => tx.commit().await.map(|()| true).map_err(|error| error.to_string()),
        Ok(false) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// An id out of the database.
async fn id_of(shop: &Shop, query: &'static str) -> uuid::Uuid {
    sqlx::query_scalar(query)
        .fetch_one(&mut shop.app.superuser().await)
        .await
        .expect("an id")
}

#[tokio::test]
async fn the_web_role_alone_says_of_no_money_and_no_parcel_that_it_came() {
    let shop = Shop::open().await;
    let waiting = shop.approved("change_order_items", price_increase("gift-mia")).await;
    assert_eq!(waiting["state"], "awaiting_payment");
    let items = json!({ "order_number": "3003", "item_ids": ["lantern-brass"], "payment_method_id": "card-mia" });
    let parcel = shop.approved("return_items", items).await;
    let _viewer = shop.app.staff("vic@shop.example", Viewer).await;
    let _gone = shop.app.staff("gus@shop.example", Approver).await;
    let _out = shop.app.staff("out@shop.example", Approver).await;
    let _late = shop.app.staff("lea@shop.example", Approver).await;
    let _self = shop.app.staff("mia@example.com", Approver).await;
    shop.app
        .execute_sql(
            "UPDATE staff SET disabled_at = now() WHERE email = 'gus@shop.example';
            UPDATE staff_sessions SET revoked_at = now() WHERE staff_id = (SELECT id FROM staff WHERE email = 'out@shop.example');
            UPDATE staff_sessions SET expires_at = now() - interval '1 hour' WHERE staff_id = (SELECT id FROM staff WHERE email = 'lea@shop.example')",
        )
        .await;
    let kim = id_of(&shop, "SELECT id FROM staff WHERE email = 'kim@shop.example'").await;
    let task = id_of(
        &shop,
        "SELECT id FROM money_movements WHERE provider = 'staff' AND state = 'requested'",
    )
    .await;
    let proposal = parcel["id"].as_str().expect("an id");
    let says = |session: &str| {
        [
            format!("SELECT settle_by_staff('{task}', true, {session}, NULL, now())"),
            format!("SELECT settle_by_staff('{task}', false, {session}, NULL, now())"),
            format!("SELECT end_return('{proposal}', true, {session}, NULL, now())"),
            format!("SELECT end_return('{proposal}', false, {session}, NULL, now())"),
            // A time at which the session was alive.
            format!("SELECT settle_by_staff('{task}', true, {session}, NULL, now() - interval '2 hours')"),
        ]
    };
    let of = |email: &str| {
        format!(
            "(SELECT s.id FROM staff_sessions s JOIN staff m ON m.id = s.staff_id WHERE m.email = '{email}' LIMIT 1)"
        )
    };
    for session in [
        "NULL".to_owned(),
        "gen_random_uuid()".to_owned(),
        format!("'{kim}'"),
        of("vic@shop.example"),
        of("gus@shop.example"),
        of("out@shop.example"),
        of("lea@shop.example"),
        of("mia@example.com"),
    ] {
        for statement in says(&session) {
            let refused = as_web(&shop, &statement).await.expect_err(&statement);
            assert!(
                refused.contains("said_in_a_live_session")
                    || refused.contains("must say so")
                    || refused.contains("signed in"),
                "{refused}"
            );
        }
    }
    assert_eq!(shop.now(&waiting).await["state"], "awaiting_payment");
    // What is said in a session that lives is in the audit, with the session.
    let [confirm, _, receive, ..] = says(&of("kim@shop.example"));
    assert_eq!(as_web(&shop, &confirm).await, Ok(true));
    assert_eq!(as_web(&shop, &receive).await, Ok(true));
    let said = shop.app.count(
        "SELECT count(*) FROM audit a JOIN staff m ON m.id = a.actor_id JOIN staff_sessions s ON s.id::text = a.after->>'session'
        WHERE a.actor_kind = 'staff' AND m.email = 'kim@shop.example' AND s.staff_id = m.id AND a.action IN ('payment.confirm', 'return.receive')",
    );
    assert_eq!(said.await, 2);
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&waiting).await["state"], "executed");
}

#[tokio::test]
async fn what_staff_say_over_the_api_is_in_the_audit_once() {
    let shop = Shop::open().await;
    shop.approved("change_order_items", price_increase("gift-mia")).await;
    let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
    let id = tasks["payments"][0]["id"].as_str().expect("a task");
    let confirm = shop.kim.request("POST", &format!("/v1/staff/payments/{id}/confirm"));
    assert_eq!(answer(confirm).await.0, StatusCode::NO_CONTENT);
    let noted = "SELECT count(*) FROM audit WHERE action = 'payment.confirm' AND request_id IS NOT NULL";
    assert_eq!(shop.app.count(noted).await, 1);
    let mut tx = shop.app.executor_tx().await;
    let (_, broken) = countersign::tenancy::audit::verify(&mut tx).await.expect("reads");
    assert_eq!(broken, None, "the chain is whole");
}
