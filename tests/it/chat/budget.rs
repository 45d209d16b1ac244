//! Model spend: the caps hold under concurrency, and the sums agree (L4).

use std::time::Duration;

use chrono::Utc;
use countersign::{identity::StaffRole, model::budget};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, shopper::answer};

async fn set_caps(app: &TestApp, caps: Value) {
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let (status, body) = answer(admin.request("PUT", "/v1/staff/budget").json(&caps)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

fn caps(conversation: i64, shopper_day: i64, store_day: i64, store_month: i64) -> Value {
    json!({ "conversation_micros": conversation, "shopper_day_micros": shopper_day, "store_day_micros": store_day, "store_month_micros": store_month })
}

const UNBALANCED_SPEND: &str = "SELECT count(*) FROM spend s WHERE reserved_micros <> 0
    OR (scope = 'store_day' AND spent_micros <> (SELECT sum(spent_micros) FROM budget_ledger l WHERE l.tenant_id = s.tenant_id))";

#[tokio::test]
async fn sixty_four_sends_at_once_on_two_replicas_never_pass_the_cap_by_a_millionth() {
    let app = TestApp::start().await;
    let (other, _stop) = app.replica().await;
    let mia = app.shopper("mia").await;
    // One call, to learn what it costs and what it reserves.
    app.model.script([Reply::text("Hello.")]);
    mia.ask("hello").await;
    let cost = app
        .count("SELECT spent_micros FROM spend WHERE scope = 'store_day'")
        .await;
    let held = app.count("SELECT reserved_micros FROM budget_ledger LIMIT 1").await;
    assert!(0 < cost && cost <= held, "{cost} of {held}");
    // The cap allows about twenty concurrent calls, and is no multiple of one call's reservation.
    let cap = cost + held * 20 + held / 2;
    set_caps(&app, caps(1_000_000_000, 1_000_000_000, cap, 1_000_000_000)).await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watching = {
        let (mut database, done) = (app.superuser().await, done.clone());
        tokio::spawn(async move {
            let mut most = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let total: i64 =
                    sqlx::query_scalar("SELECT spent_micros + reserved_micros FROM spend WHERE scope = 'store_day'")
                        .fetch_one(&mut database)
                        .await
                        .expect("reads");
                most = most.max(total);
            }
            most
        })
    };
    app.model.respond(|_| Reply::text("Hello."));
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..64 {
        let shopper = if n % 2 == 0 { mia.clone() } else { mia.at(&other) };
        sends.spawn(async move {
            shopper.ask("hello").await["message"]["source"]
                .as_str()
                .expect("a source")
                .to_owned()
        });
    }
    let sources = sends.join_all().await;
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let most = watching.await.expect("watches");
    let answered = sources.iter().filter(|source| *source == "model").count();
    let by_rules = sources.iter().filter(|source| *source == "offline").count();
    println!(
        "64 sends on two replicas: {answered} by the model, {by_rules} by rules; at most {most} of {cap} millionths held or spent"
    );
    assert_eq!(answered + by_rules, 64, "{sources:?}");
    assert!(most <= cap, "{most} of {cap}");
    assert!(answered > 0 && by_rules > 0, "{sources:?}");
    assert_eq!(
        app.count(UNBALANCED_SPEND).await,
        0,
        "nothing is held any more and the ledger adds up"
    );
}

#[tokio::test]
async fn each_cap_holds_and_the_shopper_is_told_the_truth_and_can_reach_a_person() {
    let app = TestApp::start().await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model.respond(|_| Reply::text("Hello."));
    mia.ask("hello").await;
    let held = app.count("SELECT reserved_micros FROM budget_ledger LIMIT 1").await;
    let enough = 1_000_000_000;
    for (name, tight) in [
        ("conversation", caps(held / 2, enough, enough, enough)),
        ("shopper day", caps(enough, held / 2, enough, enough)),
        ("store day", caps(enough, enough, held / 2, enough)),
        ("tenant month", caps(enough, enough, enough, held / 2)),
    ] {
        set_caps(&app, tight).await;
        let answered = mia.ask("Where is my order #1001?").await;
        assert_eq!(answered["message"]["source"], "offline", "{name}: {answered}");
        let text = answered["message"]["text"].as_str().expect("a text");
        assert!(
            text.contains("used up") && text.contains("#1001") && text.contains("person"),
            "{name}: {text}"
        );
    }
    set_caps(&app, caps(enough, enough, enough, held / 2)).await;
    let called = mia.ask("I want a person please").await;
    assert_eq!(called["proposals"][0]["tool"], "hand_off", "{called}");
    // Another shopper has a cap of its own.
    let spent = app
        .count("SELECT max(spent_micros) FROM spend WHERE scope = 'shopper_day'")
        .await;
    set_caps(&app, caps(enough, spent + held / 2, enough, enough)).await;
    assert_eq!(mia.ask("hello").await["message"]["source"], "offline");
    set_caps(&app, caps(enough, held + 1, enough, enough)).await;
    assert_eq!(noah.ask("hello").await["message"]["source"], "model");
}

#[tokio::test]
async fn staff_are_told_once_at_eighty_and_at_a_hundred_percent() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| Reply::text("Hello."));
    mia.ask("hello").await;
    let cost = app
        .count("SELECT spent_micros FROM spend WHERE scope = 'store_day'")
        .await;
    let alerts = "SELECT count(*) FROM outbox WHERE kind = 'budget_alert'";
    assert_eq!(app.count(alerts).await, 0);
    set_caps(
        &app,
        caps(1_000_000_000, 1_000_000_000, 1_000_000_000, cost * 5 / 4 + 1),
    )
    .await;
    mia.ask("hello").await;
    mia.ask("hello").await;
    assert_eq!(app.count(alerts).await, 1, "used up at the month's cap: told once");
    let admin = app.staff("lee@shop.example", StaffRole::Admin).await;
    let tight = caps(1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000);
    assert_eq!(
        answer(admin.request("PUT", "/v1/staff/budget").json(&tight)).await.0,
        StatusCode::OK
    );
    let held = app.count("SELECT max(reserved_micros) FROM budget_ledger").await;
    let spent = app
        .count("SELECT spent_micros FROM spend WHERE scope = 'store_day'")
        .await;
    // After the next answer, just over 80 % of the day's cap is spent.
    let day = ((spent + cost) * 100 / 81).max(spent + held);
    let eighty = caps(1_000_000_000, 1_000_000_000, day, 1_000_000_000);
    assert_eq!(
        answer(admin.request("PUT", "/v1/staff/budget").json(&eighty)).await.0,
        StatusCode::OK
    );
    let before = app.count(alerts).await;
    mia.ask("hello").await;
    if (spent + cost) * 100 >= day * 80 {
        assert_eq!(app.count(alerts).await, before + 1);
    }
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'budget.change'")
            .await,
        3
    );
}

#[tokio::test]
async fn a_failed_call_costs_nothing_a_cut_one_all_it_held_and_a_lost_one_is_swept() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.script([Reply::Status(500, "x".into())]);
    mia.ask("hello").await;
    assert_eq!(
        app.count("SELECT count(*) FROM budget_ledger WHERE kind = 'released' AND spent_micros = 0")
            .await,
        1
    );
    app.model.script([Reply::Cut("and then".into())]);
    mia.ask("hello").await;
    assert_eq!(
        app.count("SELECT count(*) FROM budget_ledger WHERE kind = 'settled' AND spent_micros = reserved_micros")
            .await,
        1
    );
    assert_eq!(app.count(UNBALANCED_SPEND).await, 0);
    // The reservation of a process that died during a call.
    let lost = "INSERT INTO reservations SELECT tenant_id, gen_random_uuid(), ARRAY['c', 's', NULL, NULL, NULL, NULL, 'd', 'm'], 7, shopper_id, 'fake-model', now(), now() + interval '5 minutes' FROM sessions LIMIT 1;
        INSERT INTO spend SELECT tenant_id, s, left(k, 1), 0, 7 FROM tenants, (VALUES ('conversation', 'c'), ('shopper_day', 's'), ('store_day', 'd'), ('store_month', 'm')) x(s, k) WHERE slug = 'one'";
    sqlx::raw_sql(lost)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    assert_eq!(
        budget::sweep(&app.pools.executor, Utc::now()).await.expect("sweeps"),
        0,
        "still its own"
    );
    assert_eq!(
        budget::sweep(&app.pools.executor, Utc::now() + Duration::from_secs(301))
            .await
            .expect("sweeps"),
        1
    );
    assert_eq!(
        app.count("SELECT count(*) FROM budget_ledger WHERE kind = 'swept'")
            .await,
        1
    );
    assert_eq!(
        app.count("SELECT count(*) FROM spend WHERE reserved_micros <> 0").await,
        0
    );
}

#[tokio::test]
async fn usage_is_added_up_by_day_model_shopper_and_tool() {
    let app = TestApp::start().await;
    let viewer = app.staff("vic@shop.example", StaffRole::Viewer).await;
    let mia = app.shopper("mia").await;
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "1001" })),
        Reply::text("There."),
        Reply::text("Hello."),
    ]);
    mia.ask("Where is #1001?").await;
    mia.ask("hello").await;
    for (by, key, calls) in [
        ("day", None, 3),
        ("model", Some("fake-model"), 3),
        ("shopper", None, 3),
        ("tool", Some("get_order"), 1),
    ] {
        let (status, body) = viewer.read(&format!("/v1/staff/usage?by={by}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let row = &body["usage"][0];
        assert_eq!(row["calls"], calls, "{by}: {body}");
        assert!(row["spent_micros"].as_i64().is_some_and(|spent| spent > 0), "{body}");
        if let Some(key) = key {
            assert_eq!(row["key"], key);
        }
    }
    assert_eq!(viewer.read("/v1/staff/usage?by=moon").await.0, StatusCode::BAD_REQUEST);
    let past = viewer.read("/v1/staff/usage?by=day&to=2001-01-01T00:00:00Z").await;
    assert_eq!(past.1["usage"], json!([]));
}
