//! The widget, the console and the demo's shop in a real browser, on a desktop and a phone, light and dark.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::browser::{Browser, Demo, chat};

/// The sizes of a desktop window and of a phone.
const SIZES: [(&str, u32, u32); 2] = [("desk", 1280, 900), ("phone", 360, 740)];

#[tokio::test]
async fn a_guest_proves_who_she_is_and_sees_her_order() {
    let (demo, mut browser) = (Demo::start().await, Browser::open().await);
    // Browsers log the response to a wrong code as an error.
    browser.ignored_errors.push("401 (Unauthorized)");
    browser.set_viewport(360, 740, "light").await;
    browser.go(&demo.url).await;
    browser.opens_chat().await;
    browser.says("Where is my order #1001?").await;
    browser.wait_for_text("that you are signed in").await;
    browser.presses("Sign in").await;
    browser.run(&chat("(chat.querySelector('.door input').value = 'mia@example.com', chat.querySelector('.door form').requestSubmit())")).await;
    let mail = demo.mail_with("mia@example.com", "code").await;
    let text = mail["text"].as_str().expect("text");
    let code = text
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 8)
        .expect("a code");
    browser
        .wait_for(&chat("chat.querySelector('.door input[inputmode=numeric]')"))
        .await;
    for (typed, heard) in [("00000000", "not right"), (code, "You are signed in")] {
        browser.run(&chat(&format!("(chat.querySelector('.door input').value = '{typed}', chat.querySelector('.door form').requestSubmit())"))).await;
        browser
            .wait_for(&chat(&format!(
                "chat.querySelector('.status').textContent.includes('{heard}')"
            )))
            .await;
    }
    browser.says("Where is my order #1001?").await;
    browser.wait_for_text("HP440028817").await;
    browser.wait_for(&chat("chat.querySelector('.card .steps .now')")).await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.log').textContent.includes('Storm Lantern')",
        ))
        .await;
    let pictures = "[...chat.querySelectorAll('.card img.picture')].filter(it => it.naturalWidth > 0).length === 2";
    browser.wait_for(&chat(pictures)).await;
    browser.screenshot("phone-light-order").await;
    let width = browser
        .run("return document.documentElement.scrollWidth <= innerWidth")
        .await;
    assert_eq!(width, json!(true), "nothing is wider than the phone");
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

#[tokio::test]
async fn a_return_is_proposed_countersigned_and_mailed() {
    let (demo, shopper, staff) = (Demo::start().await, Browser::open().await, Browser::open().await);
    shopper.set_viewport(1280, 900, "light").await;
    staff.set_viewport(1280, 900, "dark").await;
    shopper.go(&format!("{}/?as=mia", demo.url)).await;
    shopper.opens_chat().await;
    shopper.says("I want to return order #1002.").await;
    shopper.wait_for_text("Return Fisherman Sweater of order #1002?").await;
    shopper.presses("Yes").await;
    shopper.wait_for_text("A person will decide").await;
    shopper.wait_for(&chat("chat.querySelector('.proposal')")).await;
    let said = shopper
        .run(&format!("return {}", chat("chat.querySelectorAll('.shopper').length")))
        .await;
    assert_eq!(
        said,
        json!(2),
        "said at once after opening, and the yes; each shown once"
    );
    shopper.screenshot("desk-light-proposal").await;
    staff.signs_in(&demo).await;
    staff.wait_for("document.querySelector('.queue a')").await;
    staff.screenshot("desk-dark-queue").await;
    staff.run("document.querySelector('.queue a').click()").await;
    staff.wait_for("document.querySelector('.changes ins')").await;
    staff.screenshot("desk-dark-effect").await;
    // The approval by a key is undone, then the button approves.
    staff
        .run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }))")
        .await;
    staff.wait_for("!document.getElementById('toast').hidden").await;
    staff.run("document.querySelector('#toast button').click()").await;
    assert_eq!(demo.count("SELECT count(*) FROM decisions").await, 0);
    staff.submits("Approve").await;
    staff.wait_for_notice("Approved").await;
    shopper
        .wait_for(&chat("chat.querySelector('.proposal .state')?.textContent === 'Done'"))
        .await;
    shopper.screenshot("desk-light-done").await;
    let mail = demo.mail_with("mia@example.com", "129.90").await;
    assert!(
        mail["text"].as_str().is_some_and(|text| text.contains("#1002")),
        "{mail}"
    );
    staff.go(&format!("{}/inbox", demo.url)).await;
    staff.wait_for("document.body.innerText.includes('#1002')").await;
    staff.go(&format!("{}/console/audit", demo.url)).await;
    staff.wait_for("document.body.innerText.includes('proposal.approve') && document.body.innerText.includes('chain is whole')").await;
    assert_eq!(
        (shopper.logged_errors().await, staff.logged_errors().await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn what_only_the_shopper_can_confirm_waits_for_the_button() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    let moves = async |street: &str| {
        let address = json!({ "address1": street, "address2": "", "city": "Portland", "state": "ME", "zip": "04101", "country": "USA" });
        demo.model_says(json!([
            { "calls": [{ "tool": "change_profile_address", "arguments": { "address": address } }] },
            { "text": format!("Please confirm {street}.") }
        ]))
        .await;
        browser
            .says(&format!("I have moved to {street}. Yes, do it, I confirm!"))
            .await;
        browser.wait_for_text(&format!("Please confirm {street}.")).await;
    };
    let living = "SELECT count(*) FROM shoppers WHERE address->>'address1' = '7 Pier Lane'";
    moves("7 Pier Lane").await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.proposal').textContent.includes('Please confirm:')",
        ))
        .await;
    browser.screenshot("desk-light-confirm").await;
    assert_eq!(demo.count(living).await, 0, "words are no confirmation");
    browser.presses("Confirm").await;
    browser
        .wait_for(&chat("chat.querySelector('.proposal .state').textContent === 'Done'"))
        .await;
    assert_eq!(demo.count(living).await, 1);
    moves("8 Pier Lane").await;
    browser.presses("Withdraw").await;
    browser
        .wait_for(&chat(
            "[...chat.querySelectorAll('.proposal')].at(-1).querySelector('.state').textContent !== 'Waiting'",
        ))
        .await;
    assert_eq!(
        (
            demo.count(living).await,
            demo.count("SELECT count(*) FROM proposals WHERE state = 'executed'")
                .await
        ),
        (1, 1)
    );
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

#[tokio::test]
async fn a_person_takes_over_answers_and_gives_back() {
    let (demo, shopper, staff) = (Demo::start().await, Browser::open().await, Browser::open().await);
    shopper.set_viewport(1280, 900, "dark").await;
    shopper.go(&format!("{}/?as=noah", demo.url)).await;
    shopper.opens_chat().await;
    shopper.says("I want to talk to a person").await;
    shopper.wait_for_text("called someone of our staff").await;
    staff.signs_in(&demo).await;
    staff.go(&format!("{}/console/conversations?open=true", demo.url)).await;
    staff
        .wait_for("document.body.innerText.includes('waits for a person')")
        .await;
    staff.run("[...document.querySelectorAll('td a')][0].click()").await;
    staff.wait_for("document.querySelector('[name=text]')").await;
    staff.fills("text", "Hello Noah, I am Kim. <b>What</b> is it?").await;
    staff.submits("Send").await;
    staff.wait_for_notice("Sent").await;
    shopper.wait_for_text("Hello Noah, I am Kim. <b>What</b> is it?").await;
    shopper.says("My mug leaks.").await;
    shopper.wait_for_text("Your message is with our staff").await;
    shopper.screenshot("desk-dark-person").await;
    staff
        .wait_for("document.body.innerText.includes('My mug leaks.')")
        .await;
    staff.screenshot("desk-light-conversation").await;
    staff.submits("Give back to the assistant").await;
    staff.wait_for_notice("Given back").await;
    shopper.wait_for_text("Our assistant answers you again.").await;
    shopper.says("Where is my order #2001?").await;
    shopper.wait_for_text("Order #2001").await;
    assert_eq!(
        (shopper.logged_errors().await, staff.logged_errors().await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn a_reload_in_the_middle_and_a_lost_network_send_nothing_twice() {
    let (demo, mut browser) = (Demo::start().await, Browser::open().await);
    browser
        .ignored_errors
        .extend(["ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED"]);
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    demo.model_says(json!([{ "text": "Here is the long answer.", "delay_ms": 3000 }]))
        .await;
    browser.says("Think about it").await;
    browser.wait_for_text("Writing").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    browser.client.refresh().await.expect("reloads");
    browser.opens_chat().await;
    browser.wait_for_text("Here is the long answer.").await;
    let said =
        chat("[...chat.querySelectorAll('.shopper .text')].filter(it => it.textContent === 'Think about it').length");
    assert_eq!(browser.wait_for(&said).await, json!(1));
    assert_eq!(demo.count("SELECT count(*) FROM turns").await, 1);

    browser.set_offline(true).await;
    browser.says("Where is my order #1001?").await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.status').textContent.includes('No connection')",
        ))
        .await;
    browser.screenshot("desk-offline").await;
    browser.set_offline(false).await;
    browser.wait_for_text("HP440028817").await;
    assert_eq!(demo.count("SELECT count(*) FROM turns").await, 2);
    assert_eq!(
        demo.count("SELECT count(*) FROM messages WHERE author = 'shopper'")
            .await,
        2
    );
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

/// Every page of the console.
const CONSOLE: [&str; 15] = [
    "/console",
    "/console/conversations",
    "/console/articles",
    "/console/articles/en/returns",
    "/console/rules",
    "/console/rules/request_refund",
    "/console/usage",
    "/console/deliveries",
    "/console/incoming",
    "/console/people",
    "/console/settings",
    "/console/audit",
    "/console/doctor",
    "/console/second-factor",
    "/console/prove",
];

/// Creates data for every page of the console, so that no page is empty, and returns the pages.
async fn create_data_for_every_page(demo: &Demo, browser: &Browser, text: &str) -> Vec<String> {
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    demo.model_says(json!([{ "text": text }])).await;
    browser.says(text).await;
    browser
        .wait_for(&chat("chat.querySelectorAll('.assistant').length === 1"))
        .await;
    // The rules read goods by their names, which may be anything here: a model proposes.
    let arguments = json!({ "order_number": "#1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "card-mia" });
    demo.model_says(
        json!([{ "calls": [{ "tool": "return_items", "arguments": arguments }] }, { "text": "A person will decide." }]),
    )
    .await;
    browser.says("I want to return order #1002.").await;
    browser.wait_for_text("A person will decide").await;
    browser.says("a person please").await;
    browser.wait_for_text("called someone").await;
    browser.says("Where is my order #1001?").await;
    browser.wait_for_text("HP440028817").await;
    browser.wait_for(&chat("chat.querySelector('.card .steps')")).await;
    browser.signs_in(demo).await;
    browser.go(&format!("{}/console/articles", demo.url)).await;
    for (name, value) in [
        ("slug", "returns"),
        ("title", &text[..text.len().min(180)]),
        ("body", text),
    ] {
        browser.fills(name, value).await;
    }
    browser.submits("Save").await;
    browser.wait_for_notice("Saved").await;
    // The chat cites the article.
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    browser.says("What is the answer?").await;
    let cited = "chat.querySelector('.sources summary')";
    browser.wait_for(&chat(cited)).await;
    browser.run(&chat(&format!("{cited}.click()"))).await;
    browser
        .wait_for(&chat(
            "chat.querySelector('.sources details p').textContent.includes('The answer.')",
        ))
        .await;
    demo.execute_sql(
        "INSERT INTO budget_ledger (tenant_id, id, at, kind, shopper_id, model, tools, reserved_micros, spent_micros, input_tokens, output_tokens)
        SELECT tenant_id, gen_random_uuid(), now() - day * interval '1 day', 'settled', shopper_id, 'm', '{}', 0, (day + 1) * 500000, 10, 10
        FROM shoppers, generate_series(0, 9) day WHERE external_id = 'mia'",
    )
    .await;
    browser.go(&format!("{}/console/conversations", demo.url)).await;
    let links = "JSON.stringify([...document.querySelectorAll('td a, .queue a')].map(it => new URL(it.href).pathname))";
    let mut pages: Vec<String> = CONSOLE.map(str::to_owned).into();
    for page in ["/console/conversations", "/console"] {
        browser.go(&format!("{}{page}", demo.url)).await;
        let found = browser.wait_for(links).await;
        pages.extend(serde_json::from_str::<Vec<String>>(found.as_str().expect("text")).expect("a list"));
    }
    pages
}

#[tokio::test]
async fn pages_have_no_axe_violations_or_console_errors() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let pages = create_data_for_every_page(&demo, &browser, "The answer.").await;
    assert!(pages.len() > CONSOLE.len() + 1, "{pages:?}");
    let mut found = Vec::new();
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.set_viewport(width, height, scheme).await;
            for page in &pages {
                browser.go(&format!("{}{page}", demo.url)).await;
                if (size == "desk") == (scheme == "light") && !page.contains('-') {
                    browser
                        .screenshot(&format!("{size}-{scheme}{}", page.replace('/', "-")))
                        .await;
                }
                found.extend(
                    browser
                        .accessibility_violations()
                        .await
                        .into_iter()
                        .map(|it| format!("{size} {scheme} {page}: {it}")),
                );
            }
            for page in ["/?as=mia", "/inbox"] {
                browser.go(&format!("{}{page}", demo.url)).await;
                if page != "/inbox" {
                    browser.opens_chat().await;
                    browser.wait_for_text("HP440028817").await;
                    browser.screenshot(&format!("{size}-{scheme}-chat")).await;
                }
                found.extend(
                    browser
                        .accessibility_violations()
                        .await
                        .into_iter()
                        .map(|it| format!("{size} {scheme} {page}: {it}")),
                );
            }
        }
    }
    browser.client.delete_all_cookies().await.expect("forgets");
    browser.go(&format!("{}/console/sign-in", demo.url)).await;
    found.extend(browser.accessibility_violations().await);
    found.dedup();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

/// Script injections. If one ran, it would set `window.pwned`.
const SCRIPT_INJECTIONS: &str = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1><svg/onload=window.pwned=1>\"'><iframe srcdoc='<script>parent.pwned=1</script>'>\
    <a href=javascript:window.pwned=1>x</a>{{7*7}}{% include \"x\" %}${window.pwned=1}</title></textarea></style><!-- The answer.";

#[tokio::test]
async fn nothing_that_people_write_runs_anywhere() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let quoted = SCRIPT_INJECTIONS.replace('\'', "''");
    // Product names, people's names and carriers, which come from imports and other systems.
    demo.execute_sql(&format!(
        "UPDATE order_lines SET name = left('{quoted}', 180); UPDATE products SET name = left('{quoted}', 180), description = '{quoted}';
        UPDATE shipments SET tracking_number = 'HP440028817', carrier = left('{quoted}', 100);
        UPDATE shoppers SET first_name = left('{quoted}', 100), last_name = left('{quoted}', 100);
        UPDATE tenants SET name = left('{quoted}', 100)"
    ))
    .await;
    let pages = create_data_for_every_page(&demo, &browser, SCRIPT_INJECTIONS).await;
    let mut seen = 0;
    for page in pages.iter().map(String::as_str).chain(["/?as=mia", "/inbox"]) {
        browser.go(&format!("{}{page}", demo.url)).await;
        if page == "/?as=mia" {
            browser.opens_chat().await;
            browser.wait_for_text("window.pwned=1").await;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(
            browser.run("return window.pwned === undefined").await,
            json!(true),
            "{page}"
        );
        let html = browser.run("return (document.querySelector('countersign-chat')?.shadowRoot || document.body).textContent.includes('onerror=window.pwned')").await;
        seen += usize::from(html == json!(true));
    }
    assert!(seen >= 5, "it is shown, as text, on {seen} pages");
    let mail = demo.mail_with("mia@example.com", "#1002").await;
    let html = mail["html"].as_str().expect("html");
    assert!(
        !html.contains("<script>window") && !html.contains("<img src=x"),
        "{html}"
    );
    assert_eq!(browser.logged_errors().await, [""; 0]);
}

/// The largest size of the widget's script in bytes, compressed by gzip.
const MAX_WIDGET_BYTES: usize = 20 * 1024;

#[tokio::test]
async fn pages_are_light_and_the_widget_says_at_once_that_it_heard() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let widget = demo
        .http
        .get(format!("{}/widget.js", demo.url))
        .send()
        .await
        .expect("answers");
    let widget = widget.bytes().await.expect("a script");
    let mut packed = Command::new("gzip")
        .arg("-9c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut input = packed.stdin.take().expect("a pipe");
    std::thread::spawn(move || input.write_all(&widget));
    let packed = packed.wait_with_output().expect("packed").stdout.len();
    assert!(packed < MAX_WIDGET_BYTES, "{packed} bytes");
    println!("widget.js: {packed} bytes packed");
    browser.signs_in(&demo).await;
    // The requests of the shop's page include four pictures.
    for (page, requests) in [("/", 9), ("/console", 5), ("/console/rules", 5)] {
        browser.go(&format!("{}{page}", demo.url)).await;
        let weight = "(() => { const all = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')];
            return JSON.stringify({ requests: all.length, bytes: all.reduce((sum, it) => sum + it.encodedBodySize, 0),
                loaded_ms: Math.round(performance.getEntriesByType('navigation')[0].loadEventEnd), elements: document.querySelectorAll('*').length }) })()";
        let weight = browser.wait_for(weight).await;
        let seen: Value = serde_json::from_str(weight.as_str().expect("text")).expect("JSON");
        println!("{page}: {seen}");
        assert!(
            seen["bytes"].as_u64().is_some_and(|bytes| bytes < 64 * 1024),
            "{page}: {seen}"
        );
        assert!(
            seen["requests"].as_u64().is_some_and(|seen| seen <= requests),
            "{page}: {seen}"
        );
    }
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    // Measures the time from sending a message to seeing it on the page.
    let heard = browser.run(&format!("{}; const began = performance.now(); chat.querySelector('textarea').value = 'Hello'; chat.querySelector('.say').requestSubmit();
        return Math.round(performance.now() - began) + ' ms, shown: ' + !!chat.querySelector('.shopper')", "const chat = document.querySelector('countersign-chat').shadowRoot")).await;
    println!("from sending to one's own words on the page: {heard}");
    assert!(heard.as_str().is_some_and(|heard| heard.ends_with("shown: true")));
}
