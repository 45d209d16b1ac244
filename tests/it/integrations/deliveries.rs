//! Deliveries to other systems: mail, webhooks, refunds, notes. Each is made once, whatever fails on the way (E2, E4, T4, T8).

use std::time::Duration;

use chrono::Utc;
use countersign::{
    identity::StaffRole,
    integrations::credentials::{self, Kind},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Misbehaviour, Reply, TestApp,
    fake_stripe::{FakeStripe, StripeFault},
    shopper::answer,
};

const REFUND: &str = "request_refund";

/// Starts an app whose first store refunds at a fake Stripe, which has the payment of order #1002.
async fn with_stripe() -> (TestApp, FakeStripe) {
    let stripe = FakeStripe::start().await;
    let url = stripe.url.clone();
    let app = TestApp::start_with_settings(move |settings| settings.outbound.stripe_url = url).await;
    app.give_secret(Kind::Stripe, None, "sk_test_of_the_tests").await;
    let known = "UPDATE money_movements SET reference = 'pi_1002' WHERE direction = 'in'";
    sqlx::raw_sql(known)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    (app, stripe)
}

fn refund(amount: &str) -> Value {
    json!({ "order_number": "#1002", "amount": amount, "reason": "It arrived broken." })
}

#[tokio::test]
async fn a_shopper_reads_of_each_step_in_text_and_html_and_in_her_language() {
    let app = TestApp::start().await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    let rejected = mia.propose(&app, REFUND, refund("3.00")).await;
    let received = app.mailbox.newest_to("mia@example.com", 1).await;
    assert!(
        received.text().contains("Nothing has been done yet"),
        "{}",
        received.raw
    );
    assert!(received.raw.contains("text/plain") && received.raw.contains("text/html"));
    assert!(
        received
            .header("message-id")
            .is_some_and(|id| id.ends_with("@shop.example>"))
    );
    assert_eq!(received.header("auto-submitted").as_deref(), Some("auto-generated"));
    assert!(
        received.header("from").is_some_and(|from| from.contains("Store one")),
        "{:?}",
        received.header("from")
    );
    kim.reject(&rejected, "Please send <b>a picture</b>.").await;
    let mail = app.mailbox.newest_to("mia@example.com", 2).await;
    assert!(mail.text().contains("not approve"), "{}", mail.raw);
    assert!(
        mail.text().contains("&#60;b&#62;a picture") || mail.text().contains("&lt;b&gt;a picture"),
        "as text in the HTML: {}",
        mail.text()
    );
    let approved = mia.propose(&app, REFUND, refund("4.00")).await;
    kim.approve(&approved).await;
    assert_eq!(mia.wait_until_ended(&approved).await["state"], "executed");
    let mail = app.mailbox.newest_to("mia@example.com", 4).await;
    assert!(
        mail.text().contains("approved and carried out")
            && mail.text().contains("4.00 USD")
            && mail.text().contains("#1002"),
        "{}",
        mail.text()
    );

    sqlx::raw_sql("UPDATE shoppers SET language = 'de' WHERE external_id = 'mia'")
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    mia.propose(&app, REFUND, refund("5.00")).await;
    let mail = app.mailbox.newest_to("mia@example.com", 5).await;
    assert!(
        mail.text().contains("Guten Tag Mia") && mail.text().contains("noch nichts geschehen"),
        "{}",
        mail.text()
    );
    assert_eq!(
        app.count("SELECT count(*) FROM outbox WHERE payload::text ~ '@|Mia|broken'")
            .await,
        0,
        "the outbox holds nobody's words"
    );
}

#[tokio::test]
async fn a_mail_is_tried_again_after_a_temporary_refusal_and_given_up_after_a_final_one() {
    let app = TestApp::start().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let mia = app.shopper("mia").await;
    app.mailbox.misbehave([
        Misbehaviour::Answers("451 4.7.1 greylisted"),
        Misbehaviour::Answers("421 4.3.2 busy"),
    ]);
    mia.propose(&app, REFUND, refund("3.00")).await;
    app.wait_for_count(
        "SELECT attempts::bigint FROM outbox WHERE kind = 'proposal_received'",
        1,
    )
    .await;
    app.make_jobs_due().await;
    app.wait_for_count(
        "SELECT attempts::bigint FROM outbox WHERE kind = 'proposal_received'",
        2,
    )
    .await;
    app.make_jobs_due().await;
    let mail = app.mailbox.newest_to("mia@example.com", 1).await;
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'done' AND attempts = 3", 1)
        .await;
    assert_eq!(app.mailbox.all().len(), 1);

    app.mailbox.misbehave([Misbehaviour::Answers("550 5.1.1 no such user")]);
    mia.propose(&app, REFUND, refund("4.00")).await;
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'dead'", 1)
        .await;
    let (_, listed) = admin.read("/v1/staff/deliveries?state=dead").await;
    let dead = &listed["deliveries"][0];
    assert_eq!(
        (&dead["kind"], &dead["channel"]),
        (&json!("proposal_received"), &json!("mail")),
        "{listed}"
    );
    assert!(
        dead["last_error"].as_str().is_some_and(|error| error.contains("550")),
        "{listed}"
    );
    let path = format!("/v1/staff/deliveries/{}/retry", dead["id"].as_str().expect("an id"));
    assert_eq!(answer(admin.request("POST", &path)).await.0, StatusCode::ACCEPTED);
    app.mailbox.newest_to("mia@example.com", 2).await;
    assert_eq!(
        answer(admin.request("POST", &path)).await.0,
        StatusCode::NOT_FOUND,
        "it is not dead any more"
    );
    drop(mail);

    // The connection breaks after the relay has accepted the mail: it is sent again with the same Message-ID.
    app.mailbox.misbehave([Misbehaviour::TakesAndIsGone]);
    mia.propose(&app, REFUND, refund("5.00")).await;
    app.mailbox.newest_to("mia@example.com", 3).await;
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'queued' AND attempts = 1", 1)
        .await;
    app.make_jobs_due().await;
    let again = app.mailbox.newest_to("mia@example.com", 4).await;
    let all = app.mailbox.all();
    assert_eq!(again.header("message-id"), all[all.len() - 2].header("message-id"));
    // A mail that staff drop is not sent.
    app.mailbox.misbehave([Misbehaviour::Answers("451 4.7.1 greylisted")]);
    mia.propose(&app, REFUND, refund("6.00")).await;
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'queued' AND attempts = 1", 1)
        .await;
    let (_, listed) = admin.read("/v1/staff/deliveries?state=queued").await;
    let path = format!(
        "/v1/staff/deliveries/{}",
        listed["deliveries"][0]["id"].as_str().expect("an id")
    );
    assert_eq!(answer(admin.request("DELETE", &path)).await.0, StatusCode::NO_CONTENT);
    app.make_jobs_due().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(app.mailbox.all().len(), 4);
}

#[tokio::test]
async fn nothing_is_mailed_to_an_address_that_bounced() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let mut tx = app.executor_tx().await;
    countersign::mail::suppress(&mut tx, &app.settings.keyring, "Mia@Example.com", "bounced", Utc::now())
        .await
        .expect("noted");
    tx.commit().await.expect("commits");
    mia.propose(&app, REFUND, refund("3.00")).await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE state = 'dropped' AND last_error LIKE '%bounced%'",
        1,
    )
    .await;
    assert!(app.mailbox.all().is_empty());
}

#[tokio::test]
async fn two_workers_and_a_rush_send_each_mail_once() {
    let app = TestApp::start().await;
    let (_other, _stop) = app.replica().await;
    let mia = app.shopper("mia").await;
    for n in 1..=8 {
        mia.propose(&app, REFUND, refund(&format!("{n}.00"))).await;
    }
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE state = 'done' AND kind = 'proposal_received'",
        8,
    )
    .await;
    let mut ids: Vec<_> = app
        .mailbox
        .all()
        .iter()
        .filter_map(|mail| mail.header("message-id"))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), app.mailbox.all().len()), (8, 8));
}

#[tokio::test]
async fn a_refund_is_made_at_the_provider_once_whatever_it_answers() {
    let (app, stripe) = with_stripe().await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    stripe.inject([
        StripeFault::Answers(429, "{}"),
        StripeFault::DoesItAndFails,
        StripeFault::Answers(409, "{}"),
        StripeFault::DoesItAndIsSilent(Duration::from_secs(20)),
    ]);
    let proposal = mia.propose(&app, REFUND, refund("3.00")).await;
    kim.approve(&proposal).await;
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    for attempts in 1..=4 {
        app.wait_for_count(
            "SELECT max(attempts)::bigint FROM outbox WHERE channel = 'payment'",
            attempts,
        )
        .await;
        app.make_jobs_due().await;
    }
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'payment' AND state = 'done' AND reference = 're_1'",
        1,
    )
    .await;
    let refunds = stripe.refunds();
    assert_eq!(refunds.len(), 1, "{refunds:?}");
    assert_eq!(refunds[0]["fields"]["amount"], "300");
    assert_eq!(refunds[0]["fields"]["payment_intent"], "pi_1002");
    let keys: std::collections::HashSet<_> = stripe
        .calls()
        .iter()
        .map(|call| call.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys.len(), 1, "always the same key");
    assert!(
        stripe
            .calls()
            .iter()
            .all(|call| call.headers["authorization"] == "Bearer sk_test_of_the_tests")
    );
    for _ in 0..400 {
        if app
            .mailbox
            .all()
            .iter()
            .any(|mail| mail.text().contains("the refund has been made"))
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the receipt did not come");
}

#[tokio::test]
async fn a_refund_that_the_provider_will_never_make_is_given_up_and_shown_to_staff() {
    let (app, stripe) = with_stripe().await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    stripe.inject([StripeFault::Answers(
        400,
        r#"{"error":{"code":"charge_already_refunded","message":"secret words"}}"#,
    )]);
    let proposal = mia.propose(&app, REFUND, refund("3.00")).await;
    kim.approve(&proposal).await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'payment' AND state = 'dead'",
        1,
    )
    .await;
    let (_, listed) = kim.read("/v1/staff/deliveries?state=dead").await;
    assert_eq!(
        listed["deliveries"][0]["last_error"],
        "answered 400 charge_already_refunded"
    );
    assert!(stripe.refunds().is_empty());
}

#[tokio::test]
async fn one_secret_does_not_serve_two_purposes() {
    let app = TestApp::start().await;
    app.give_secret(Kind::Stripe, None, "sk_test_of_the_tests").await;
    let mut tx = app.executor_tx().await;
    let twice = credentials::add(
        &mut tx,
        &app.settings.keyring,
        Kind::StripeWebhook,
        None,
        &"sk_test_of_the_tests".into(),
        Utc::now(),
    )
    .await;
    assert!(matches!(twice, Err(credentials::CredentialError::UsedTwice)));
    assert_eq!(
        app.count("SELECT count(*) FROM integrations WHERE position('sk_test' IN encode(secret, 'escape')) > 0")
            .await,
        0,
        "sealed"
    );
}

#[tokio::test]
async fn the_stores_systems_are_told_signed_and_again_until_they_listen() {
    let hooks = FakeStripe::start().await;
    let app = TestApp::start_with_settings(|settings| settings.outbound.allow_loopback = true).await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let add = |url: &str| {
        admin
            .request("POST", "/v1/staff/webhook-endpoints")
            .json(&json!({ "url": url }))
    };
    let (status, made) = answer(add(&format!("{}/hook", hooks.url))).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    hooks.inject([
        StripeFault::Answers(500, ""),
        StripeFault::Redirects(format!("{}/elsewhere", hooks.url)),
    ]);
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, REFUND, refund("3.00")).await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'webhook' AND attempts = 1",
        1,
    )
    .await;
    app.make_jobs_due().await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'webhook' AND state = 'dead'",
        1,
    )
    .await;
    assert_eq!(hooks.calls().len(), 2, "a redirect is not followed");
    let (_, listed) = admin.read("/v1/staff/deliveries?state=dead").await;
    let path = format!(
        "/v1/staff/deliveries/{}/retry",
        listed["deliveries"][0]["id"].as_str().expect("an id")
    );
    assert_eq!(
        answer(admin.request("POST", &path)).await.0,
        StatusCode::ACCEPTED,
        "resent by hand"
    );
    admin.approve(&proposal).await;
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'webhook' AND state = 'done'",
        3,
    )
    .await;
    let webhook = standardwebhooks::Webhook::new(&secret).expect("a secret");
    let mut types = Vec::new();
    for call in hooks.calls().iter().skip(2) {
        let mut headers = axum::http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, call.headers[name].parse().expect("a value"));
        }
        webhook
            .verify(call.body.as_bytes(), &headers)
            .expect("somebody else's verifier takes it");
        let body: Value = serde_json::from_str(&call.body).expect("JSON");
        assert_eq!(body["data"]["proposal_id"], proposal["id"]);
        types.push(body["type"].as_str().expect("a type").to_owned());
    }
    types.sort();
    assert_eq!(types, ["proposal.created", "proposal.decided", "proposal.executed"]);
    for bad in [
        "http://10.0.0.1/hook",
        "https://169.254.169.254/",
        "https://user:pass@shop.example/",
        "ftp://shop.example/",
        "https://[fd00::1]/",
    ] {
        let (status, problem) = answer(add(bad)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("url")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_not_called() {
    let hooks = FakeStripe::start().await;
    let app = TestApp::start().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let (status, _) = answer(
        admin
            .request("POST", "/v1/staff/webhook-endpoints")
            .json(&json!({ "url": format!("{}/hook", hooks.url) })),
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "loopback is not for stores");
    // The stored name was allowed when it was added and now resolves to this machine.
    let (status, made) = answer(
        admin
            .request("POST", "/v1/staff/webhook-endpoints")
            .json(&json!({ "url": "https://example.com/hook" })),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let port = hooks.url.rsplit(':').next().expect("a port").to_owned();
    let host = tokio::fs::read_to_string("/etc/hostname").await.unwrap_or_default();
    for name in ["ip6-localhost", host.trim()] {
        if name.is_empty() {
            continue;
        }
        sqlx::query("UPDATE webhook_endpoints SET url = $1")
            .bind(format!("http://{name}:{port}/hook"))
            .execute(&mut app.superuser().await)
            .await
            .expect("runs");
        app.shopper("mia").await.propose(&app, REFUND, refund("3.00")).await;
    }
    app.wait_for_count(
        "SELECT least(count(*), 1) FROM outbox WHERE channel = 'webhook' AND last_error IS NOT NULL",
        1,
    )
    .await;
    assert!(hooks.calls().is_empty());
}

#[tokio::test]
async fn a_note_reaches_the_crm_signed() {
    let crm = FakeStripe::start().await;
    let app = TestApp::start_with_settings(|settings| settings.outbound.allow_loopback = true).await;
    let secret = countersign::integrations::webhook_delivery::new_secret();
    app.give_secret(Kind::Crm, Some(&format!("{}/hook", crm.url)), &secret)
        .await;
    let kim = app.staff("kim@shop.example", StaffRole::Approver).await;
    let mia = app.shopper("mia").await;
    let proposal = mia
        .propose(&app, "add_crm_note", json!({ "text": "Prefers parcels on Fridays." }))
        .await;
    if proposal["awaiting"] == "staff" {
        kim.approve(&proposal).await;
    }
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'crm' AND state = 'done'",
        1,
    )
    .await;
    let calls = crm.calls();
    let body: Value = serde_json::from_str(&calls[0].body).expect("JSON");
    assert_eq!(
        (&body["data"]["shopper"], &body["data"]["text"]),
        (&json!("mia"), &json!("Prefers parcels on Fridays."))
    );
    assert!(calls[0].headers["webhook-signature"].starts_with("v1,"));
}

#[tokio::test]
async fn a_transcript_is_mailed_to_its_owner_alone() {
    let app = TestApp::start().await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model.script([Reply::text("It is <b>on its way</b>.")]);
    let answered = mia.ask("Where is my order?").await;
    let path = format!(
        "/v1/conversations/{}/transcript",
        answered["conversation_id"].as_str().expect("an id")
    );
    assert_eq!(answer(noah.post(&path)).await.0, StatusCode::NOT_FOUND);
    for _ in 0..3 {
        assert_eq!(answer(mia.post(&path)).await.0, StatusCode::ACCEPTED);
    }
    let mail = app.mailbox.newest_to("mia@example.com", 1).await;
    assert!(
        mail.text().contains("Where is my order?") && !mail.text().contains("<td style=\"padding:2px 0\">It is <b>"),
        "{}",
        mail.text()
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.mailbox.all().len(), 1, "once for each state of the conversation");
}

#[tokio::test]
async fn a_sign_in_from_a_new_place_is_told_to_the_owner() {
    use countersign::config::{AddressHeader, Connections, Proxies};
    let proxies = Proxies {
        networks: vec!["127.0.0.0/8".parse().expect("a network")],
        header: AddressHeader::XForwardedFor,
    };
    let app = TestApp::start_with_settings(|settings| {
        settings.connections = Connections {
            proxies,
            ..Connections::default()
        }
    })
    .await;
    let log_in = |from: &str| {
        let body = json!({ "email": "mia@example.com", "password": crate::support::PASSWORD });
        app.with_store_key("/v1/sessions", body)
            .header("x-forwarded-for", from)
            .header("user-agent", "Test/1")
    };
    for from in ["203.0.113.5", "203.0.113.5", "198.51.100.7"] {
        assert_eq!(answer(log_in(from)).await.0, StatusCode::CREATED);
    }
    let mail = app.mailbox.newest_to("mia@example.com", 1).await;
    assert!(
        mail.text().contains("198.51.100.7") && mail.text().contains("Test/1"),
        "{}",
        mail.text()
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.mailbox.all().len(), 1);
}

#[tokio::test]
async fn an_order_is_changed_at_the_shops_platform_once() {
    let shop = FakeStripe::start().await;
    let app = TestApp::start_with_settings(|settings| settings.outbound.allow_loopback = true).await;
    app.give_secret(
        Kind::Shopify,
        Some(&format!("{}/graphql", shop.url)),
        "shpat_of_the_tests",
    )
    .await;
    let known = "UPDATE orders SET reference = 'gid://shopify/Order/' || bare_number";
    sqlx::raw_sql(known)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    // The first call is throttled and the second answers 503. The third attempt cancels the order.
    shop.inject([
        StripeFault::Redirects("THROTTLED".into()),
        StripeFault::Answers(503, ""),
    ]);
    let cancel = mia
        .propose(
            &app,
            "cancel_order",
            json!({ "order_number": "#1003", "reason": "no_longer_needed" }),
        )
        .await;
    kim.approve(&cancel).await;
    assert_eq!(mia.wait_until_ended(&cancel).await["state"], "executed");
    for attempts in 1..=2 {
        app.wait_for_count(
            "SELECT max(attempts)::bigint FROM outbox WHERE channel = 'shop'",
            attempts,
        )
        .await;
        app.make_jobs_due().await;
    }
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'done'",
        1,
    )
    .await;
    assert_eq!(shop.cancelled().get("gid://shopify/Order/1003"), Some(&1));
    assert!(
        shop.calls()
            .iter()
            .all(|call| call.headers["x-shopify-access-token"] == "shpat_of_the_tests")
    );

    // The order is cancelled at the shop, but the delivery is marked as dead. A retry first asks the shop and does not cancel again.
    sqlx::raw_sql("UPDATE outbox SET state = 'dead' WHERE channel = 'shop'")
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    let admin = app.staff("ada@shop.example", StaffRole::Admin).await;
    let (_, listed) = admin.read("/v1/staff/deliveries?state=dead").await;
    let path = format!(
        "/v1/staff/deliveries/{}/retry",
        listed["deliveries"][0]["id"].as_str().expect("an id")
    );
    assert_eq!(answer(admin.request("POST", &path)).await.0, StatusCode::ACCEPTED);
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'done'",
        1,
    )
    .await;
    assert_eq!(
        shop.cancelled().get("gid://shopify/Order/1003"),
        Some(&1),
        "cancelled once"
    );

    // The answer to a refund that was made is lost. A retry first asks the shop and does not refund again, however many others there are.
    shop.refund_elsewhere_at_shop(60);
    shop.inject([
        StripeFault::DoesItAndIsSilent(Duration::ZERO),
        StripeFault::DoesItAndFails,
    ]);
    let refunded = mia.propose(&app, REFUND, refund("3.00")).await;
    kim.approve(&refunded).await;
    assert_eq!(mia.wait_until_ended(&refunded).await["state"], "executed");
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'shop' AND attempts = 1 AND state = 'queued'",
        1,
    )
    .await;
    app.make_jobs_due().await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'done' AND payload::text LIKE '%refund%'",
        1,
    )
    .await;
    let made = shop.shop_refunds();
    assert_eq!((made.len(), made[0].1.as_str()), (1, "3.00"), "{made:?}");

    let done = app
        .count("SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'done'")
        .await;
    let returned = json!({ "order_number": "#1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "card-mia" });
    let returned = mia.propose(&app, "return_items", returned).await;
    kim.approve(&returned).await;
    assert_eq!(mia.wait_until_ended(&returned).await["state"], "executed");
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'done'",
        done + 1,
    )
    .await;
    assert!(shop.calls().last().expect("a call").body.contains("tagsAdd"));
}

#[tokio::test]
async fn a_relay_whose_tls_is_wrong_gets_no_mail() {
    use countersign::mail::{MailSettings, SmtpSettings};
    let plain = crate::support::Mailbox::start().await;
    let url = plain.url().replace("smtp://", "smtps://");
    let app = TestApp::start_with_settings(|settings| {
        settings.mail = MailSettings::Smtp(SmtpSettings {
            deadline: Duration::from_secs(20),
            plain: false,
            url: url.into(),
            from: "shop@shop.example".parse().expect("an address"),
            dkim: Vec::new(),
        });
    })
    .await;
    app.shopper("mia").await.propose(&app, REFUND, refund("3.00")).await;
    app.wait_for_count(
        "SELECT count(*) FROM outbox WHERE state = 'queued' AND attempts = 1 AND last_error LIKE '%cannot be reached%'",
        1,
    )
    .await;
    assert!(plain.all().is_empty());
}

#[tokio::test]
async fn the_demo_catches_mail_on_a_page_and_a_real_server_has_none() {
    use countersign::mail::{Inbox, MailSettings};
    let app = TestApp::start_with_settings(|settings| settings.mail = MailSettings::Inbox(Inbox::default())).await;
    let mia = app.shopper("mia").await;
    app.model.script([Reply::text("<script>alert(1)</script>")]);
    let answered = mia.ask("\"><img src=x onerror=alert(1)>").await;
    let path = format!(
        "/v1/conversations/{}/transcript",
        answered["conversation_id"].as_str().expect("an id")
    );
    assert_eq!(answer(mia.post(&path)).await.0, StatusCode::ACCEPTED);
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'done'", 1)
        .await;
    let page = app
        .http
        .get(format!("{}/inbox", app.url))
        .send()
        .await
        .expect("answers");
    assert_eq!(
        page.headers()["content-security-policy"],
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    );
    let html = page.text().await.expect("a page");
    assert!(
        html.contains("mia@example.com") && html.contains("Your conversation"),
        "{html}"
    );
    assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
    let real = TestApp::start().await;
    let page = real
        .http
        .get(format!("{}/inbox", real.url))
        .send()
        .await
        .expect("answers");
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
}
