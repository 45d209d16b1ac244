//! Calls every route as every kind of caller and checks the status against the access table (A1–A6, A10, R1). A route of the OpenAPI
//! document without a row in the table fails.

use std::collections::BTreeMap;

use chrono::Duration;
use countersign::{
    http::access::{ACCESS, Access},
    identity::{ApiScope, StaffRole, staff},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, TestApp, shopper::answer};

/// A caller of the API and its credential.
struct Caller {
    name: String,
    bearer: Option<String>,
    store_key: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// No credential, or an invalid one.
    Nobody,
    Store,
    Guest,
    Shopper,
    /// A staff session whose second factor is not set up.
    BeforeSecondFactor(StaffRole),
    Staff(StaffRole),
    /// An admin who has not given the password recently.
    AdminWithStalePassword,
    Machine(ApiScope),
}

/// The outcome that the table gives for this caller.
fn expected(access: Access, kind: Kind) -> Outcome {
    use Outcome::{Forbidden, Passes, Unauthenticated};
    match (access, kind) {
        (Access::Public, _) => Passes,
        (Access::Store, Kind::Store) => Passes,
        (Access::Store, _) => Unauthenticated,
        (_, Kind::Nobody | Kind::Store) => Unauthenticated,
        (Access::Session, Kind::Guest | Kind::Shopper) => Passes,
        (Access::Guest, Kind::Guest) => Passes,
        (Access::Guest, Kind::Shopper) => Forbidden,
        (Access::Account, Kind::Shopper) => Passes,
        (Access::Account, Kind::Guest) => Forbidden,
        (Access::Session | Access::Guest | Access::Account, _) => Unauthenticated,
        (_, Kind::Guest | Kind::Shopper) => Forbidden,
        (Access::StaffSession, Kind::Machine(_)) => Forbidden,
        (Access::StaffSession, _) => Passes,
        (Access::Staff(_, Some(scope)), Kind::Machine(has)) if scope == has => Passes,
        (_, Kind::Machine(_)) => Forbidden,
        (_, Kind::BeforeSecondFactor(_)) => Forbidden,
        (Access::Staff(role, _), Kind::Staff(has)) if has >= role => Passes,
        (Access::Staff(..), Kind::AdminWithStalePassword) => Passes,
        (Access::Staff(..), _) => Forbidden,
        (Access::FreshAdmin, Kind::Staff(StaffRole::Admin)) => Passes,
        (Access::FreshAdmin, _) => Forbidden,
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    /// The handler is reached. It may answer anything but 401 and 403.
    Passes,
    Unauthenticated,
    Forbidden,
}

#[tokio::test]
async fn every_route_answers_every_caller_as_the_table_says() {
    let app = TestApp::offline_with_settings(|settings| settings.staff_second_factor = true).await;
    let document = app.document().await;
    let documented = crate::laws::openapi::routes(&document);
    let rows: std::collections::BTreeSet<String> = ACCESS
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(
        documented, rows,
        "every documented route has a row in ACCESS, and every row a route"
    );

    let callers = callers(&app).await;
    let (mut checked, mut counts) = (0, BTreeMap::new());
    for (method, path, access) in ACCESS {
        for caller in &callers {
            // Routes that end the caller's own session would end the test. The tests in `sessions` cover them.
            let destroys = *method == "DELETE" && path.contains("/sessions") || path.ends_with("/sessions/guest");
            let outcome = expected(*access, caller.kind);
            if destroys && outcome == Outcome::Passes {
                continue;
            }
            let path = path
                .replace("{id}", "00000000-0000-7000-8000-000000000000")
                .replace("{number}", "0")
                .replace("{tool}", "nope");
            let url = format!("{}{path}", app.url);
            if path.ends_with("/events") && outcome == Outcome::Passes && path.contains("staff") {
                // The response is an endless stream; it is enough that it begins.
                let response = request(&app, method, &url, caller).send().await.expect("answers");
                assert_eq!(response.status(), StatusCode::OK, "{method} {path} as {}", caller.name);
                checked += 1;
                continue;
            }
            let (status, body) = answer(
                request(&app, method, &url, caller)
                    .body("{garbage")
                    .header("content-type", "application/json"),
            )
            .await;
            let found = match status {
                StatusCode::UNAUTHORIZED => Outcome::Unauthenticated,
                StatusCode::FORBIDDEN => Outcome::Forbidden,
                status if status.is_server_error() => panic!("{method} {path} as {}: {body}", caller.name),
                _ => Outcome::Passes,
            };
            assert_eq!(found, outcome, "{method} {path} as {}: {status} {body}", caller.name);
            checked += 1;
            *counts.entry(status.as_u16()).or_insert(0) += 1;
        }
    }
    println!(
        "{} routes × {} callers: {checked} answers as the table says {counts:?}",
        ACCESS.len(),
        callers.len()
    );
    assert_eq!(app.count("SELECT count(*) FROM turns").await, 0, "nothing was done");
}

fn request(app: &TestApp, method: &str, url: &str, caller: &Caller) -> reqwest::RequestBuilder {
    let mut request = app.http.request(method.parse::<Method>().expect("a method"), url);
    if let Some(bearer) = &caller.bearer {
        request = request.bearer_auth(bearer);
    }
    if let Some(key) = &caller.store_key {
        request = request.header("x-store-key", key);
    }
    request
}

async fn callers(app: &TestApp) -> Vec<Caller> {
    let mut callers = Vec::new();
    let mut add = |name: &str, kind: Kind, bearer: Option<String>| {
        let (name, store_key) = (name.to_owned(), None);
        callers.push(Caller {
            name,
            bearer,
            store_key,
            kind,
        });
    };
    add("nobody", Kind::Nobody, None);
    add("garbage", Kind::Nobody, Some("garbage".into()));
    // This session expires, because the clock is advanced after the log-in. All others log in later.
    let expired = app.shopper("noah").await;
    app.clock.advance(Duration::days(2));
    add("expired", Kind::Nobody, Some(expired.token));
    let revoked = app.shopper("noah").await;
    let log_out = app
        .http
        .delete(format!("{}/v1/sessions/current", app.url))
        .bearer_auth(&revoked.token);
    assert_eq!(answer(log_out).await.0, StatusCode::NO_CONTENT);
    add("revoked", Kind::Nobody, Some(revoked.token));
    let elsewhere = app.shopper_of_other_store("mia").await;
    add(
        "another store's, spliced",
        Kind::Nobody,
        Some(format!(
            "{}{}",
            &app.shopper("mia").await.token[..24],
            &elsewhere.token[24..]
        )),
    );
    add("guest", Kind::Guest, Some(app.guest().await.token));
    add("shopper", Kind::Shopper, Some(app.shopper("mia").await.token));
    add("other shopper", Kind::Shopper, Some(app.shopper("noah").await.token));
    add("another store's shopper", Kind::Shopper, Some(elsewhere.token));

    let mut admin = String::new();
    for role in [StaffRole::Viewer, StaffRole::Approver, StaffRole::Admin] {
        let email = format!("{role:?}@shop.example").to_lowercase();
        let (half, full) = staff_tokens(app, &email, role).await;
        if let Some(half) = half {
            add(
                &format!("{role:?}, half way in"),
                Kind::BeforeSecondFactor(role),
                Some(half),
            );
        }
        admin.clone_from(&full);
        add(&format!("{role:?}"), Kind::Staff(role), Some(full));
    }
    for scope in ApiScope::ALL {
        let body = json!({ "name": "test", "scopes": [scope], "days": 1 });
        let make = app
            .http
            .post(format!("{}/v1/staff/api-keys", app.url))
            .bearer_auth(&admin)
            .json(&body);
        let (status, made) = answer(make).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        add(
            scope.name(),
            Kind::Machine(scope),
            Some(made["token"].as_str().expect("a token").to_owned()),
        );
    }
    let (_, stale) = staff_tokens(app, "stale@shop.example", StaffRole::Admin).await;
    let long_ago = "UPDATE staff_sessions SET proved_at = proved_at - interval '11 minutes' WHERE staff_id = (SELECT id FROM staff WHERE email = 'stale@shop.example')";
    sqlx::raw_sql(long_ago)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    add("admin of long ago", Kind::AdminWithStalePassword, Some(stale));
    callers.push(Caller {
        name: "somebody at the door".into(),
        bearer: None,
        store_key: Some(app.store.key.as_str().to_owned()),
        kind: Kind::Store,
    });
    callers
}

/// The tokens before and after the second factor. A viewer needs no second factor.
async fn staff_tokens(app: &TestApp, email: &str, role: StaffRole) -> (Option<String>, String) {
    staff::add(&app.pools.executor, &app.store.tenant, email, role, PASSWORD.into())
        .await
        .expect("added");
    let log_in = app.with_store_key("/v1/staff/sessions", json!({ "email": email, "password": PASSWORD }));
    let (status, opened) = answer(log_in).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    let token = opened["token"].as_str().expect("a token").to_owned();
    if opened["next"] == "work" {
        return (None, token);
    }
    let (.., full) = crate::identity::staff_sign_in::set_up_second_factor(app, &token).await;
    // Setting the second factor up ends the session it was done from, so a colleague has the session without one.
    let colleague = format!("half-{email}");
    staff::add(
        &app.pools.executor,
        &app.store.tenant,
        &colleague,
        role,
        PASSWORD.into(),
    )
    .await
    .expect("added");
    let log_in = app.with_store_key(
        "/v1/staff/sessions",
        json!({ "email": colleague, "password": PASSWORD }),
    );
    let half = answer(log_in).await.1["token"].as_str().expect("a token").to_owned();
    (
        Some(half),
        full["session"]["token"].as_str().expect("a token").to_owned(),
    )
}

/// A body cannot name the caller's identity: every route refuses such a field by its name (A4).
#[tokio::test]
async fn identity_in_any_body_is_refused() {
    let app = TestApp::offline().await;
    let document = app.document().await;
    let (guest, mia) = (app.guest().await, app.shopper("mia").await);
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let mut bodies = 0;
    for (method, path, access) in ACCESS {
        if document["paths"][*path][method.to_lowercase()]["requestBody"].is_null() || *access == Access::Public {
            continue;
        }
        let (bearer, store_key) = match access {
            Access::Store => (None, Some(app.store.key.as_str().to_owned())),
            Access::Guest => (Some(guest.token.clone()), None),
            Access::Session | Access::Account => (Some(mia.token.clone()), None),
            _ => (Some(admin.token.clone()), None),
        };
        let (name, kind) = (String::new(), Kind::Nobody);
        let caller = Caller {
            name,
            bearer,
            store_key,
            kind,
        };
        let url = format!("{}{path}", app.url)
            .replace("{id}", "00000000-0000-7000-8000-000000000000")
            .replace("{tool}", "hand_off");
        for field in ["tenant_id", "shopper_id", "user_id", "role_of_caller"] {
            let (status, problem) = answer(request(&app, method, &url, &caller).json(&json!({ field: "noah" }))).await;
            assert_eq!(
                status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{method} {path} {field}: {problem}"
            );
            assert_eq!(problem["errors"][0]["field"], field, "{method} {path}: {problem}");
        }
        bodies += 1;
    }
    println!("{bodies} bodies");
    assert!(bodies >= 20);
}
