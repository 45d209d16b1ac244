//! Limits (L1, L2, L5), CORS and security headers (C1, C2).

use countersign::{
    config::{AddressHeader, Connections, Limits, Proxies, Rate},
    identity::StaffRole,
};
use futures::StreamExt;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{PASSWORD, TestApp, shopper::answer};

/// A rate of one request a second, so that a test can use up the burst.
fn slow(burst: u32) -> Rate {
    Rate { per_second: 1, burst }
}

async fn statuses(requests: impl Iterator<Item = reqwest::RequestBuilder>) -> Vec<(StatusCode, HeaderMap)> {
    let mut found = Vec::new();
    for request in requests {
        let response = request.send().await.expect("answers");
        found.push((response.status(), response.headers().clone()));
    }
    found
}

fn refused(answers: &[(StatusCode, HeaderMap)]) -> usize {
    answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS)
        .count()
}

#[tokio::test]
async fn an_account_that_calls_too_often_is_told_how_long_to_wait_and_no_other_is_held_up() {
    let app = TestApp::offline_with_settings(|settings| {
        settings.limits = Limits {
            account: slow(5),
            ..Limits::wide()
        }
    })
    .await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    let answers = statuses((0..10).map(|_| mia.get("/v1/orders"))).await;
    assert!((4..=5).contains(&refused(&answers)), "{answers:?}");
    let (_, first) = &answers[0];
    assert_eq!(first["ratelimit-policy"], "\"account\";q=5;w=5");
    assert!(
        first["ratelimit"]
            .to_str()
            .expect("ASCII")
            .starts_with("\"account\";r="),
        "{first:?}"
    );
    let (_, last) = answers
        .iter()
        .rfind(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS)
        .expect("refused");
    let wait: u32 = last["retry-after"].to_str().expect("ASCII").parse().expect("seconds");
    assert!((1..=10).contains(&wait));
    assert!(last["ratelimit"].to_str().expect("ASCII").contains("r=0"));
    assert!(!last.contains_key("x-ratelimit-limit"));
    let (_, problem) = answer(mia.get("/v1/orders")).await;
    assert_eq!(problem["type"], "urn:countersign:problem:too_many");
    assert_eq!(noah.read("/v1/orders").await.0, StatusCode::OK);
}

#[tokio::test]
async fn sign_in_routes_are_stricter_than_the_others() {
    let limits = Limits {
        sign_in: slow(3),
        account: slow(50),
        ..Limits::wide()
    };
    let app = TestApp::offline_with_settings(|settings| settings.limits = limits).await;
    let mia = app.shopper("mia").await;
    let answers = statuses((0..6).map(|_| app.with_store_key("/v1/sessions/guest", json!({})))).await;
    assert!(refused(&answers) >= 3, "{answers:?}");
    assert_eq!(refused(&statuses((0..20).map(|_| mia.get("/v1/orders"))).await), 0);
}

#[tokio::test]
async fn an_address_cannot_be_made_up() {
    let address = |name: &'static str, value: String| (name, value);
    let spoofs = |n: u32| {
        [
            address("x-forwarded-for", format!("192.0.2.{n}")),
            address("x-forwarded-for", format!("192.0.2.{n}, 198.51.100.{n}")),
            address("cf-connecting-ip", format!("192.0.2.{n}")),
            address("forwarded", format!("for=192.0.2.{n}")),
            address("x-real-ip", format!("192.0.2.{n}")),
        ]
    };
    let app = TestApp::offline_with_settings(|settings| {
        settings.limits = Limits {
            address: slow(10),
            ..Limits::wide()
        }
    })
    .await;
    let requests = (0..4)
        .flat_map(spoofs)
        .map(|(name, value)| app.http.get(format!("{}/health", app.url)).header(name, value));
    assert!(
        refused(&statuses(requests).await) >= 8,
        "without a trusted proxy every header is ignored"
    );

    // Behind a proxy only the address that the proxy appended counts.
    let proxies = Proxies {
        networks: vec!["127.0.0.0/8".parse().expect("a network")],
        header: AddressHeader::XForwardedFor,
    };
    let app = TestApp::offline_with_settings(|settings| {
        settings.limits = Limits {
            address: slow(10),
            ..Limits::wide()
        };
        settings.connections = Connections {
            proxies,
            ..Connections::default()
        };
    })
    .await;
    let via = |chain: String| {
        app.http
            .get(format!("{}/health", app.url))
            .header("x-forwarded-for", chain)
    };
    let hopping = (0..20).map(|n| via(format!("192.0.2.{n}, 203.0.113.9")));
    assert!(
        refused(&statuses(hopping).await) >= 8,
        "one client, whatever it says before the proxy's word"
    );
    let many = (0..20).map(|n| via(format!("198.51.100.{n}")));
    assert_eq!(refused(&statuses(many).await), 0, "twenty clients");
    let subscriber = (0..20).map(|n| via(format!("2001:db8:1:2::{n:x}")));
    assert!(refused(&statuses(subscriber).await) >= 8, "one /64 is one subscriber");
    let mapped = (0..20).map(|n| {
        via(if n % 2 == 0 {
            "::ffff:198.51.100.77".into()
        } else {
            "198.51.100.77".to_owned()
        })
    });
    assert!(refused(&statuses(mapped).await) >= 8, "one address in two spellings");
}

/// Starts an app that trusts a proxy on loopback, so that a request can state its client address.
async fn behind_a_proxy() -> TestApp {
    let proxies = Proxies {
        networks: vec!["127.0.0.0/8".parse().expect("a network")],
        header: AddressHeader::XForwardedFor,
    };
    TestApp::offline_with_settings(|settings| {
        settings.connections = Connections {
            proxies,
            ..Connections::default()
        }
    })
    .await
}

fn log_in(app: &TestApp, from: &str, email: &str, password: &str) -> reqwest::RequestBuilder {
    app.with_store_key("/v1/sessions", json!({ "email": email, "password": password }))
        .header("x-forwarded-for", from)
}

#[tokio::test]
async fn guessing_is_held_back_and_the_owner_is_not_locked_out() {
    let app = behind_a_proxy().await;
    // The owner has logged in from this network before.
    assert_eq!(
        answer(log_in(&app, "203.0.113.5", "mia@example.com", PASSWORD)).await.0,
        StatusCode::CREATED
    );
    // Many guesses from one address.
    let answers =
        statuses((0..15).map(|n| log_in(&app, "198.51.100.1", "mia@example.com", &format!("guess {n}")))).await;
    assert_eq!(refused(&answers), 5, "ten guesses from one address: {answers:?}");
    // Guesses are counted by network, so guesses from many networks do not lock the owner out.
    let answers = statuses((0..40).map(|n| log_in(&app, &format!("192.0.2.{n}"), "mia@example.com", "guess"))).await;
    assert_eq!(refused(&answers), 0, "one guess from each network");
    assert_eq!(
        answer(log_in(&app, "203.0.113.99", "mia@example.com", PASSWORD))
            .await
            .0,
        StatusCode::CREATED,
        "from a place where she has never been"
    );
    // An account that does not exist is throttled in the same way.
    let answers =
        statuses((0..15).map(|n| log_in(&app, "198.51.100.2", "nobody@example.com", &format!("guess {n}")))).await;
    assert_eq!(refused(&answers), 5);
    assert_eq!(
        answer(log_in(&app, "203.0.113.5", "mia@example.com", PASSWORD)).await.0,
        StatusCode::CREATED,
        "from where she is known, what strangers do does not count"
    );
}

#[tokio::test]
async fn one_password_on_many_accounts_is_held_back_on_every_replica() {
    let app = TestApp::offline().await;
    let (other, _stop) = app.replica().await;
    let mut found = Vec::new();
    for n in 0..40 {
        let url = if n % 2 == 0 { &app.url } else { &other };
        let body = json!({ "email": format!("user{n}@example.com"), "password": "guess" });
        let request = app
            .http
            .post(format!("{url}/v1/sessions"))
            .header("x-store-key", app.store.key.as_str())
            .json(&body);
        found.push(answer(request).await.0);
    }
    let refused = found
        .iter()
        .filter(|status| **status == StatusCode::TOO_MANY_REQUESTS)
        .count();
    assert!(
        (8..=10).contains(&refused),
        "thirty from one address, both replicas together: {refused}"
    );
}

#[tokio::test]
async fn mails_to_one_address_are_few() {
    let app = TestApp::offline().await;
    let ask = || app.with_store_key("/v1/sessions/code-requests", json!({ "email": "mia@example.com" }));
    let answers = statuses((0..8).map(|_| ask())).await;
    assert_eq!(refused(&answers), 3, "{answers:?}");
    let unknown = || app.with_store_key("/v1/sessions/code-requests", json!({ "email": "nobody@example.com" }));
    assert_eq!(
        refused(&statuses((0..8).map(|_| unknown())).await),
        3,
        "an unknown address is held back alike"
    );
}

#[tokio::test]
async fn strangers_cannot_use_up_the_mails_of_an_owner() {
    let app = behind_a_proxy().await;
    let ask = |from: &str| {
        let request = app.with_store_key("/v1/sessions/code-requests", json!({ "email": "mia@example.com" }));
        request.header("x-forwarded-for", from)
    };
    let home = "203.0.113.5";
    assert_eq!(
        answer(log_in(&app, home, "mia@example.com", PASSWORD)).await.0,
        StatusCode::CREATED
    );
    let answers = statuses((0..30).map(|n| ask(&format!("192.0.2.{n}")))).await;
    assert!(
        (22..=24).contains(&refused(&answers)),
        "six from everywhere: {}",
        refused(&answers)
    );
    assert_eq!(
        answer(ask(home)).await.0,
        StatusCode::ACCEPTED,
        "from where she is known she can ask"
    );
}

#[tokio::test]
async fn only_the_stores_own_pages_may_call_from_a_browser() {
    let app = TestApp::offline().await;
    let page = "https://shop.example";
    for (store, origin) in [(&app.store, page), (&app.other_store, "https://two.example")] {
        let mut tx = app
            .pools
            .executor
            .begin(countersign::tenancy::Scope::tenant(store.tenant.id))
            .await
            .expect("begins");
        countersign::tenancy::origins::add(&mut tx, origin)
            .await
            .expect("added");
        tx.commit().await.expect("commits");
    }
    let mia = app.shopper("mia").await;
    let allowed = |headers: &HeaderMap| {
        headers
            .get("access-control-allow-origin")
            .map(|value| value.to_str().expect("ASCII").to_owned())
    };
    let preflight = |origin: &str| {
        app.http
            .request(reqwest::Method::OPTIONS, format!("{}/v1/chat/send", app.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
    };
    let response = preflight(page).send().await.expect("answers");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(allowed(response.headers()).as_deref(), Some(page));
    assert_eq!(response.headers()["access-control-max-age"], "3600");
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
    let vary = |headers: &HeaderMap| {
        headers
            .get_all("vary")
            .iter()
            .any(|value| value.to_str().is_ok_and(|vary| vary.to_lowercase().contains("origin")))
    };
    assert!(vary(response.headers()));
    let response = mia
        .get("/v1/orders")
        .header("origin", page)
        .send()
        .await
        .expect("answers");
    assert_eq!(allowed(response.headers()).as_deref(), Some(page));
    assert!(vary(response.headers()));
    for origin in [
        "https://shop.example.evil.test",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.",
        "HTTPS://SHOP.EXAMPLE",
        "https://a.shop.example",
        "https://evil-shop.example",
        "null",
        "*",
        "https://two.example",
        "file://",
    ] {
        let response = mia
            .get("/v1/orders")
            .header("origin", origin)
            .send()
            .await
            .expect("answers");
        assert_eq!(allowed(response.headers()), None, "{origin}");
        if origin != "https://two.example" {
            let response = preflight(origin).send().await.expect("answers");
            assert_eq!(allowed(response.headers()), None, "{origin}");
        }
        assert!(
            vary(response.headers()),
            "{origin}: a cache must not mix the answers up"
        );
    }
    // The page can read errors too.
    let response = app
        .http
        .get(format!("{}/v1/orders", app.url))
        .header("origin", page)
        .send()
        .await
        .expect("answers");
    assert_eq!(
        (response.status(), allowed(response.headers()).as_deref()),
        (StatusCode::UNAUTHORIZED, Some(page))
    );
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::offline_with_settings(|settings| settings.secure_cookies = true).await;
    for path in ["/health", "/v1/orders", "/nowhere", "/docs/", "/openapi.json"] {
        let response = app
            .http
            .get(format!("{}{path}", app.url))
            .send()
            .await
            .expect("answers");
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(
                response.headers().get(name).map(|value| value.to_str().expect("ASCII")),
                Some(value),
                "{path} {name}"
            );
        }
        for name in [
            "content-security-policy",
            "permissions-policy",
            "cross-origin-resource-policy",
            "x-request-id",
        ] {
            assert!(response.headers().contains_key(name), "{path} {name}");
        }
    }
    let opened = answer(
        app.with_store_key("/v1/sessions/guest", json!({}))
            .header("origin", "https://x"),
    )
    .await;
    assert_eq!(opened.0, StatusCode::CREATED);
}

#[tokio::test]
async fn compressed_bodies_are_not_taken() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    for encoding in ["gzip", "br", "identity, gzip"] {
        let bomb = mia
            .post("/v1/chat/send")
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(vec![0x1f, 0x8b, 8, 0]);
        let (status, problem): (_, Value) = answer(bomb).await;
        assert_eq!(
            (status, &problem["type"]),
            (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &json!("urn:countersign:problem:encoded")
            ),
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn heads_of_more_than_32_kib_are_refused_to_the_byte() {
    let app = TestApp::offline().await;
    for (bytes, expected) in [(31_000, 200), (33_000, 431), (40_000, 431), (100_000, 431)] {
        let answer = app
            .http
            .get(format!("{}/health", app.url))
            .header("x-filler", "a".repeat(bytes))
            .send()
            .await
            .expect("answers");
        assert_eq!(answer.status().as_u16(), expected, "{bytes}");
    }
}

/// Hits each throttle in Postgres with 64 requests at once on two replicas: no more than its burst passes.
#[tokio::test]
async fn sixty_four_at_once_on_two_replicas_pass_no_throttle() {
    let app = behind_a_proxy().await;
    let (other, _stop) = app.replica().await;
    let hit = |path: &'static str, body: fn(usize) -> Value, from: fn(usize) -> String| {
        let requests = (0..64).map(|n| {
            let url = if n % 2 == 0 { &app.url } else { &other };
            app.http
                .post(format!("{url}{path}"))
                .header("x-store-key", app.store.key.as_str())
                .header("x-forwarded-for", from(n))
                .json(&body(n))
                .send()
        });
        futures::future::join_all(requests)
    };
    for (throttle, burst, answers) in [
        (
            "guesses from one address",
            30,
            hit(
                "/v1/sessions",
                |n| json!({ "email": format!("g{n}@example.com"), "password": "x" }),
                |_| "192.0.2.1".into(),
            )
            .await,
        ),
        (
            "guesses at one account from one address",
            10,
            hit(
                "/v1/sessions",
                |_| json!({ "email": "one@example.com", "password": "x" }),
                |_| "192.0.2.2".into(),
            )
            .await,
        ),
        (
            "mails from one address",
            20,
            hit(
                "/v1/sessions/code-requests",
                |n| json!({ "email": format!("m{n}@example.com") }),
                |_| "192.0.2.3".into(),
            )
            .await,
        ),
        (
            "mails to one address from one address",
            5,
            hit(
                "/v1/sessions/code-requests",
                |_| json!({ "email": "two@example.com" }),
                |_| "192.0.2.4".into(),
            )
            .await,
        ),
        (
            "mails to one address",
            6,
            hit(
                "/v1/sessions/code-requests",
                |_| json!({ "email": "three@example.com" }),
                |n| format!("198.51.100.{n}"),
            )
            .await,
        ),
    ] {
        let statuses: Vec<StatusCode> = answers
            .into_iter()
            .map(|answer| answer.expect("answers").status())
            .collect();
        let refused = statuses
            .iter()
            .filter(|status| **status == StatusCode::TOO_MANY_REQUESTS)
            .count();
        assert!(
            statuses.iter().all(|status| !status.is_server_error()),
            "{throttle}: {statuses:?}"
        );
        // One more may have been allowed again in the meantime.
        assert!(
            (63 - burst..=64 - burst).contains(&refused),
            "{throttle}: {refused} of 64 were refused"
        );
    }
}

/// Adds 64 rows of each kind at once on two replicas: no more than the limit are in use.
#[tokio::test]
async fn sixty_four_at_once_on_two_replicas_add_no_more_than_a_store_may_have() {
    let app = TestApp::start().await;
    let (other, _stop) = app.replica().await;
    let admin = app.staff("ann@shop.example", StaffRole::Admin).await;
    let key = json!({ "name": "a machine", "scopes": ["proposals:read"], "days": 30 });
    for (path, body, table, most) in [
        (
            "/v1/staff/webhook-endpoints",
            json!({ "url": "https://example.com/hook" }),
            "webhook_endpoints",
            10,
        ),
        ("/v1/staff/store-keys", Value::Null, "store_keys", 20),
        ("/v1/staff/api-keys", key, "api_keys", 100),
    ] {
        let sent = (0..if most > 64 { 128 } else { 64 }).map(|n| {
            let url = if n % 2 == 0 { &app.url } else { &other };
            let request = admin.at(url).request("POST", path);
            answer(if body.is_null() { request } else { request.json(&body) })
        });
        let answers: Vec<_> = futures::stream::iter(sent).buffer_unordered(64).collect().await;
        let full = answers.iter().filter(|(status, _)| *status == StatusCode::CONFLICT);
        assert!(full.count() >= answers.len() - most, "{path}: {answers:?}");
        let in_use = format!("SELECT count(*) FROM {table} JOIN tenants USING (tenant_id) WHERE slug = 'one'");
        let mut db = app.superuser().await;
        let in_use: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(in_use))
            .fetch_one(&mut db)
            .await
            .expect("counts");
        assert_eq!(in_use, most as i64, "{path}");
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let app = TestApp::offline().await;
    let address = app.url.strip_prefix("http://").expect("an address").to_owned();
    for (hosts, expected) in [
        ("Host: a\r\n", "200"),
        ("Host: a\r\nHost: b\r\n", "400"),
        ("Host: a\r\nhost: a\r\n", "400"),
        ("", "400"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connects");
        let request = format!("GET /health HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("answers");
        assert!(text.starts_with(&format!("HTTP/1.1 {expected}")), "{hosts:?}: {text}");
    }
}
