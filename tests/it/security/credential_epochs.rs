//! Every proof (session, code, link, key) ends when the account it was issued for changes (A3, A8).

use countersign::{
    config::{AddressHeader, Proxies},
    identity::{StaffRole, shoppers, staff},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    identity::staff_sign_in::code_of,
    support::{PASSWORD, TestApp, shopper::answer},
};

const NEW_PASSWORD: &str = "violet kettle on the pier";

/// Changes of a staff account, as SQL of the superuser. The database raises the epoch whoever writes.
const STAFF_EVENTS: [(&str, &str); 5] = [
    (
        "a new password",
        "UPDATE staff SET password_hash = password_hash || '.' WHERE email = ",
    ),
    (
        "a promotion",
        "UPDATE staff SET role = CASE role WHEN 'admin' THEN 'approver' ELSE 'admin' END WHERE email = ",
    ),
    (
        "shut out and let in again",
        "UPDATE staff SET disabled_at = now() WHERE email = ",
    ),
    (
        "another address",
        "UPDATE staff SET email = 'moved-' || email WHERE email = ",
    ),
    (
        "a second factor",
        "UPDATE staff SET totp_confirmed_at = now() WHERE email = ",
    ),
];

/// The tables that hold proofs. Each has an epoch, which the test below checks.
const PROOF_TABLES: [&str; 4] = ["api_keys", "codes", "sessions", "staff_sessions"];

#[tokio::test]
async fn every_table_of_proofs_is_stamped_and_in_the_tests() {
    let app = TestApp::offline().await;
    let stamped: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'epoch' AND table_name NOT IN ('staff', 'shoppers') ORDER BY 1",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("reads");
    assert_eq!(stamped, PROOF_TABLES);
    // Every table with the hash of a token holds proofs.
    let secrets: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'token_hash' ORDER BY 1",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("reads");
    assert!(
        secrets.iter().all(|table| PROOF_TABLES.contains(&table.as_str())),
        "{secrets:?}"
    );
}

async fn change_account(app: &TestApp, event: &str, email: &str) {
    let statement = format!("{event}'{email}'");
    let done = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut app.superuser().await)
        .await;
    assert_eq!(done.expect("runs").rows_affected(), 1, "{event}");
}

#[tokio::test]
async fn every_proof_of_staff_dies_with_every_change_of_the_account() {
    let app = TestApp::offline().await;
    let boss = app.staff("boss@shop.example", StaffRole::Admin).await;
    for (at, (name, event)) in STAFF_EVENTS.into_iter().enumerate() {
        let email = format!("s{at}@shop.example");
        let member = app.staff(&email, StaffRole::Admin).await;
        let made = answer(
            member
                .request("POST", "/v1/staff/api-keys")
                .json(&json!({ "name": "k", "scopes": ["proposals:read"], "days": 3 })),
        )
        .await
        .1;
        let key = member.with_token(made["token"].as_str().expect("a token"));
        let invited = boss
            .request("POST", "/v1/staff/invitations")
            .json(&json!({ "email": email, "role": "admin" }));
        assert_eq!(answer(invited).await.0, StatusCode::ACCEPTED);
        let (_, invitation) = app.mailbox.newest_to(&email, 1).await.link();
        // An invitation that this member gave to somebody else.
        let friend = format!("friend{at}@shop.example");
        let given = member
            .request("POST", "/v1/staff/invitations")
            .json(&json!({ "email": friend, "role": "admin" }));
        assert_eq!(answer(given).await.0, StatusCode::ACCEPTED);
        let (_, word) = app.mailbox.newest_to(&friend, 1).await.link();
        let (_, factor) = answer(member.request("POST", "/v1/staff/second-factor")).await;
        for (proof, path) in [(&member, "/v1/staff/proposals"), (&key, "/v1/staff/proposals")] {
            assert_eq!(proof.read(path).await.0, StatusCode::OK, "{name}: alive before");
        }
        change_account(&app, event, &email).await;
        if name.starts_with("shut out") {
            change_account(&app, "UPDATE staff SET disabled_at = NULL WHERE email = ", &email).await;
        }
        assert_eq!(
            member.read("/v1/staff/proposals").await.0,
            StatusCode::UNAUTHORIZED,
            "{name}: session"
        );
        assert_eq!(
            key.read("/v1/staff/proposals").await.0,
            StatusCode::UNAUTHORIZED,
            "{name}: machine key"
        );
        let confirm = member
            .request("POST", "/v1/staff/second-factor/confirm")
            .json(&json!({ "code": code_of(factor["secret"].as_str().expect("a secret"), &app) }));
        assert_eq!(
            answer(confirm).await.0,
            StatusCode::UNAUTHORIZED,
            "{name}: second factor that was begun"
        );
        for (link, whose) in [(&invitation, "invitation"), (&word, "invitation that was given")] {
            // The account has another address now, so the invitation of the old address belongs to no account and may be accepted.
            if name == "another address" && whose == "invitation" {
                continue;
            }
            let accept = app.with_store_key(
                "/v1/staff/invitations/accept",
                json!({ "token": link, "password": NEW_PASSWORD }),
            );
            assert_eq!(answer(accept).await.0, StatusCode::UNAUTHORIZED, "{name}: {whose}");
        }
    }
}

#[tokio::test]
async fn every_proof_of_a_shopper_dies_with_every_change_of_the_account() {
    let app = TestApp::offline().await;
    for event in [
        "a new password by the owner",
        "a reset",
        "a new password by command",
        "the password taken away",
        "another address",
    ] {
        let tenant = &app.store.tenant;
        shoppers::set_password(&app.pools.executor, tenant, "mia", PASSWORD.into(), chrono::Utc::now())
            .await
            .expect("set");
        app.execute_sql("DELETE FROM throttles").await;
        let mia = app.shopper("mia").await;
        let before = app.mailbox.all().len();
        let mailed = |count: usize| {
            let app = &app;
            async move { app.mailbox.newest_to("mia@example.com", before + count).await }
        };
        assert_eq!(
            answer(app.with_store_key("/v1/sessions/code-requests", json!({ "email": "mia@example.com" })))
                .await
                .0,
            StatusCode::ACCEPTED
        );
        let code = mailed(1).await.code();
        let ask = || app.with_store_key("/v1/password-resets", json!({ "email": "mia@example.com" }));
        assert_eq!(answer(ask()).await.0, StatusCode::ACCEPTED, "{event}");
        let (_, link) = mailed(2).await.link();
        match event {
            "a new password by the owner" => {
                let body = json!({ "current_password": PASSWORD, "password": NEW_PASSWORD });
                let changed = app
                    .http
                    .put(format!("{}/v1/password", app.url))
                    .bearer_auth(&mia.token)
                    .json(&body);
                let (status, body) = answer(changed).await;
                assert!(status.is_success(), "{status} {body}");
            }
            "a reset" => {
                assert_eq!(answer(ask()).await.0, StatusCode::ACCEPTED);
                let (_, other) = mailed(3).await.link();
                let reset = app.with_store_key(
                    "/v1/password-resets/complete",
                    json!({ "token": other, "password": NEW_PASSWORD }),
                );
                assert!(answer(reset).await.0.is_success());
            }
            "a new password by command" => {
                shoppers::set_password(&app.pools.executor, tenant, "mia", NEW_PASSWORD.into(), chrono::Utc::now())
                    .await
                    .expect("set");
            }
            "the password taken away" => app.execute_sql("SELECT set_config('app.tenant_id', tenant_id::text, false) FROM tenants WHERE slug = 'one'; DELETE FROM passwords").await,
            _ => {
                app.execute_sql("UPDATE shoppers SET email = 'mia2@example.com' WHERE email = 'mia@example.com'")
                    .await;
            }
        }
        assert_eq!(
            mia.read("/v1/orders").await.0,
            StatusCode::UNAUTHORIZED,
            "{event}: session"
        );
        let with_code = app.with_store_key("/v1/sessions/code", json!({ "email": "mia@example.com", "code": code }));
        assert_eq!(answer(with_code).await.0, StatusCode::UNAUTHORIZED, "{event}: code");
        let reset = app.with_store_key(
            "/v1/password-resets/complete",
            json!({ "token": link, "password": NEW_PASSWORD }),
        );
        assert_eq!(answer(reset).await.0, StatusCode::UNAUTHORIZED, "{event}: reset link");
    }
}

#[tokio::test]
async fn the_proof_of_an_order_dies_with_every_change_of_its_owner() {
    let app = TestApp::offline().await;
    for event in [
        "a new password",
        "the password taken away",
        "another address",
        "another owner",
        "erased",
    ] {
        app.execute_sql("DELETE FROM throttles").await;
        let owner = match event {
            "erased" => "noah",
            _ => "mia",
        };
        let (number, email) = match owner {
            "mia" => ("#1001", "mia@example.com"),
            _ => ("#2001", "noah@example.com"),
        };
        let guest = app.guest().await;
        let before = app.mailbox.all().iter().filter(|mail| mail.to == email).count();
        let ask = guest.post("/v1/order-proofs");
        let ask = ask.json(&json!({ "order_number": number, "email": email }));
        assert_eq!(answer(ask).await.0, StatusCode::ACCEPTED);
        let code = app.mailbox.newest_to(email, before + 1).await.code();
        let verify = guest.post("/v1/order-proofs/verify");
        let verify = verify.json(&json!({ "email": email, "code": code }));
        let (status, proved) = answer(verify).await;
        assert_eq!(status, StatusCode::CREATED, "{event}: {proved}");
        let guest = guest.with(proved["token"].as_str().expect("a token"));
        let path = format!("/v1/orders/{}", number.trim_start_matches('#'));
        assert_eq!(guest.read(&path).await.0, StatusCode::OK, "{event}: alive before");
        let tenant = &app.store.tenant;
        match event {
            "a new password" => {
                shoppers::set_password(&app.pools.executor, tenant, "mia", NEW_PASSWORD.into(), chrono::Utc::now())
                    .await
                    .expect("set");
            }
            "the password taken away" => app.execute_sql("SELECT set_config('app.tenant_id', tenant_id::text, false) FROM tenants WHERE slug = 'one'; DELETE FROM passwords").await,
            "another address" => {
                app.execute_sql("UPDATE shoppers SET email = 'mia2@example.com' WHERE email = 'mia@example.com'; UPDATE shoppers SET email = 'mia@example.com' WHERE email = 'mia2@example.com'")
                    .await;
            }
            "another owner" => {
                app.execute_sql("SET session_replication_role = replica; UPDATE orders SET shopper_id = n.shopper_id FROM shoppers n WHERE n.email = 'noah@example.com' AND n.tenant_id = orders.tenant_id AND orders.number = '#1001'")
                    .await;
            }
            _ => super::erasure::erase(&app, "noah@example.com").await,
        }
        assert_eq!(guest.read(&path).await.0, StatusCode::NOT_FOUND, "{event}: order proof");
        assert_eq!(
            guest.read("/v1/sessions/current").await.0,
            StatusCode::OK,
            "{event}: the guest goes on as a guest"
        );
    }
}

#[tokio::test]
async fn an_account_that_was_shut_or_given_a_new_password_by_command_lets_no_old_session_back_in() {
    let app = TestApp::offline().await;
    let old = app.staff("ann@shop.example", StaffRole::Viewer).await;
    staff::add(
        &app.pools.executor,
        &app.store.tenant,
        "ann@shop.example",
        StaffRole::Admin,
        NEW_PASSWORD.into(),
    )
    .await
    .expect("added");
    assert_eq!(old.read("/v1/staff/proposals").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer(old.request("POST", "/v1/staff/second-factor")).await.0,
        StatusCode::UNAUTHORIZED
    );
    // Removing the second factor raises the epoch too.
    app.execute_sql(
        "UPDATE staff SET totp_secret = 'x', totp_confirmed_at = NULL; UPDATE staff SET totp_confirmed_at = now()",
    )
    .await;
    let epoch = "SELECT epoch::bigint FROM staff WHERE email = 'ann@shop.example'";
    let with = app.count(epoch).await;
    app.execute_sql("UPDATE staff SET totp_secret = NULL, totp_confirmed_at = NULL")
        .await;
    assert_eq!(app.count(epoch).await, with + 1);
    // Epochs cannot be written directly, so a raised epoch stays raised.
    app.execute_sql("UPDATE staff_sessions SET epoch = 2").await;
    app.execute_sql("UPDATE staff SET epoch = 1").await;
    assert_eq!(old.read("/v1/staff/proposals").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_registration_belongs_to_who_began_it() {
    let app = TestApp::offline().await;
    let register = |password: &str| {
        let body = json!({ "email": "ada@example.com", "password": password, "first_name": "Ada", "last_name": "L" });
        answer(app.with_store_key("/v1/registrations", body))
    };
    let (status, hers) = register(NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let her_code = app.mailbox.newest_to("ada@example.com", 1).await.code();
    register("green anchors sing at dawn").await;
    let newest = app.mailbox.newest_to("ada@example.com", 2).await.code();
    let verify = |code: &str, attempt: Option<&Value>| {
        let mut body = json!({ "email": "ada@example.com", "code": code });
        if let Some(attempt) = attempt {
            body["attempt"] = attempt.clone();
        }
        answer(app.with_store_key("/v1/registrations/verify", body))
    };
    // The code of another attempt does not verify hers, and no code counts without its attempt.
    assert_eq!(
        verify(&newest, Some(&hers["attempt"])).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(verify(&newest, None).await.0, StatusCode::UNAUTHORIZED);
    // Her code is still valid after the newer one.
    assert_eq!(verify(&her_code, Some(&hers["attempt"])).await.0, StatusCode::CREATED);
    let log_in = |password: &str| {
        answer(app.with_store_key(
            "/v1/sessions",
            json!({ "email": "ada@example.com", "password": password }),
        ))
    };
    assert_eq!(log_in(NEW_PASSWORD).await.0, StatusCode::CREATED);
    assert_eq!(log_in("green anchors sing at dawn").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        verify(&newest, None).await.0,
        StatusCode::UNAUTHORIZED,
        "the account is another one now"
    );
}

#[tokio::test]
async fn strangers_neither_kill_a_fresh_code_nor_shut_out_its_owner() {
    let app = TestApp::offline_with_settings(|settings| {
        settings.connections.proxies = Proxies {
            networks: vec!["127.0.0.1/32".parse().expect("a network")],
            header: AddressHeader::XForwardedFor,
        };
    })
    .await;
    let from = |path: &str, body: Value, address: &str| {
        answer(app.with_store_key(path, body).header("x-forwarded-for", address))
    };
    let email = json!({ "email": "mia@example.com" });
    assert_eq!(
        from("/v1/sessions/code-requests", email.clone(), "192.0.2.1").await.0,
        StatusCode::ACCEPTED
    );
    let code = app.mailbox.newest_to("mia@example.com", 1).await.code();
    let (_, pending) = from(
        "/v1/registrations",
        json!({ "email": "ada@example.com", "password": NEW_PASSWORD, "first_name": "A", "last_name": "L" }),
        "192.0.2.1",
    )
    .await;
    let hers = app.mailbox.newest_to("ada@example.com", 1).await.code();
    for network in 1..=17 {
        let address = format!("198.51.100.{network}");
        for guess in 0..6 {
            for (path, email) in [
                ("/v1/sessions/code", "mia@example.com"),
                ("/v1/registrations/verify", "ada@example.com"),
            ] {
                let text = format!("{guess:08}");
                if text != code && text != hers {
                    let (status, _) = from(path, json!({ "email": email, "code": text }), &address).await;
                    assert!(status.is_client_error(), "{path}");
                }
            }
        }
    }
    // What strangers have together is used up: from one more network even the right code is of no use, and it is not compared.
    let body = json!({ "email": "mia@example.com", "code": code });
    assert_eq!(
        from("/v1/sessions/code", body, "203.0.113.5").await.0,
        StatusCode::UNAUTHORIZED
    );
    let left = "SELECT count(*) FROM codes WHERE purpose = 'log_in' AND attempts_left = 0";
    assert_eq!(app.count(left).await, 1);
    let body = json!({ "email": "ada@example.com", "code": hers });
    assert_eq!(
        from("/v1/registrations/verify", body.clone(), "192.0.2.1").await.0,
        StatusCode::UNAUTHORIZED,
        "a registration's code without its attempt"
    );
    let mut body = body;
    body["attempt"] = pending["attempt"].clone();
    assert_eq!(
        from("/v1/registrations/verify", body, "192.0.2.7").await.0,
        StatusCode::CREATED,
        "whoever began it, from anywhere"
    );
    assert_eq!(
        from("/v1/sessions/code-requests", email, "198.51.100.77").await.0,
        StatusCode::ACCEPTED
    );
    let body = json!({ "email": "mia@example.com", "password": PASSWORD });
    assert_eq!(
        from("/v1/sessions", body, "192.0.2.9").await.0,
        StatusCode::CREATED,
        "her password, from a new place"
    );
    let body = json!({ "email": "mia@example.com", "code": code });
    assert_eq!(
        from("/v1/sessions/code", body, "192.0.2.1").await.0,
        StatusCode::CREATED,
        "her first code"
    );
}

#[tokio::test]
async fn a_log_in_under_way_when_the_password_changes_opens_nothing() {
    let app = TestApp::offline_with_settings(|settings| {
        settings.limits = countersign::config::Limits::wide();
        settings.connections.proxies = Proxies {
            networks: vec!["127.0.0.0/8".parse().expect("a network")],
            header: AddressHeader::XForwardedFor,
        };
    })
    .await;
    let mut old = PASSWORD.to_owned();
    for round in 0..5 {
        let new = format!("{NEW_PASSWORD} {round}");
        let log_in = |password: &str, caller: usize| {
            app.with_store_key(
                "/v1/sessions",
                json!({ "email": "mia@example.com", "password": password }),
            )
            .header("x-forwarded-for", format!("198.51.{round}.{caller}"))
        };
        let (_, known) = answer(log_in(&old, 1)).await;
        let change = app
            .http
            .put(format!("{}/v1/password", app.url))
            .bearer_auth(known["token"].as_str().expect("a token"))
            .header("x-forwarded-for", format!("198.51.{round}.2"))
            .json(&json!({ "current_password": old, "password": new }));
        let racing = (3..9).map(|caller| answer(log_in(&old, caller)));
        let (changed, opened) = tokio::join!(answer(change), futures::future::join_all(racing));
        assert_eq!(changed.0, StatusCode::CREATED, "{}", changed.1);
        for (status, session) in opened {
            if status == StatusCode::CREATED {
                let token = session["token"].as_str().expect("a token");
                let current = app
                    .http
                    .get(format!("{}/v1/sessions/current", app.url))
                    .bearer_auth(token);
                assert_eq!(answer(current).await.0, StatusCode::UNAUTHORIZED, "round {round}");
            }
        }
        old = new;
    }
}

#[tokio::test]
async fn a_stream_of_the_queue_ends_with_the_session_that_opened_it() {
    let app = TestApp::offline().await;
    let kim = app.staff("kim@shop.example", StaffRole::Approver).await;
    let stream = kim.request("GET", "/v1/staff/proposals/events");
    let stream = stream.send().await.expect("answers");
    assert_eq!(stream.status(), StatusCode::OK);
    let log_out = kim.request("DELETE", "/v1/staff/sessions/current");
    assert_eq!(answer(log_out).await.0, StatusCode::NO_CONTENT);
    // Otherwise the stream would never end.
    stream.text().await.expect("it ends");
}
