//! The console without scripts: pages and forms as a browser sends them.

use std::collections::BTreeMap;

use countersign::{
    identity::{StaffRole, staff},
    model::PricedModel,
    web::trial::TrialReason,
};
use regex::Regex;
use reqwest::{StatusCode, header};
use serde_json::json;

use crate::support::{PASSWORD, TestApp, shopper::answer};

/// A browser without scripts: it keeps cookies, follows redirects and sends forms.
pub struct ConsoleVisitor {
    http: reqwest::Client,
    url: String,
    cookies: BTreeMap<String, String>,
}

impl ConsoleVisitor {
    fn new(app: &TestApp) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Self {
            http: http.expect("a client"),
            url: app.url.clone(),
            cookies: BTreeMap::new(),
        }
    }

    /// Adds a member of the staff and signs it in by the form.
    pub async fn signed_in(app: &TestApp, email: &str, role: StaffRole) -> Self {
        staff::add(&app.pools.executor, &app.store.tenant, email, role, PASSWORD.into())
            .await
            .expect("added");
        let mut desk = Self::new(app);
        let (_, page) = desk.sign_in(app, email, PASSWORD).await;
        assert!(page.contains("<h1>Approvals</h1>"), "{page}");
        desk
    }

    async fn sign_in(&mut self, app: &TestApp, email: &str, password: &str) -> (StatusCode, String) {
        let form = [
            ("store", app.store.key.as_str()),
            ("email", email),
            ("password", password),
            ("code", ""),
            ("next", "//evil.example"),
        ];
        self.sends("/console/sign-in", &form).await
    }

    pub async fn opens(&mut self, path: &str) -> (StatusCode, String) {
        let request = self.http.get(format!("{}{path}", self.url));
        self.follow(request).await
    }

    async fn sends(&mut self, path: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("sec-fetch-site", "same-origin")
            .form(form);
        self.follow(request).await
    }

    async fn follow(&mut self, mut request: reqwest::RequestBuilder) -> (StatusCode, String) {
        for _ in 0..5 {
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let response = request
                .header(header::COOKIE, cookies.join("; "))
                .send()
                .await
                .expect("answers");
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                let cookie = cookie.to_str().expect("text");
                assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
                let (name, value) = cookie
                    .split(';')
                    .next()
                    .and_then(|pair| pair.split_once('='))
                    .expect("a cookie");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(to) = response.headers().get(header::LOCATION) else {
                return (response.status(), response.text().await.expect("a page"));
            };
            let to = to.to_str().expect("text");
            assert!(to.starts_with("/console"), "led away to {to}");
            request = self.http.get(format!("{}{to}", self.url));
        }
        panic!("redirected in a circle");
    }
}

/// The value of a hidden field of a page's form.
fn hidden_field(page: &str, name: &str) -> String {
    let field = Regex::new(&format!(r#"name="{name}" value="([^"]*)""#)).expect("a pattern");
    field.captures(page).unwrap_or_else(|| panic!("no {name} in {page}"))[1].to_owned()
}

#[tokio::test]
async fn a_return_is_approved_without_a_script() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let arguments = json!({ "order_number": "#1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "card-mia" });
    let proposal = mia.propose(&app, "return_items", arguments).await;
    let id = proposal["id"].as_str().expect("an id");
    let mut stranger = ConsoleVisitor::new(&app);
    let (_, page) = stranger.opens("/console").await;
    assert!(page.contains("<h1>Sign in</h1>") && !page.contains("#1002"), "{page}");
    let (_, page) = stranger.sign_in(&app, "kim@s.example", "wrong-password").await;
    assert!(page.contains("<h1>Sign in</h1>") && page.contains("note bad"), "{page}");

    let mut viewer = ConsoleVisitor::signed_in(&app, "viewer@s.example", StaffRole::Viewer).await;
    let shown = proposal["digest"].as_str().expect("what was shown").to_owned();
    let approve = format!("/console/proposals/{id}/approve");
    assert_eq!(
        viewer.sends(&approve, &[("digest", &shown)]).await.0,
        StatusCode::FORBIDDEN
    );

    let mut kim = ConsoleVisitor::signed_in(&app, "kim@s.example", StaffRole::Approver).await;
    let (_, page) = kim.opens("/console").await;
    assert!(page.contains(&format!("href=\"/console/proposals/{id}\"")), "{page}");
    let (_, page) = kim.opens(&format!("/console/proposals/{id}")).await;
    assert!(
        page.contains("<del>") && page.contains("<ins>") && page.contains("129.90 USD"),
        "{page}"
    );
    // A form that another site submits, with the cookie.
    let cookies: Vec<String> = kim
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("x-none", ""),
    ] {
        let request = kim
            .http
            .post(format!("{}{approve}", kim.url))
            .header(header, value)
            .header("cookie", cookies.join("; "));
        let refused = request.form(&[("digest", &shown)]).send().await.expect("answers");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{header}");
    }
    assert_eq!(app.count("SELECT count(*) FROM decisions").await, 0);
    let (status, page) = kim.sends(&approve, &[("digest", &hidden_field(&page, "digest"))]).await;
    assert!(status.is_success() && page.contains("Approved."), "{page}");
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    let (_, page) = kim.opens("/console/audit").await;
    assert!(
        page.contains("proposal.approve") && page.contains("The chain is whole"),
        "{page}"
    );
    kim.sends("/console/sign-out", &[]).await;
    let (_, page) = kim.opens("/console").await;
    assert!(page.contains("<h1>Sign in</h1>"), "{page}");
}

#[tokio::test]
async fn an_admin_sets_hours_scans_a_code_and_sees_what_was_spent() {
    let app = TestApp::start().await;
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let days = [
        ("monday", "09:00-12:30, 13:30-17:00"),
        ("sunday", ""),
        ("closed_on", "2026-12-25,2026-12-26"),
    ];
    let form = |zone: &'static str| [&[("time_zone", zone)][..], &days].concat();
    let (_, page) = admin.sends("/console/hours", &form("Europe/Berlin")).await;
    assert!(
        page.contains("Saved.")
            && page.contains("value=\"09:00-12:30, 13:30-17:00\"")
            && page.contains("value=\"2026-12-25, 2026-12-26\"")
            && page.contains(" (Europe/Berlin)</td>"),
        "{page}"
    );
    let (status, page) = admin.sends("/console/hours", &form("Mars/Olympus")).await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("time_zone: must be a name such as"),
        "{page}"
    );
    for _ in 0..2 {
        let (_, page) = admin.sends("/console/hours", &form("")).await;
        assert!(
            page.contains("Saved.") && !page.contains("value=\"09:00") && page.contains(" (UTC)</td>"),
            "{page}"
        );
    }

    let (_, page) = admin.opens("/console/second-factor").await;
    assert!(
        page.contains("<svg class=\"qr\" role=\"img\" aria-label=\"To scan") && page.contains("otpauth://totp/"),
        "{page}"
    );
    let (_, page) = admin.opens("/console/usage").await;
    assert!(
        page.contains("Nothing was spent yet.") && !page.contains("<figure"),
        "{page}"
    );
    app.execute_sql(
        "INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, output_tokens)
        SELECT tenant_id, gen_random_uuid(), now() - day * interval '1 day', 'settled', shopper_id, 'm', '{}', 0, (day + 1) * 500000, 10, 10
        FROM shoppers, generate_series(0, 2) day WHERE external_id = 'mia' AND tenant_id = (SELECT tenant_id FROM tenants WHERE slug = 'one')",
    )
    .await;
    let (_, page) = admin.opens("/console/usage").await;
    assert_eq!(page.matches("<rect").count(), 3, "{page}");
    assert!(page.contains("1.50</title>"), "{page}");
}

#[tokio::test]
async fn an_admin_chooses_the_model_that_answers_and_goes_back_to_the_default() {
    let price = "10/20.5".parse().expect("a price");
    let large = PricedModel {
        name: "large".into(),
        price,
    };
    let app = TestApp::start_with_settings(|settings| settings.priced_models = vec![large]).await;
    let mut viewer = ConsoleVisitor::signed_in(&app, "viewer@s.example", StaffRole::Viewer).await;
    let (_, page) = viewer.opens("/console/rules").await;
    assert!(!page.contains("Which model answers"), "{page}");
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let (_, page) = admin.opens("/console/rules").await;
    assert!(
        page.contains("default (fake-model)</option>") && page.contains("large: 10.00 read, 20.50 written</option>"),
        "{page}"
    );
    let (_, page) = admin.sends("/console/model", &[("model", "large")]).await;
    assert!(
        page.contains("Saved.") && page.contains("<option value=\"large\" selected>"),
        "{page}"
    );
    let (status, page) = admin.sends("/console/model", &[("model", "unpriced")]).await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("must be one of: fake-model, large"),
        "{page}"
    );
    app.execute_sql("UPDATE store_models SET model = 'gone'").await;
    let (_, page) = admin.opens("/console/rules").await;
    assert!(
        page.contains("The model gone was chosen and is not offered any more"),
        "{page}"
    );
    for _ in 0..2 {
        let (_, page) = admin.sends("/console/model", &[("model", "")]).await;
        assert!(
            page.contains("Saved.") && !page.contains("<option value=\"large\" selected>") && !page.contains("gone"),
            "{page}"
        );
    }
}

/// Paths of the forms on a page.
fn form_paths(page: &str) -> Vec<String> {
    let action = Regex::new(r#"<form[^>]*method="post"[^>]*action="([^"]*)""#).expect("a pattern");
    let mut found: Vec<String> = action.captures_iter(page).map(|found| found[1].to_owned()).collect();
    found.retain(|path| path != "/console/sign-out");
    found
}

#[tokio::test]
async fn nobody_is_offered_what_the_api_would_refuse_them() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let arguments = json!({ "order_number": "#1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "card-mia" });
    let proposal = mia.propose(&app, "return_items", arguments).await;
    app.execute_sql(
        "INSERT INTO outbox (tenant_id, id, idempotency_key, payload, created_at, kind, state) SELECT tenant_id, gen_random_uuid(), 'x', '{}', now(), 'x', 'dead' FROM tenants;
        INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state) SELECT tenant_id, gen_random_uuid(), 'store', 'x', 'x', '{}', now(), now(), 'dead' FROM tenants",
    )
    .await;
    let conversation = proposal["conversation_id"].as_str().expect("an id");
    let pages = [
        "/console".to_owned(),
        format!("/console/proposals/{}", proposal["id"].as_str().expect("an id")),
        format!("/console/conversations/{conversation}"),
        "/console/articles".into(),
        "/console/rules".into(),
        "/console/rules/return_items".into(),
        "/console/deliveries".into(),
        "/console/incoming".into(),
    ];
    let mut counted = Vec::new();
    for (email, role) in [
        ("v@s.example", StaffRole::Viewer),
        ("a@s.example", StaffRole::Approver),
        ("d@s.example", StaffRole::Admin),
    ] {
        let mut desk = ConsoleVisitor::signed_in(&app, email, role).await;
        let (_, home) = desk.opens("/console").await;
        let menu = home.matches("<li><a href=\"/console").count();
        let mut found = Vec::new();
        for page in &pages {
            let (status, text) = desk.opens(page).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            found.extend(form_paths(&text));
        }
        counted.push((menu, found.len()));
        // No form that is offered is refused because of the role.
        if role < StaffRole::Admin {
            for path in found {
                let (status, _) = desk.sends(&path, &[]).await;
                assert_ne!(status, StatusCode::FORBIDDEN, "{role:?} is offered {path}");
            }
        }
    }
    // The form of the queue is shown to everybody, so even a viewer has one form.
    assert_eq!(
        counted.iter().map(|(menu, _)| *menu).collect::<Vec<_>>(),
        [11, 11, 13],
        "{counted:?}"
    );
    let forms: Vec<usize> = counted.iter().map(|(_, forms)| *forms).collect();
    assert!(forms[0] == 1 && forms[1] > forms[0] && forms[2] > forms[1], "{forms:?}");
}

#[tokio::test]
async fn an_event_that_was_given_up_is_tried_again() {
    let app = TestApp::start().await;
    let order = json!({ "type": "order.upserted", "version": 2, "data": { "type": "order" } });
    sqlx::query("INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state, attempts, last_error)
        SELECT tenant_id, gen_random_uuid(), 'store', 'evt', 'gibberish <b>x</b>', $1, now(), now(), 'dead', 10, 'no shopper' FROM tenants")
        .bind(&order)
        .execute(&mut app.superuser().await)
        .await
        .expect("planted");
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let (_, page) = admin.opens("/console/incoming?state=dead").await;
    assert!(
        page.contains("gibberish &#60;b&#62;x") && page.contains("no shopper") && !page.contains("upserted"),
        "{page}"
    );
    let again = form_paths(&page).pop().expect("a button");
    let (_, page) = admin.sends(&again, &[]).await;
    assert!(page.contains("Tried again."), "{page}");
    app.wait_for_count(
        "SELECT count(*) FROM incoming_webhooks WHERE state IN ('ignored', 'done')",
        1,
    )
    .await;
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state = 'dead'")
            .await,
        1,
        "another store's is its own"
    );
    assert_eq!(
        admin.sends(&again, &[]).await.0,
        StatusCode::NOT_FOUND,
        "it is not given up any more"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'incoming.retry'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_publishable_key_is_exchanged_and_the_last_one_stays() {
    let app = TestApp::start().await;
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let revokes = |page: &str| {
        form_paths(page)
            .into_iter()
            .filter(|path| path.ends_with("/revoke"))
            .collect::<Vec<_>>()
    };
    let (_, page) = admin.opens("/console/settings").await;
    let old = revokes(&page);
    assert!(old.len() == 1 && page.contains(app.store.key.as_str()), "{page}");
    let (status, page) = admin.sends(&old[0], &[]).await;
    assert!(
        status == StatusCode::CONFLICT && page.contains("Make another first"),
        "{page}"
    );
    let (_, page) = admin.sends("/console/store-keys", &[]).await;
    let keys = Regex::new("data-store-key=&#34;(pk_[^&]*)").expect("a pattern");
    let new = keys.captures(&page).expect("a key")[1].to_owned();
    assert!(new != app.store.key.as_str() && revokes(&page).len() == 2, "{page}");
    let (_, page) = admin.sends(&old[0], &[]).await;
    assert!(page.contains("Revoked.") && revokes(&page).len() == 1, "{page}");
    let comes_in = async |key: &str| {
        let request = app
            .http
            .post(format!("{}/v1/sessions/guest", app.url))
            .header("x-store-key", key);
        request.send().await.expect("answers").status()
    };
    assert_eq!(comes_in(app.store.key.as_str()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(comes_in(&new).await, StatusCode::CREATED);
    assert_eq!(
        app.count("SELECT count(*) FROM store_keys WHERE revoked_at IS NULL")
            .await,
        2,
        "another store's is its own"
    );
}

#[tokio::test]
async fn a_trial_says_so_on_every_page() {
    let app = TestApp::offline_with_settings(|settings| settings.trial = vec![TrialReason::OfflineModel]).await;
    for page in ["/console/sign-in", "/console", "/reset-password", "/staff/join"] {
        let page = format!("{}{page}?store={}", app.url, app.store.key.as_str());
        let text = app
            .http
            .get(&page)
            .send()
            .await
            .expect("answers")
            .text()
            .await
            .expect("text");
        assert!(
            text.contains("This is a trial.") && text.contains("no language model answers (MODEL=offline)"),
            "{page}: {text}"
        );
    }
    let health = app
        .http
        .get(format!("{}/health", app.url))
        .send()
        .await
        .expect("answers");
    assert!(!health.text().await.expect("text").contains("trial"));
}

#[tokio::test]
async fn the_front_page_is_the_console_and_a_wrong_address_is_a_page_too() {
    let app = TestApp::offline().await;
    let mut stranger = ConsoleVisitor::new(&app);
    let (status, page) = stranger.opens("/").await;
    assert!(status == StatusCode::OK && page.contains("<h1>Sign in</h1>"), "{page}");
    let (status, page) = stranger.opens("/console/nope").await;
    assert!(
        status == StatusCode::NOT_FOUND && page.contains("<h1>This page does not exist</h1>"),
        "{status} {page}"
    );
    let mut kim = ConsoleVisitor::signed_in(&app, "kim@s.example", StaffRole::Viewer).await;
    let (status, page) = kim.opens("/console/conversations/a/b").await;
    assert!(
        status == StatusCode::NOT_FOUND && page.contains("<nav") && page.contains("This page does not exist"),
        "{status} {page}"
    );
}

#[tokio::test]
async fn a_wrong_store_key_is_called_so_at_the_sign_in() {
    let app = TestApp::offline().await;
    let mut stranger = ConsoleVisitor::new(&app);
    for (key, expected) in [
        ("pk_nope", "There is no store with this key."),
        ("", "Send the store&#39;s publishable key"),
    ] {
        let form = [("store", key), ("email", "kim@s.example"), ("password", PASSWORD)];
        let (_, page) = stranger.sends("/console/sign-in", &form).await;
        assert!(page.contains(expected), "{key}: {page}");
    }
}

#[tokio::test]
async fn the_settings_show_the_finished_tag_of_the_widget() {
    let app = TestApp::offline_with_settings(|settings| settings.public_url = "https://chat.shop.example".into()).await;
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let (_, page) = admin.opens("/console/settings").await;
    assert!(
        page.contains("src=&#34;https://chat.shop.example/widget.js&#34;"),
        "{page}"
    );
}

#[tokio::test]
async fn every_list_goes_on_where_its_page_ended() {
    let app = TestApp::offline().await;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    for name in ["a", "b", "c"] {
        app.staff(&format!("{name}@shop.example"), StaffRole::Viewer).await;
        let key = json!({ "name": name, "scopes": ["proposals:read"], "days": 3 });
        assert_eq!(
            answer(admin.request("POST", "/v1/staff/api-keys").json(&key)).await.0,
            StatusCode::CREATED
        );
        let endpoint = json!({ "url": format!("https://{name}.example/hook") });
        assert_eq!(
            answer(admin.request("POST", "/v1/staff/webhook-endpoints").json(&endpoint))
                .await
                .0,
            StatusCode::CREATED
        );
        app.shopper("mia").await;
    }
    let mia = app.shopper("mia").await;
    for (path, list, cursor) in [
        ("/v1/staff/members", "members", "after"),
        ("/v1/staff/api-keys", "api_keys", "before"),
        ("/v1/staff/webhook-endpoints", "endpoints", "before"),
        ("/v1/sessions", "sessions", "before"),
    ] {
        let read = async |query: String| match path {
            "/v1/sessions" => mia.read(&format!("{path}?{query}")).await,
            _ => admin.read(&format!("{path}?{query}")).await,
        };
        let whole = read("limit=100".into()).await.1[list].clone();
        let (mut paged, mut query) = (Vec::new(), "limit=2".to_owned());
        loop {
            let page = read(query).await.1[list].as_array().expect("a list").clone();
            let Some(last) = page.last() else { break };
            query = format!("limit=2&{cursor}={}", last["id"].as_str().expect("an id"));
            paged.extend(page);
        }
        let ids = |rows: &[serde_json::Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
        assert!(paged.len() >= 3, "{path}");
        assert_eq!(ids(&paged), ids(whole.as_array().expect("a list")), "{path}");
        assert_eq!(read("limit=0".into()).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn limits_of_money_are_written_as_amounts() {
    let app = TestApp::offline().await;
    let mut admin = ConsoleVisitor::signed_in(&app, "admin@s.example", StaffRole::Admin).await;
    let (_, page) = admin.opens("/console/rules").await;
    assert!(page.contains("value=\"0.50\""), "{page}");
    let rule = [
        ("mode", "automatic"),
        ("automatic_below_minor", "12.50"),
        ("automatic_per_day", "3"),
    ];
    let (_, page) = admin.sends("/console/rules/request_refund", &rule).await;
    assert!(
        page.contains("Approve automatically below this amount: 12.50"),
        "{page}"
    );
    let below = "SELECT automatic_below_minor FROM policies WHERE tool = 'request_refund'";
    assert_eq!(app.count(below).await, 1250);
    let (status, page) = admin
        .sends(
            "/console/rules/request_refund",
            &[("mode", "automatic"), ("automatic_below_minor", "12.505")],
        )
        .await;
    assert!(
        status.is_client_error() && page.contains("automatic_below_minor"),
        "{page}"
    );
}
