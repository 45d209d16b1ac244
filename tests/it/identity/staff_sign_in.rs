//! Staff: second factor, invitations, API keys, recent password checks (A6, A8).

use chrono::Duration;
use countersign::identity::{StaffRole, staff};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, shopper::answer};

/// The current code of an authenticator app with this secret.
pub fn code_of(secret: &str, app: &TestApp) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("base 32");
    let totp = totp_rs::Builder::new()
        .with_algorithm(totp_rs::Algorithm::SHA1)
        .with_secret(secret)
        .with_account_name("x")
        .build()
        .expect("builds");
    totp.generate(app.clock.now().timestamp() as u64).to_string()
}

/// Sets the second factor up. Returns its secret, the code that confirmed it and the answer.
pub async fn set_up_second_factor(app: &TestApp, token: &str) -> (String, String, Value) {
    let post = |path: &str| app.http.post(format!("{}{path}", app.url)).bearer_auth(token);
    let (status, new) = answer(post("/v1/staff/second-factor")).await;
    assert_eq!(status, StatusCode::CREATED, "{new}");
    let secret = new["secret"].as_str().expect("a secret").to_owned();
    let code = code_of(&secret, app);
    let (status, confirmed) = answer(post("/v1/staff/second-factor/confirm").json(&json!({ "code": code }))).await;
    assert_eq!(status, StatusCode::CREATED, "{confirmed}");
    (secret, code, confirmed)
}

async fn strict() -> TestApp {
    TestApp::offline_with_settings(|settings| settings.staff_second_factor = true).await
}

async fn log_in(app: &TestApp, email: &str, code: Option<&str>) -> (StatusCode, Value) {
    let mut body = json!({ "email": email, "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    answer(app.with_store_key("/v1/staff/sessions", body)).await
}

#[tokio::test]
async fn a_second_factor_is_needed_works_once_and_has_recovery_codes() {
    let app = strict().await;
    staff::add(
        &app.pools.executor,
        &app.store.tenant,
        "kim@shop.example",
        StaffRole::Admin,
        PASSWORD.into(),
    )
    .await
    .expect("added");
    let (_, opened) = log_in(&app, "kim@shop.example", None).await;
    assert_eq!(opened["next"], "set_up_second_factor");
    let half = opened["token"].as_str().expect("a token").to_owned();
    let queue = |token: &str| {
        app.http
            .get(format!("{}/v1/staff/proposals", app.url))
            .bearer_auth(token)
    };
    let (status, problem) = answer(queue(&half)).await;
    assert_eq!(
        (status, &problem["type"]),
        (
            StatusCode::FORBIDDEN,
            &json!("urn:countersign:problem:second_factor_not_set_up")
        )
    );
    let (secret, used, confirmed) = set_up_second_factor(&app, &half).await;
    let full = confirmed["session"]["token"].as_str().expect("a token").to_owned();
    assert_eq!(answer(queue(&full)).await.0, StatusCode::OK);
    assert_eq!(
        answer(queue(&half)).await.0,
        StatusCode::UNAUTHORIZED,
        "the half session has ended"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM staff WHERE totp_secret IS NOT NULL AND length(totp_secret) = 52")
            .await,
        1,
        "sealed"
    );

    let (status, problem) = log_in(&app, "kim@shop.example", None).await;
    assert_eq!(
        (status, &problem["type"]),
        (
            StatusCode::UNAUTHORIZED,
            &json!("urn:countersign:problem:second_factor_needed")
        )
    );
    assert_eq!(
        log_in(&app, "kim@shop.example", Some(&used)).await.0,
        StatusCode::UNAUTHORIZED,
        "used when it was set up"
    );
    app.clock.advance(Duration::seconds(60));
    let fresh = code_of(&secret, &app);
    assert_eq!(
        log_in(&app, "kim@shop.example", Some(&fresh)).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        log_in(&app, "kim@shop.example", Some(&fresh)).await.0,
        StatusCode::UNAUTHORIZED,
        "works once"
    );
    let recovery = confirmed["recovery_codes"][0].as_str().expect("a code");
    assert_eq!(
        log_in(&app, "kim@shop.example", Some(&recovery.to_uppercase())).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        log_in(&app, "kim@shop.example", Some(recovery)).await.0,
        StatusCode::UNAUTHORIZED,
        "works once"
    );
    // A second factor can be set up only once, so a stolen session cannot replace it.
    let again = app
        .http
        .post(format!("{}/v1/staff/second-factor", app.url))
        .bearer_auth(&full);
    assert_eq!(answer(again).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn rules_and_keys_change_only_a_moment_after_the_password() {
    let app = TestApp::offline().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let policy = || {
        admin
            .request("PUT", "/v1/staff/policies/hand_off")
            .json(&json!({ "mode": "staff" }))
    };
    assert_eq!(answer(policy()).await.0, StatusCode::OK, "just logged in");
    app.clock.advance(Duration::minutes(11));
    let (status, problem) = answer(policy()).await;
    assert_eq!(
        (status, &problem["type"]),
        (StatusCode::FORBIDDEN, &json!("urn:countersign:problem:reauthenticate"))
    );
    let prove = |password: &str| {
        admin
            .request("POST", "/v1/staff/reauthentication")
            .json(&json!({ "password": password }))
    };
    assert_eq!(answer(prove("not the password")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(answer(policy()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(prove(PASSWORD)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(policy()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn people_join_by_invitation_and_are_shut_out_at_once() {
    let app = TestApp::offline().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let invite = admin
        .request("POST", "/v1/staff/invitations")
        .json(&json!({ "email": "Lee@shop.example", "role": "approver" }));
    assert_eq!(answer(invite).await.0, StatusCode::ACCEPTED);
    let (link, token) = app.mailbox.newest_to("lee@shop.example", 1).await.link();
    assert!(link.starts_with(&format!("{}/staff/join?store=pk_", app.url)), "{link}");
    let join = || {
        app.with_store_key(
            "/v1/staff/invitations/accept",
            json!({ "token": token, "password": "violet kettle on the pier" }),
        )
    };
    assert_eq!(answer(join()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(join()).await.0, StatusCode::UNAUTHORIZED, "works once");
    let body = json!({ "email": "lee@shop.example", "password": "violet kettle on the pier" });
    let (status, opened) = answer(app.with_store_key("/v1/staff/sessions", body)).await;
    assert_eq!((status, &opened["role"]), (StatusCode::CREATED, &json!("approver")));
    let lee = opened["token"].as_str().expect("a token");
    let queue = || app.http.get(format!("{}/v1/staff/proposals", app.url)).bearer_auth(lee);
    assert_eq!(answer(queue()).await.0, StatusCode::OK);

    let (_, members) = admin.read("/v1/staff/members").await;
    let id_of = |email: &str| {
        let members = members["members"].as_array().expect("members");
        let member = members
            .iter()
            .find(|member| member["email"] == email)
            .expect("a member");
        member["id"].as_str().expect("an id").to_owned()
    };
    let disable = |email: &str| admin.request("DELETE", &format!("/v1/staff/members/{}", id_of(email)));
    assert_eq!(
        answer(disable("kim@shop.example")).await.0,
        StatusCode::NOT_FOUND,
        "nobody shuts out themselves"
    );
    assert_eq!(answer(disable("lee@shop.example")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(queue()).await.0, StatusCode::UNAUTHORIZED);
    let actions = "SELECT count(*) FROM audit WHERE action IN ('staff.invite', 'staff.join', 'staff.disable')";
    assert_eq!(app.count(actions).await, 3);
}

#[tokio::test]
async fn a_key_acts_for_its_maker_in_every_rule_about_persons() {
    let app = TestApp::start().await;
    // Her address is also a shopper's.
    let admin = app.staff("mia@example.com", StaffRole::Admin).await;
    let boss = app.staff("boss@shop.example", StaffRole::Admin).await;
    let make = |who: &crate::support::TestStaff| {
        let body = json!({ "name": "night", "scopes": ["proposals:read", "proposals:decide"], "days": 30 });
        answer(who.request("POST", "/v1/staff/api-keys").json(&body))
    };
    let token = |made: &Value| made["token"].as_str().expect("a token").to_owned();
    let (hers, bosss) = (token(&make(&admin).await.1), token(&make(&boss).await.1));
    let approve = |token: &str, proposal: &Value| {
        let path = format!(
            "{}/v1/staff/proposals/{}/approve",
            app.url,
            proposal["id"].as_str().expect("an id")
        );
        answer(
            app.http
                .post(path)
                .bearer_auth(token)
                .json(&json!({ "digest": proposal["digest"] })),
        )
    };
    boss.set_policy(
        "request_refund",
        json!({ "mode": "staff", "two_deciders_from_minor": 1000 }),
    )
    .await;
    let refund = json!({ "order_number": "1002", "amount": "20", "reason": "scratched" });
    let proposal = app.shopper("mia").await.propose(&app, "request_refund", refund).await;
    assert_eq!(
        approve(&hers, &proposal).await.0,
        StatusCode::FORBIDDEN,
        "its maker asked for it"
    );
    assert_eq!(boss.approve(&proposal).await.1["state"], "pending");
    let (status, problem) = approve(&bosss, &proposal).await;
    assert_eq!(
        (status, &problem["type"]),
        (
            StatusCode::CONFLICT,
            &json!("urn:countersign:problem:second_person_needed")
        )
    );
    app.execute_sql("UPDATE tenants SET machine_decisions = false").await;
    let third = app.staff("third@shop.example", StaffRole::Admin).await;
    let thirds = token(&make(&third).await.1);
    assert_eq!(
        approve(&thirds, &proposal).await.0,
        StatusCode::FORBIDDEN,
        "people decide here"
    );
    // An API key ends when its maker's role changes.
    app.execute_sql("UPDATE tenants SET machine_decisions = true").await;
    app.execute_sql("UPDATE staff SET role = 'viewer' WHERE email = 'third@shop.example'")
        .await;
    assert_eq!(approve(&thirds, &proposal).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_machine_decides_with_its_key_until_it_is_revoked_or_over() {
    let app = TestApp::start().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let make = |scopes: Value, days: u32| {
        admin
            .request("POST", "/v1/staff/api-keys")
            .json(&json!({ "name": "night", "scopes": scopes, "days": days }))
    };
    let (status, made) = answer(make(json!(["proposals:read", "proposals:decide"]), 30)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let token = made["token"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("ck_"));
    assert_eq!(
        app.count("SELECT count(*) FROM api_keys WHERE position('ck_' IN encode(token_hash, 'escape')) > 0")
            .await,
        0
    );
    let mia = app.shopper("mia").await;
    let proposal = mia
        .propose(
            &app,
            "cancel_order",
            json!({ "order_number": "#1003", "reason": "no_longer_needed" }),
        )
        .await;
    let path = format!(
        "{}/v1/staff/proposals/{}/approve",
        app.url,
        proposal["id"].as_str().expect("an id")
    );
    let approve = app
        .http
        .post(path)
        .bearer_auth(&token)
        .json(&json!({ "digest": proposal["digest"] }));
    assert_eq!(answer(approve).await.0, StatusCode::OK);
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    assert_eq!(
        app.count("SELECT count(*) FROM decisions WHERE decider_kind = 'machine'")
            .await,
        1
    );
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE actor_kind = 'machine'")
            .await,
        1
    );

    let (_, keys) = admin.read("/v1/staff/api-keys").await;
    assert!(keys["api_keys"][0]["last_used_at"].is_string(), "{keys}");
    let queue = |token: &str| {
        app.http
            .get(format!("{}/v1/staff/proposals", app.url))
            .bearer_auth(token)
    };
    assert_eq!(answer(queue(&token)).await.0, StatusCode::OK);
    let revoke = admin.request(
        "DELETE",
        &format!("/v1/staff/api-keys/{}", made["key"]["id"].as_str().expect("an id")),
    );
    assert_eq!(answer(revoke).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(queue(&token)).await.0, StatusCode::UNAUTHORIZED);
    let (_, short) = answer(make(json!(["proposals:read"]), 1)).await;
    let short = short["token"].as_str().expect("a token");
    assert_eq!(answer(queue(short)).await.0, StatusCode::OK);
    app.clock.advance(Duration::days(2));
    assert_eq!(answer(queue(short)).await.0, StatusCode::UNAUTHORIZED, "over");
}
