//! Signed assertions of a store's own site (A7): the example in the docs works, and every forgery is refused.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use countersign::identity::assertion_keys;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApp, TestShopper, shopper::answer};

struct Site {
    shared: String,
    /// The private key as PKCS #8.
    private: Vec<u8>,
    public: [u8; 32],
}

/// Adds an assertion key of each kind to the first store.
async fn site(app: &TestApp) -> Site {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::generate().expect("a pair");
    let public: [u8; 32] = pair.public_key().as_ref().try_into().expect("32 bytes");
    let mut tx = app
        .pools
        .executor
        .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
        .await
        .expect("begins");
    assertion_keys::add_public_key(&mut tx, "ed-1", &public, Utc::now())
        .await
        .expect("added");
    let shared = assertion_keys::add_shared_secret(&mut tx, &app.settings.keyring, "hs-1", Utc::now())
        .await
        .expect("added");
    tx.commit().await.expect("commits");
    let private = pair.to_pkcs8().expect("written").as_ref().to_vec();
    Site {
        shared,
        private,
        public,
    }
}

fn claims(app: &TestApp) -> Value {
    let now = app.clock.now().timestamp();
    json!({ "aud": "countersign:one", "sub": "mia", "email": "mia@example.com", "iat": now, "exp": now + 60, "jti": uuid::Uuid::now_v7() })
}

fn header(algorithm: Algorithm, kid: &str) -> Header {
    Header {
        kid: Some(kid.into()),
        ..Header::new(algorithm)
    }
}

fn by_shared_secret(site: &Site, claims: &Value) -> String {
    let key = EncodingKey::from_secret(site.shared.as_bytes());
    jsonwebtoken::encode(&header(Algorithm::HS256, "hs-1"), claims, &key).expect("signs")
}

fn by_private_key(site: &Site, claims: &Value) -> String {
    let key = EncodingKey::from_ed_der(&site.private);
    jsonwebtoken::encode(&header(Algorithm::EdDSA, "ed-1"), claims, &key).expect("signs")
}

async fn present(app: &TestApp, assertion: &str) -> (StatusCode, Value) {
    answer(app.with_store_key("/v1/sessions/assertion", json!({ "assertion": assertion }))).await
}

#[tokio::test]
async fn assertion_signs_in_once_with_each_key_kind() {
    let app = TestApp::offline().await;
    let site = site(&app).await;
    for sign in [by_shared_secret, by_private_key] {
        let assertion = sign(&site, &claims(&app));
        let (status, opened) = present(&app, &assertion).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let mia = TestShopper::with_token(&app, opened["token"].as_str().expect("a token"));
        assert_eq!(
            mia.read("/v1/orders/1001").await.0,
            StatusCode::OK,
            "the imported shopper of that id"
        );
        assert_eq!(present(&app, &assertion).await.0, StatusCode::UNAUTHORIZED, "replayed");
    }
    let mut new = claims(&app);
    (new["sub"], new["email"]) = (json!("zoe-77"), json!("zoe@example.com"));
    assert_eq!(
        present(&app, &by_private_key(&site, &new)).await.0,
        StatusCode::CREATED,
        "one the store has not imported"
    );
}

#[tokio::test]
async fn every_forged_assertion_is_refused_alike() {
    let app = TestApp::offline().await;
    let site = site(&app).await;
    let good = claims(&app);
    let changed = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims["jti"] = json!(uuid::Uuid::now_v7());
        by_private_key(&site, &claims)
    };
    let now = app.clock.now().timestamp();
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = by_private_key(&site, &good);
    let parts: Vec<&str> = signed.split('.').collect();
    let mut other_subject = good.clone();
    other_subject["sub"] = json!("noah");
    let none = json!({ "alg": "none", "kid": "ed-1" });
    let as_secret = EncodingKey::from_secret(&site.public);
    let forged = [
        ("alg none", format!("{}.{}.", encode(&none), parts[1])),
        (
            "alg none, signature kept",
            format!("{}.{}.{}", encode(&none), parts[1], parts[2]),
        ),
        (
            "HS256 with the public key",
            jsonwebtoken::encode(&header(Algorithm::HS256, "ed-1"), &good, &as_secret).expect("signs"),
        ),
        (
            "HS256 under the Ed25519 key's name",
            jsonwebtoken::encode(
                &header(Algorithm::HS256, "ed-1"),
                &good,
                &EncodingKey::from_secret(site.shared.as_bytes()),
            )
            .expect("signs"),
        ),
        (
            "HS512 with the right secret",
            jsonwebtoken::encode(
                &header(Algorithm::HS512, "hs-1"),
                &good,
                &EncodingKey::from_secret(site.shared.as_bytes()),
            )
            .expect("signs"),
        ),
        (
            "another secret",
            jsonwebtoken::encode(
                &header(Algorithm::HS256, "hs-1"),
                &good,
                &EncodingKey::from_secret(b"guess"),
            )
            .expect("signs"),
        ),
        (
            "unknown kid",
            jsonwebtoken::encode(
                &header(Algorithm::EdDSA, "ed-2"),
                &good,
                &EncodingKey::from_ed_der(&site.private),
            )
            .expect("signs"),
        ),
        (
            "no kid",
            jsonwebtoken::encode(
                &Header::new(Algorithm::EdDSA),
                &good,
                &EncodingKey::from_ed_der(&site.private),
            )
            .expect("signs"),
        ),
        (
            "kid of a file",
            jsonwebtoken::encode(
                &header(Algorithm::EdDSA, "../../etc/passwd"),
                &good,
                &EncodingKey::from_ed_der(&site.private),
            )
            .expect("signs"),
        ),
        (
            "claims changed",
            format!("{}.{}.{}", parts[0], encode(&other_subject), parts[2]),
        ),
        ("truncated", signed[..signed.len() - 4].to_owned()),
        ("no signature", format!("{}.{}", parts[0], parts[1])),
        ("another store's audience", changed("aud", json!("countersign:two"))),
        (
            "several audiences",
            changed("aud", json!(["countersign:one", "countersign:two"])),
        ),
        ("no audience", changed("aud", Value::Null)),
        ("expired", changed("exp", json!(now - 31))),
        ("lives too long", changed("exp", json!(now + 3600))),
        ("from the future", changed("iat", json!(now + 120))),
        ("time as text", changed("exp", json!((now + 60).to_string()))),
        ("absurd time", changed("exp", json!(i64::MAX))),
        ("no id", changed("sub", json!(""))),
        ("NUL in the id", changed("sub", json!("mia\0"))),
        ("no address", changed("email", json!("nobody"))),
        ("a claim too many", changed("tenant_id", json!("two"))),
        ("not a JWT", "a.b.c".to_owned()),
    ];
    let mut answers = std::collections::HashSet::new();
    for (what, assertion) in &forged {
        // Guesses from one address are throttled, so the throttle is reset for each one.
        sqlx::raw_sql("DELETE FROM throttles")
            .execute(&mut app.superuser().await)
            .await
            .expect("runs");
        let (status, mut problem) = present(&app, assertion).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {problem}");
        problem["request_id"] = Value::Null;
        answers.insert(problem.to_string());
    }
    assert_eq!(answers.len(), 1, "which it was is never said");
    assert_eq!(
        present(&app, &"x".repeat(64 * 1024 - 50)).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "too long to be looked at"
    );
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
    assert_eq!(
        present(&app, &signed).await.0,
        StatusCode::CREATED,
        "and the true one still holds"
    );
}

#[tokio::test]
async fn a_revoked_key_vouches_for_nobody_and_a_second_one_takes_over() {
    let app = TestApp::offline().await;
    let site = site(&app).await;
    let mut opened = Vec::new();
    for sign in [by_shared_secret, by_private_key] {
        let (status, session) = present(&app, &sign(&site, &claims(&app))).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        opened.push(TestShopper::with_token(
            &app,
            session["token"].as_str().expect("a token"),
        ));
    }
    let mut tx = app
        .pools
        .executor
        .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
        .await
        .expect("begins");
    assert!(assertion_keys::revoke(&mut tx, "hs-1", Utc::now()).await.expect("runs"));
    tx.commit().await.expect("commits");
    assert_eq!(
        opened[0].read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "a session that the key opened"
    );
    assert_eq!(opened[1].read("/v1/orders").await.0, StatusCode::OK, "the other key's");
    assert_eq!(
        present(&app, &by_shared_secret(&site, &claims(&app))).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        present(&app, &by_private_key(&site, &claims(&app))).await.0,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn an_account_somebody_made_with_the_shoppers_address_does_not_get_its_orders() {
    let app = TestApp::offline().await;
    let site = site(&app).await;
    // Somebody registers with Zoe's address, and verifies it, before the store vouches for Zoe.
    let body = json!({ "email": "zoe@example.com", "password": "violet kettle on the pier", "first_name": "Z", "last_name": "Z" });
    let (_, pending) = answer(app.with_store_key("/v1/registrations", body)).await;
    let code = app.mailbox.newest_to("zoe@example.com", 1).await.code();
    let verify = app.with_store_key(
        "/v1/registrations/verify",
        json!({ "email": "zoe@example.com", "code": code, "attempt": pending["attempt"] }),
    );
    let (_, opened) = answer(verify).await;
    let before = TestShopper::with_token(&app, opened["token"].as_str().expect("a token"));
    assert_eq!(before.read("/v1/orders").await.0, StatusCode::OK);
    let mut zoe = claims(&app);
    (zoe["sub"], zoe["email"]) = (json!("zoe-77"), json!("zoe@example.com"));
    assert_eq!(present(&app, &by_private_key(&site, &zoe)).await.0, StatusCode::CREATED);
    assert_eq!(before.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    let log_in = app.with_store_key(
        "/v1/sessions",
        json!({ "email": "zoe@example.com", "password": "violet kettle on the pier" }),
    );
    assert_eq!(answer(log_in).await.0, StatusCode::UNAUTHORIZED, "nor can it come back");
}

/// Runs the example of docs/assertions.md, which uses a shell and openssl alone.
#[tokio::test]
async fn the_example_of_the_docs_signs_an_assertion_that_holds() {
    let app = TestApp::offline().await;
    let site = site(&app).await;
    let output = tokio::process::Command::new("sh")
        .arg("docs/examples/sign-assertion.sh")
        .env("ASSERTION_SECRET", &site.shared)
        .env("ASSERTION_KID", "hs-1")
        .args(["one", "mia", "mia@example.com"])
        .output()
        .await
        .expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let assertion = String::from_utf8(output.stdout).expect("text");
    let (status, opened) = present(&app, assertion.trim()).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
}
