//! The chat on another site's page with a strict content security policy: in a frame of a third site, right to left, in German, on the
//! smallest phone, and in a browser that blocks storage.

use axum::{
    Router,
    http::{HeaderName, header},
    response::Html,
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::browser::{Browser, Demo, chat};

/// Serves pages on a free port and returns it.
async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Serves a shop on `localhost`, which is another site than the demo's 127.0.0.1.
async fn shop(demo: &Demo) -> String {
    let policy = format!(
        "default-src 'none'; script-src {0}; connect-src {0}; img-src 'self'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        demo.url
    );
    let page = format!(
        "<!doctype html><html lang=\"ar\" dir=\"rtl\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>متجر</title><link rel=\"icon\" href=\"/shop/pictures/mug.svg\"></head><body><main><h1>متجر</h1></main>\
         <script async src=\"{}/widget.js\" data-store-key=\"{}\" data-lang=\"de\" data-accent=\"#ffcc00\" data-title=\"Hafenladen\"></script></body></html>",
        demo.url, demo.key
    );
    let drawing = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><path d='M0 0h1v1z'/></svg>";
    let page = move || async move {
        (
            [(HeaderName::from_static("content-security-policy"), policy)],
            Html(page),
        )
    };
    let picture = move || async move { ([(header::CONTENT_TYPE, "image/svg+xml")], drawing) };
    let port = serve(
        Router::new()
            .route("/", get(page))
            .route("/shop/pictures/{name}", get(picture)),
    )
    .await;
    let origin = format!("http://localhost:{port}");
    demo.execute_sql(&format!(
        "INSERT INTO origins (tenant_id, origin) SELECT tenant_id, '{origin}' FROM tenants"
    ))
    .await;
    origin
}

/// Serves a page of a third site that has the shop in a frame.
async fn portal(shop: &str) -> String {
    let page = format!(
        "<!doctype html><html lang=\"en\"><title>Portal</title><link rel=\"icon\" href=\"data:,\"><style>*{{margin:0}}iframe{{border:0;width:100vw;height:100vh}}</style><iframe title=\"shop\" src=\"{shop}/\"></iframe></html>"
    );
    let port = serve(Router::new().route("/", get(move || async move { Html(page) }))).await;
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn it_works_on_a_strict_page_of_another_site_right_to_left_on_the_smallest_phone() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let shop = shop(&demo).await;
    browser.set_viewport(1280, 800, "light").await;
    browser.go(&shop).await;
    let left = "document.querySelector('countersign-chat')?.shadowRoot.querySelector('.launcher').getBoundingClientRect().left";
    browser.wait_for(&format!("{left} >= 0")).await;
    assert_eq!(
        browser.run(&format!("return {left} < 100")).await,
        json!(true),
        "it stands where lines end"
    );
    browser.set_viewport(320, 568, "dark").await;
    browser.opens_chat().await;
    demo.model_says(json!([{ "text": "Dreißig Tage, und der Rückversand ist frei. رقم 1001" }]))
        .await;
    browser.says("Wie lange darf ich etwas zurückgeben?").await;
    browser.wait_for_text("Dreißig Tage").await;
    for words in ["Ihre Nachricht", "Anmelden", "Assistent"] {
        let shown = format!(
            "[...chat.querySelectorAll('*')].some(it => it.placeholder === '{words}' || it.textContent === '{words}')"
        );
        browser.wait_for(&chat(&shown)).await;
    }
    let search = json!({ "tool": "search_help", "arguments": { "query": "returns" } });
    demo.model_says(json!([{ "calls": [search] }, { "text": "Gern.", "delay_ms": 2500 }]))
        .await;
    browser.says("Sicher?").await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.doing')?.textContent === 'Ich lese in unseren Hilfeseiten…'",
        ))
        .await;
    browser.wait_for_text("Gern.").await;
    browser.says("Ein Mensch, bitte").await;
    browser.wait_for_text("jemanden aus unserem Team gerufen").await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.proposal p').textContent === 'Unser Team in dieses Gespräch holen.'",
        ))
        .await;
    browser.screenshot("smallest-dark-right-to-left").await;
    for fits in [
        "document.documentElement.scrollWidth <= innerWidth",
        &chat(
            "[...chat.querySelectorAll('.panel, .panel *')].filter(it => it.offsetParent).every(it => it.getBoundingClientRect().left >= -1 && it.getBoundingClientRect().right <= innerWidth + 1)",
        ),
    ] {
        assert_eq!(browser.run(&format!("return {fits}")).await, json!(true), "{fits}");
    }
    // The shopper's messages are at the end of lines, which is the left side.
    let own = chat(
        "chat.querySelector('.shopper .text').getBoundingClientRect().left < chat.querySelector('.assistant .text').getBoundingClientRect().left",
    );
    assert_eq!(browser.run(&format!("return {own}")).await, json!(true));
    assert_eq!(browser.accessibility_violations().await, [""; 0]);
    // Escape closes the chat and returns the focus to the launcher.
    browser.run(&chat("chat.querySelector('.panel').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))")).await;
    let closed = chat("chat.querySelector('.panel').hidden && chat.activeElement === chat.querySelector('.launcher')");
    assert_eq!(browser.run(&format!("return {closed}")).await, json!(true));
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

#[tokio::test]
async fn it_works_in_a_frame_of_a_third_site_where_the_browser_keeps_nothing() {
    let (demo, browser) = (Demo::start().await, Browser::without_storage().await);
    let shop = shop(&demo).await;
    browser.go(&portal(&shop).await).await;
    browser.client.clone().enter_frame(0).await.expect("the frame");
    let kept = browser.run("try { localStorage.setItem('a', 'b'); return localStorage.getItem('a') } catch (error) { return error.name }").await;
    assert_eq!(kept, json!("SecurityError"), "the test did not test");
    browser.opens_chat().await;
    for (at, words) in ["Eins.", "Zwei."].into_iter().enumerate() {
        demo.model_says(json!([{ "text": words }])).await;
        browser.says("Hallo").await;
        browser.wait_for_text(words).await;
        browser
            .wait_for(&chat("!chat.querySelector('textarea').hasAttribute('aria-busy')"))
            .await;
        assert_eq!(
            demo.count("SELECT count(*) FROM turns WHERE status = 'done'").await,
            at as i64 + 1
        );
    }
    assert_eq!(
        demo.count("SELECT count(*) FROM conversations").await,
        1,
        "it is one conversation"
    );
    assert_eq!(browser.run("return document.cookie").await, json!(""));
    assert_eq!(browser.logged_errors().await, [""; 0]);
}
