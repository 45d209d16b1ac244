//! The pages that links in mails lead to, in a browser.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Demo};

const PASSWORD: &str = "violet kettle on the pier";

/// The link in the newest mail to an address.
async fn link(demo: &Demo, to: &str) -> String {
    let mail = demo.mail_with(to, "#").await;
    let text = mail["text"].as_str().expect("text");
    let link = text.split_whitespace().find(|word| word.starts_with("http"));
    link.expect("a link").to_owned()
}

/// Sets a password on the page that a link leads to.
async fn set_password(browser: &Browser, password: &str) {
    browser
        .wait_for("document.querySelector('[name=token]').value.length === 43")
        .await;
    assert_eq!(
        browser.run("return location.hash").await,
        json!(""),
        "the secret is not left in the address"
    );
    assert_eq!(
        browser
            .run("return document.querySelector('[name=token]').offsetParent === null")
            .await,
        json!(true)
    );
    browser.fills("password", password).await;
    browser.run("document.querySelector('form').submit()").await;
}

#[tokio::test]
async fn a_shopper_sets_a_new_password_by_the_mailed_link() {
    let (demo, mut browser) = (Demo::start().await, Browser::open().await);
    browser
        .ignored_errors
        .extend(["422 (Unprocessable", "401 (Unauthorized)"]);
    browser.set_viewport(360, 740, "dark").await;
    let asked = demo
        .http
        .post(format!("{}/v1/password-resets", demo.url))
        .header("x-store-key", &demo.key);
    let asked = asked
        .json(&json!({ "email": "mia@example.com" }))
        .send()
        .await
        .expect("answers");
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    let link = link(&demo, "mia@example.com").await;
    browser.go(&link).await;
    assert_eq!(browser.accessibility_violations().await, [""; 0]);
    browser.screenshot("phone-dark-new-password").await;
    set_password(&browser, "0123456789").await;
    browser
        .wait_for("document.body.innerText.includes('too easy to guess. Please')")
        .await;
    set_password(&browser, PASSWORD).await;
    browser
        .wait_for("document.body.innerText.includes('Your password is set')")
        .await;
    assert_eq!(browser.accessibility_violations().await, [""; 0]);
    let body = json!({ "email": "mia@example.com", "password": PASSWORD });
    let entered = demo
        .http
        .post(format!("{}/v1/sessions", demo.url))
        .header("x-store-key", &demo.key)
        .json(&body);
    assert_eq!(entered.send().await.expect("answers").status(), StatusCode::CREATED);

    browser.go("about:blank").await;
    browser.go(&link.replace("lang=en", "lang=de")).await;
    set_password(&browser, PASSWORD).await;
    browser
        .wait_for("document.body.innerText.includes('Dieser Link ist verbraucht')")
        .await;
    assert_eq!(browser.logged_errors().await, [""; 0]);
    // Submitted values are shown as text, and redirect nowhere else.
    let nasty = [("token", "\"><script>pwned</script>"), ("password", PASSWORD)];
    let sent = demo
        .http
        .post(format!("{}/staff/join?store=%22%3E%3Cscript%3E&lang=%22%3E", demo.url))
        .header("sec-fetch-site", "same-origin");
    let shown = sent
        .form(&nasty)
        .send()
        .await
        .expect("answers")
        .text()
        .await
        .expect("a page");
    assert!(
        shown.contains("&#60;script&#62;pwned") && !shown.contains("<script>"),
        "{shown}"
    );
    // A form of another site sets no password.
    let forged = demo
        .http
        .post(format!("{}/reset-password?store={}", demo.url, demo.key))
        .header("origin", "https://evil.example");
    let forged = forged
        .form(&[("token", "x"), ("password", PASSWORD)])
        .send()
        .await
        .expect("answers");
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn somebody_is_invited_joins_and_signs_in() {
    let (demo, admin, lee) = (Demo::start().await, Browser::open().await, Browser::open().await);
    admin.signs_in(&demo).await;
    admin.go(&format!("{}/console/people", demo.url)).await;
    admin.fills("email", "lee@example.com").await;
    admin.fills("role", "approver").await;
    admin.submits("Send invitation").await;
    admin.wait_for_notice("Invited").await;
    lee.go(&link(&demo, "lee@example.com").await).await;
    assert_eq!(lee.accessibility_violations().await, [""; 0]);
    set_password(&lee, PASSWORD).await;
    lee.wait_for("document.querySelector('a')?.textContent === 'To the sign-in'")
        .await;
    lee.run("document.querySelector('a').click()").await;
    lee.wait_for("document.querySelector('[name=store]')?.value.startsWith('pk_')")
        .await;
    for (name, value) in [("email", "lee@example.com"), ("password", PASSWORD)] {
        lee.fills(name, value).await;
    }
    lee.submits("Sign in").await;
    let role = lee.wait_for("document.querySelector('.me .tone')?.textContent").await;
    assert_eq!(role, Value::from("approver"));
    assert_eq!(
        (admin.logged_errors().await, lee.logged_errors().await),
        (vec![], vec![])
    );
}
