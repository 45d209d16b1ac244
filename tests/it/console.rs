//! The console without a script: pages and forms, as a browser sends them.

use std::collections::BTreeMap;

use countersign::identity::{StaffRole, staff};
use regex::Regex;
use reqwest::{StatusCode, header};
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

/// A browser that runs nothing: it keeps cookies, follows redirects and sends forms.
struct Desk {
    http: reqwest::Client,
    url: String,
    cookies: BTreeMap<String, String>,
}

impl Desk {
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

    /// Somebody of the staff, signed in by the form.
    async fn of(app: &TestApp, email: &str, role: StaffRole) -> Self {
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

    async fn opens(&mut self, path: &str) -> (StatusCode, String) {
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

/// What a page's form has hidden under this name.
fn hidden(page: &str, name: &str) -> String {
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
    let mut stranger = Desk::new(&app);
    let (_, page) = stranger.opens("/console").await;
    assert!(page.contains("<h1>Sign in</h1>") && !page.contains("#1002"), "{page}");
    let (_, page) = stranger.sign_in(&app, "kim@s.example", "wrong-password").await;
    assert!(page.contains("<h1>Sign in</h1>") && page.contains("note bad"), "{page}");

    let mut viewer = Desk::of(&app, "viewer@s.example", StaffRole::Viewer).await;
    let (_, page) = viewer.opens(&format!("/console/proposals/{id}")).await;
    let shown = hidden(&page, "shown");
    let approve = format!("/console/proposals/{id}/approve");
    assert_eq!(
        viewer.sends(&approve, &[("shown", &shown)]).await.0,
        StatusCode::FORBIDDEN
    );

    let mut kim = Desk::of(&app, "kim@s.example", StaffRole::Approver).await;
    let (_, page) = kim.opens("/console").await;
    assert!(page.contains(&format!("href=\"/console/proposals/{id}\"")), "{page}");
    let (_, page) = kim.opens(&format!("/console/proposals/{id}")).await;
    assert!(
        page.contains("<del>") && page.contains("<ins>") && page.contains("129.90 USD"),
        "{page}"
    );
    // A form of another site's, with the cookie.
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
        let refused = request.form(&[("shown", &shown)]).send().await.expect("answers");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{header}");
    }
    assert_eq!(app.count("SELECT count(*) FROM decisions").await, 0);
    let (status, page) = kim.sends(&approve, &[("shown", &hidden(&page, "shown"))]).await;
    assert!(status.is_success() && page.contains("Done: approved"), "{page}");
    assert_eq!(mia.ended(&proposal).await["state"], "executed");
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
    let mut admin = Desk::of(&app, "admin@s.example", StaffRole::Admin).await;
    let days = [
        ("monday", "09:00-12:30, 13:30-17:00"),
        ("sunday", ""),
        ("closed_on", "2026-12-25,2026-12-26"),
    ];
    let form = |zone: &'static str| [&[("time_zone", zone)][..], &days].concat();
    let (_, page) = admin.sends("/console/hours", &form("Europe/Berlin")).await;
    assert!(
        page.contains("Done: saved")
            && page.contains("value=\"09:00-12:30, 13:30-17:00\"")
            && page.contains("value=\"2026-12-25, 2026-12-26\""),
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
            page.contains("Done: saved") && !page.contains("value=\"09:00"),
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
    app.meddle(
        "INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, output_tokens)
        SELECT tenant_id, gen_random_uuid(), now() - day * interval '1 day', 'settled', shopper_id, 'm', '{}', 0, (day + 1) * 500000, 10, 10
        FROM shoppers, generate_series(0, 2) day WHERE external_id = 'mia' AND tenant_id = (SELECT tenant_id FROM tenants WHERE slug = 'one')",
    )
    .await;
    let (_, page) = admin.opens("/console/usage").await;
    assert_eq!(page.matches("<rect").count(), 3, "{page}");
    assert!(page.contains("1.50</title>"), "{page}");
}
