//! Each dependency is slowed to 30 s, cut, or answers garbage. The tests check what the shopper reads and that nothing is lost or done
//! twice, as docs/fallbacks.md says (R3, attack 31).

use std::time::{Duration, Instant};

use countersign::{
    breaker::FAILURE_THRESHOLD, config::Settings, identity::StaffRole, integrations::credentials::Kind,
    mail::MailSettings,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tokio::net::UdpSocket;

use crate::support::{
    Mailbox, Reply, TestApp, TestShopper, database,
    dns::{Dns, Record},
    fake_stripe::FakeStripe,
    fault_proxy::{FAULTS, Fault, FaultProxy, Upstream},
    shopper::answer,
};

/// The deadline for other systems in these tests, far below the 30 s that a slow dependency takes.
const DEADLINE: Duration = Duration::from_secs(1);

fn set_short_deadlines(settings: &mut Settings) {
    settings.outbound.deadline = DEADLINE;
    settings.outbound.allow_loopback = true;
    if let MailSettings::Smtp(smtp) = &mut settings.mail {
        smtp.deadline = DEADLINE;
    }
}

/// Connects to the database through the proxy at this port.
fn connect_through(settings: &mut Settings, port: u16) {
    let name = settings.database.address.get_database().expect("a name").to_owned();
    settings.database.address = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .database(&name);
}

fn without_scheme(url: &str) -> String {
    url.rsplit("//").next().expect("an address").to_owned()
}

/// Checks that a shopper is answered as usual while a dependency fails.
async fn check_chat_answers(mia: &TestShopper) {
    let request = mia
        .post("/v1/chat/send")
        .json(&json!({ "text": "Where is my order #1001?", "by_rules": true }));
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(
        body["message"]["text"]
            .as_str()
            .expect("a text")
            .contains("HP440028817"),
        "{body}"
    );
}

/// For each fault, queues one delivery and checks that an attempt fails within its deadline, that a shopper is answered meanwhile,
/// and that the delivery is sent once the fault is over. `counts` are queries: failed attempts, and deliveries that wait.
async fn check_recovery(app: &TestApp, proxy: &FaultProxy, counts: [&'static str; 2], queue: impl AsyncFn(usize)) {
    let mia = app.shopper("mia").await;
    let [failed, waiting] = counts;
    for (round, fault) in FAULTS.into_iter().enumerate() {
        proxy.set(fault);
        let began = Instant::now();
        queue(round).await;
        app.wait_for_count(failed, 1).await;
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{fault:?} took {:?}",
            began.elapsed()
        );
        check_chat_answers(&mia).await;
        proxy.set(Fault::None);
        for _ in 0..200 {
            app.make_jobs_due().await;
            if app.count(waiting).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(
            app.count(waiting).await,
            0,
            "{fault:?}: it is sent when the fault is over"
        );
    }
}

#[tokio::test]
async fn mail_waits_for_its_relay_and_nobody_waits_for_mail() {
    let relay = Mailbox::start().await;
    let proxy = FaultProxy::to(Upstream::Tcp(without_scheme(&relay.url()))).await;
    let url = format!("smtp://{}", proxy.address);
    let app = TestApp::offline_with_settings(|settings| {
        set_short_deadlines(settings);
        if let MailSettings::Smtp(smtp) = &mut settings.mail {
            smtp.url = url.into();
        }
    })
    .await;
    check_recovery(
        &app,
        &proxy,
        [
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND last_error = 'the relay cannot be reached or did not answer in time'",
            "SELECT count(*) FROM outbox WHERE state = 'queued'",
        ],
        async |round| {
            let email = ["mia@example.com", "noah@example.com", "mia@example.com"][round];
            let asked = app.with_store_key("/v1/sessions/code-requests", json!({ "email": email }));
            assert_eq!(answer(asked).await.0, StatusCode::ACCEPTED);
        },
    )
    .await;
    assert_eq!(relay.all().len(), 3, "one each");
}

#[tokio::test]
async fn refunds_wait_for_the_payment_provider_and_are_made_once() {
    let stripe = FakeStripe::start().await;
    let proxy = FaultProxy::to(Upstream::Tcp(without_scheme(&stripe.url))).await;
    let url = format!("http://{}", proxy.address);
    let app = TestApp::start_with_settings(|settings| {
        set_short_deadlines(settings);
        settings.outbound.stripe_url = url;
    })
    .await;
    app.give_secret(Kind::Stripe, None, "sk_test_of_the_tests").await;
    app.execute_sql("UPDATE money_movements SET reference = 'pi_1002' WHERE direction = 'in'")
        .await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    check_recovery(
        &app,
        &proxy,
        [
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel = 'payment' AND attempts > 0",
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel = 'payment'",
        ],
        async |round| {
            let amount = ["1.00", "2.00", "3.00"][round];
            let refund = json!({ "order_number": "#1002", "amount": amount, "reason": "It arrived broken." });
            let proposal = mia.propose(&app, "request_refund", refund).await;
            assert_eq!(kim.approve(&proposal).await.0, StatusCode::OK);
            assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
        },
    )
    .await;
    assert_eq!(stripe.refunds().len(), 3, "one each, though some were asked for twice");
}

#[tokio::test]
async fn notes_wait_for_the_crm_and_events_for_their_endpoint() {
    let other = FakeStripe::start().await;
    let proxy = FaultProxy::to(Upstream::Tcp(without_scheme(&other.url))).await;
    let app = TestApp::start_with_settings(set_short_deadlines).await;
    let hook = format!("http://{}/hook", proxy.address);
    app.give_secret(Kind::Crm, Some(&hook), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .await;
    let admin = app.staff("ann@shop.example", StaffRole::Admin).await;
    let added = admin
        .request("POST", "/v1/staff/webhook-endpoints")
        .json(&json!({ "url": hook }));
    assert_eq!(answer(added).await.0, StatusCode::CREATED);
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    check_recovery(
        &app,
        &proxy,
        [
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel = 'crm' AND attempts > 0",
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel IN ('crm', 'webhook')",
        ],
        async |round| {
            let proposal = mia
                .propose(&app, "add_crm_note", json!({ "text": format!("note {round}") }))
                .await;
            if proposal["state"] == "pending" {
                kim.approve(&proposal).await;
            }
            assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
        },
    )
    .await;
    let notes = other
        .calls()
        .iter()
        .filter(|call| call.body.contains("note.created"))
        .count();
    assert!(notes >= 3, "{notes}");
}

#[tokio::test]
async fn the_shop_is_told_when_it_can_be_reached_again() {
    let shop = FakeStripe::start().await;
    let proxy = FaultProxy::to(Upstream::Tcp(without_scheme(&shop.url))).await;
    let app = TestApp::start_with_settings(set_short_deadlines).await;
    let url = format!("http://{}/graphql", proxy.address);
    app.give_secret(Kind::Shopify, Some(&url), "shpat_of_the_tests_0123456789abcdef")
        .await;
    app.execute_sql("UPDATE orders SET reference = 'gid://shopify/Order/' || number")
        .await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    let address = |line: &str| json!({ "order_number": "#1003", "address": { "address1": line, "address2": "", "city": "Porto", "state": "", "zip": "4000", "country": "PT" } });
    check_recovery(
        &app,
        &proxy,
        [
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel = 'shop' AND attempts > 0",
            "SELECT count(*) FROM outbox WHERE state = 'queued' AND channel = 'shop'",
        ],
        async |round| {
            let proposal = mia
                .propose(&app, "change_order_address", address(&format!("Rua {round}")))
                .await;
            match proposal["awaiting"].as_str() {
                Some("shopper") => assert_eq!(mia.confirm(&proposal).await.0, StatusCode::OK),
                _ => assert_eq!(kim.approve(&proposal).await.0, StatusCode::OK),
            }
            assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
        },
    )
    .await;
}

#[tokio::test]
async fn a_name_server_that_is_silent_or_talks_rubbish_holds_up_one_delivery_and_nothing_else() {
    let other = FakeStripe::start().await;
    let port = other.url.rsplit(':').next().expect("a port").to_owned();
    let dns = Dns::start(&[
        Record::A("one.example", "127.0.0.1"),
        Record::A("two.example", "127.0.0.1"),
    ]);
    // A DNS proxy that answers nothing or garbage until the fault is cleared.
    let front = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = front.local_addr().expect("an address");
    let (faults, watched) = tokio::sync::watch::channel(Fault::Slow(Duration::from_secs(30)));
    tokio::spawn(async move {
        let (mut question, mut reply) = ([0; 2048], [0; 2048]);
        while let Ok((length, from)) = front.recv_from(&mut question).await {
            let now = *watched.borrow();
            match now {
                Fault::None => {
                    let behind = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
                    behind.send_to(&question[..length], dns.address).await.expect("sent");
                    let length = behind.recv(&mut reply).await.expect("answers");
                    front.send_to(&reply[..length], from).await.expect("sent");
                }
                Fault::Garbage => drop(front.send_to(b"rubbish", from).await),
                _ => {}
            }
        }
    });
    let app = TestApp::start_with_settings(|settings| {
        set_short_deadlines(settings);
        settings.outbound.deadline = Duration::from_secs(8);
        settings.outbound.dns = Some(address);
    })
    .await;
    app.give_secret(
        Kind::Crm,
        Some("http://127.0.0.1:1/hook"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    .await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    for (fault, host) in [(Fault::Slow(Duration::from_secs(30)), "one"), (Fault::Garbage, "two")] {
        faults.send_replace(fault);
        // Plain HTTP is allowed for loopback addresses alone, so the address is written to the database directly. Resolved names are
        // cached, so each fault uses its own name.
        sqlx::query("UPDATE integrations SET url = $1")
            .bind(format!("http://{host}.example:{port}/hook"))
            .execute(&mut app.superuser().await)
            .await
            .expect("runs");
        let proposal = mia.propose(&app, "add_crm_note", json!({ "text": "a note" })).await;
        if proposal["state"] == "pending" {
            kim.approve(&proposal).await;
        }
        let began = Instant::now();
        app.wait_for_count(
            "SELECT count(*) FROM outbox WHERE channel = 'crm' AND state = 'queued' AND attempts > 0",
            1,
        )
        .await;
        assert!(began.elapsed() < Duration::from_secs(8), "{fault:?}");
        check_chat_answers(&mia).await;
        faults.send_replace(Fault::None);
        app.make_jobs_due().await;
        app.wait_for_count(
            "SELECT count(*) FROM outbox WHERE channel = 'crm' AND state <> 'done'",
            0,
        )
        .await;
    }
}

#[tokio::test]
async fn a_relay_that_fails_on_and_on_is_left_alone_and_costs_no_attempts() {
    let proxy = FaultProxy::to(Upstream::Tcp("127.0.0.1:1".into())).await;
    proxy.set(Fault::Cut);
    let url = format!("smtp://{}", proxy.address);
    let app = TestApp::offline_with_settings(|settings| {
        set_short_deadlines(settings);
        if let MailSettings::Smtp(smtp) = &mut settings.mail {
            smtp.url = url.into();
        }
    })
    .await;
    let admin = app.staff("ann@shop.example", StaffRole::Admin).await;
    let mia = app.shopper("mia").await;
    let conversation = mia.ask("Where is my order #1001?").await["conversation_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for _ in 0..FAILURE_THRESHOLD + 4 {
        mia.post("/v1/chat/send")
            .json(&json!({ "conversation_id": conversation, "text": "Where is #1001?" }))
            .send()
            .await
            .expect("answers");
        let transcript = mia.post(&format!("/v1/conversations/{conversation}/transcript"));
        assert_eq!(answer(transcript).await.0, StatusCode::ACCEPTED);
    }
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE last_error LIKE 'not tried%' AND attempts = 0",
        4,
    )
    .await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE attempts = 1",
        i64::from(FAILURE_THRESHOLD),
    )
    .await;
    let (status, seen) = admin.read("/v1/staff/status").await;
    assert_eq!(
        (status, &seen["open_circuits"], &seen["ready"]),
        (StatusCode::OK, &json!(["mail"]), &json!(true))
    );
}

#[tokio::test]
async fn without_its_database_the_service_says_so_in_time_and_comes_back_by_itself() {
    let socket = database::postgres().await.socket_folder().join(".s.PGSQL.5432");
    let proxy = FaultProxy::to(Upstream::Unix(socket)).await;
    let port = proxy.address.port();
    let app = TestApp::offline_with_settings(|settings| {
        connect_through(settings, port);
        settings.database.deadline = Duration::from_secs(1);
    })
    .await;
    let mia = app.shopper("mia").await;
    let turns = "SELECT count(*) FROM turns";
    let messages = "SELECT count(*) FROM messages";
    for fault in FAULTS {
        check_chat_answers(&mia).await;
        let before = (app.count(turns).await, app.count(messages).await);
        assert_eq!(before.1, 2 * before.0, "each turn has its question and its answer");
        proxy.set(fault);
        let began = Instant::now();
        let (status, problem) = mia.read("/v1/orders/1001").await;
        assert!(status.is_server_error(), "{fault:?}: {status}");
        assert!(
            problem["detail"].is_string() && problem["request_id"].is_string(),
            "{problem}"
        );
        let send = mia.post("/v1/chat/send").json(&json!({ "text": "Where is #1001?" }));
        let (status, problem) = answer(send).await;
        assert!(status.is_server_error(), "{fault:?}: {problem}");
        let log_in = app.with_store_key(
            "/v1/sessions",
            json!({ "email": "mia@example.com", "password": crate::support::PASSWORD }),
        );
        assert!(answer(log_in).await.0.is_server_error(), "{fault:?}");
        // The answer of `/health` is cached for a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = Instant::now();
        assert_eq!(
            mia.read("/health").await.0,
            StatusCode::SERVICE_UNAVAILABLE,
            "{fault:?}"
        );
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{fault:?}: {:?}",
            asked.elapsed()
        );
        assert!(
            began.elapsed() < Duration::from_secs(25),
            "{fault:?}: {:?}",
            began.elapsed()
        );
        proxy.set(Fault::None);
        let mut well = false;
        for _ in 0..300 {
            well =
                mia.read("/v1/orders/1001").await.0 == StatusCode::OK && mia.read("/health").await.0 == StatusCode::OK;
            if well {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(well, "{fault:?}: it comes back by itself");
        assert_eq!(
            (app.count(turns).await, app.count(messages).await),
            before,
            "{fault:?}: nothing half done"
        );
    }
}

#[tokio::test]
async fn an_idle_queue_rests_and_a_database_that_is_away_is_asked_for_calmly_and_listened_to_again() {
    let socket = database::postgres().await.socket_folder().join(".s.PGSQL.5432");
    let proxy = FaultProxy::to(Upstream::Unix(socket)).await;
    let port = proxy.address.port();
    let app = TestApp::start_with_settings(|settings| connect_through(settings, port)).await;
    let mia = app.shopper("mia").await;
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    app.wait_for_count(listeners, 2).await;
    let transactions = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let before = app.count(transactions).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = app.count(transactions).await - before;
    assert!(asked < 150, "{asked} transactions in three idle seconds");
    for fault in [Fault::Cut, Fault::Garbage] {
        proxy.set(fault);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = proxy.connections();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = proxy.connections() - before;
        assert!(asked < 100, "{fault:?}: {asked} connections in two seconds");
        proxy.set(Fault::None);
        app.wait_for_count(listeners, 2).await;
    }
    let note = json!({ "text": "Prefers delivery after five." });
    let proposal = mia.propose(&app, "add_crm_note", note).await;
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
}

#[tokio::test]
async fn a_slow_model_takes_nothing_that_others_need() {
    let app = TestApp::start_with_settings(|settings| settings.database.connections = 4).await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model
        .respond(|_| Reply::After(Duration::from_secs(4), Box::new(Reply::text("late"))));
    // Many more turns than database connections, all waiting for the model.
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            tokio::spawn({
                let mia = mia.clone();
                async move { mia.ask("Hi").await }
            })
        })
        .collect();
    while app.model.requests().len() < 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    assert_eq!(noah.read("/v1/orders").await.0, StatusCode::OK);
    assert_eq!(noah.read("/health").await.0, StatusCode::OK);
    app.shopper("noah").await;
    check_chat_answers(&app.shopper("mia").await).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "while the model is thinking: {:?}",
        began.elapsed()
    );
    for turn in waiting {
        assert_eq!(turn.await.expect("ends")["message"]["text"], "late");
    }
}

#[tokio::test]
async fn when_as_many_turns_run_as_may_the_next_one_is_told_to_come_back_and_nothing_is_stored() {
    let app = TestApp::start_with_settings(|settings| settings.max_turns = 2).await;
    let mia = app.shopper("mia").await;
    app.model
        .respond(|_| Reply::After(Duration::from_secs(2), Box::new(Reply::text("late"))));
    let running: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let mia = mia.clone();
                async move { mia.ask("Hi").await }
            })
        })
        .collect();
    while app.model.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let response = mia
        .post("/v1/chat/send")
        .json(&json!({ "text": "me too" }))
        .send()
        .await
        .expect("answers");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:countersign:problem:busy");
    assert_eq!(app.count("SELECT count(*) FROM turns").await, 2);
    for turn in running {
        turn.await.expect("ends");
    }
    app.model.respond(|_| Reply::text("now"));
    assert_eq!(mia.ask("me too").await["message"]["text"], "now");
}
