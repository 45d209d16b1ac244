//! What people see, in a real browser: the widget, the console and the demo's shop, on a desk and on a phone, light and dark.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::browser::{Browser, Demo, chat};

/// ConsoleVisitor and phone.
const SIZES: [(&str, u32, u32); 2] = [("desk", 1280, 900), ("phone", 360, 740)];

#[tokio::test]
async fn a_guest_proves_who_she_is_and_sees_her_order() {
    let (demo, mut browser) = (Demo::start().await, Browser::open().await);
    // A wrong code is a refusal that browsers write into their console.
    browser.forgives.push("401 (Unauthorized)");
    browser.looks_like(360, 740, "light").await;
    browser.go(&demo.url).await;
    browser.opens_chat().await;
    browser.says("Where is my order #1001?").await;
    browser.reads("that you are signed in").await;
    browser.presses("Sign in").await;
    browser.run(&chat("(chat.querySelector('.door input').value = 'mia@example.com', chat.querySelector('.door form').requestSubmit())")).await;
    let mail = demo.mail_with("mia@example.com", "code").await;
    let text = mail["text"].as_str().expect("text");
    let code = text
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 8)
        .expect("a code");
    browser
        .until(&chat("chat.querySelector('.door input[inputmode=numeric]')"))
        .await;
    for (typed, heard) in [("00000000", "not right"), (code, "You are signed in")] {
        browser.run(&chat(&format!("(chat.querySelector('.door input').value = '{typed}', chat.querySelector('.door form').requestSubmit())"))).await;
        browser
            .until(&chat(&format!(
                "chat.querySelector('.status').textContent.includes('{heard}')"
            )))
            .await;
    }
    browser.says("Where is my order #1001?").await;
    browser.reads("HP440028817").await;
    browser.until(&chat("chat.querySelector('.card .steps .now')")).await;
    browser
        .until(&chat(
            "chat.querySelector('.log').textContent.includes('Storm Lantern')",
        ))
        .await;
    let pictures = "[...chat.querySelectorAll('.card img.picture')].filter(it => it.naturalWidth > 0).length === 2";
    browser.until(&chat(pictures)).await;
    browser.picture("phone-light-order").await;
    let width = browser
        .run("return document.documentElement.scrollWidth <= innerWidth")
        .await;
    assert_eq!(width, json!(true), "nothing is wider than the phone");
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_return_is_proposed_countersigned_and_mailed() {
    let (demo, shopper, staff) = (Demo::start().await, Browser::open().await, Browser::open().await);
    shopper.looks_like(1280, 900, "light").await;
    staff.looks_like(1280, 900, "dark").await;
    shopper.go(&format!("{}/?as=mia", demo.url)).await;
    shopper.opens_chat().await;
    shopper.says("I want to return order #1002.").await;
    shopper.reads("Return Fisherman Sweater of order #1002?").await;
    shopper.presses("Yes").await;
    shopper.reads("A person will decide").await;
    shopper.until(&chat("chat.querySelector('.proposal')")).await;
    let said = shopper
        .run(&format!("return {}", chat("chat.querySelectorAll('.shopper').length")))
        .await;
    assert_eq!(said, json!(2), "said at once after opening, and the yes; each shown once");
    shopper.picture("desk-light-proposal").await;
    staff.signs_in(&demo).await;
    staff.until("document.querySelector('.queue a')").await;
    staff.picture("desk-dark-queue").await;
    staff.run("document.querySelector('.queue a').click()").await;
    staff.until("document.querySelector('.changes ins')").await;
    staff.picture("desk-dark-effect").await;
    // Second thoughts: taken back by a key, then meant.
    staff
        .run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }))")
        .await;
    staff.until("!document.getElementById('toast').hidden").await;
    staff.run("document.querySelector('#toast button').click()").await;
    assert_eq!(demo.count("SELECT count(*) FROM decisions").await, 0);
    staff.submits("Approve").await;
    staff
        .until("document.querySelector('.done').textContent.includes('approved')")
        .await;
    shopper
        .until(&chat("chat.querySelector('.proposal .state')?.textContent === 'Done'"))
        .await;
    shopper.picture("desk-light-done").await;
    let mail = demo.mail_with("mia@example.com", "129.90").await;
    assert!(
        mail["text"].as_str().is_some_and(|text| text.contains("#1002")),
        "{mail}"
    );
    staff.go(&format!("{}/inbox", demo.url)).await;
    staff.until("document.body.innerText.includes('#1002')").await;
    staff.go(&format!("{}/console/audit", demo.url)).await;
    staff.until("document.body.innerText.includes('proposal.approve') && document.body.innerText.includes('chain is whole')").await;
    assert_eq!((shopper.complaints().await, staff.complaints().await), (vec![], vec![]));
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
        browser.reads(&format!("Please confirm {street}.")).await;
    };
    let living = "SELECT count(*) FROM shoppers WHERE address->>'address1' = '7 Pier Lane'";
    moves("7 Pier Lane").await;
    browser
        .until(&chat(
            "chat.querySelector('.proposal').textContent.includes('Please confirm:')",
        ))
        .await;
    browser.picture("desk-light-confirm").await;
    assert_eq!(demo.count(living).await, 0, "words are no confirmation");
    browser.presses("Confirm").await;
    browser
        .until(&chat("chat.querySelector('.proposal .state').textContent === 'Done'"))
        .await;
    assert_eq!(demo.count(living).await, 1);
    moves("8 Pier Lane").await;
    browser.presses("Withdraw").await;
    browser
        .until(&chat(
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
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_person_takes_over_answers_and_gives_back() {
    let (demo, shopper, staff) = (Demo::start().await, Browser::open().await, Browser::open().await);
    shopper.looks_like(1280, 900, "dark").await;
    shopper.go(&format!("{}/?as=noah", demo.url)).await;
    shopper.opens_chat().await;
    shopper.says("I want to talk to a person").await;
    shopper.reads("called someone of our staff").await;
    staff.signs_in(&demo).await;
    staff.go(&format!("{}/console/conversations?open=true", demo.url)).await;
    staff
        .until("document.body.innerText.includes('waits for a person')")
        .await;
    staff.run("[...document.querySelectorAll('td a')][0].click()").await;
    staff.until("document.querySelector('[name=text]')").await;
    staff.fills("text", "Hello Noah, I am Kim. <b>What</b> is it?").await;
    staff.submits("Send").await;
    staff
        .until("document.querySelector('.done').textContent.includes('sent')")
        .await;
    shopper.reads("Hello Noah, I am Kim. <b>What</b> is it?").await;
    shopper.says("My mug leaks.").await;
    shopper.reads("Your message is with our staff").await;
    shopper.picture("desk-dark-person").await;
    staff.until("document.body.innerText.includes('My mug leaks.')").await;
    staff.picture("desk-light-conversation").await;
    staff.submits("Give back to the assistant").await;
    staff
        .until("document.querySelector('.done').textContent.includes('given back')")
        .await;
    shopper.reads("Our assistant answers you again.").await;
    shopper.says("Where is my order #2001?").await;
    shopper.reads("Order #2001").await;
    assert_eq!((shopper.complaints().await, staff.complaints().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_reload_in_the_middle_and_a_lost_network_send_nothing_twice() {
    let (demo, mut browser) = (Demo::start().await, Browser::open().await);
    browser
        .forgives
        .extend(["ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED"]);
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    demo.model_says(json!([{ "text": "Here is the long answer.", "delay_ms": 3000 }]))
        .await;
    browser.says("Think about it").await;
    browser.reads("Writing").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    browser.client.refresh().await.expect("reloads");
    browser.opens_chat().await;
    browser.reads("Here is the long answer.").await;
    let said =
        chat("[...chat.querySelectorAll('.shopper .text')].filter(it => it.textContent === 'Think about it').length");
    assert_eq!(browser.until(&said).await, json!(1));
    assert_eq!(demo.count("SELECT count(*) FROM turns").await, 1);

    browser.is_offline(true).await;
    browser.says("Where is my order #1001?").await;
    browser
        .until(&chat(
            "chat.querySelector('.status').textContent.includes('No connection')",
        ))
        .await;
    browser.picture("desk-offline").await;
    browser.is_offline(false).await;
    browser.reads("HP440028817").await;
    assert_eq!(demo.count("SELECT count(*) FROM turns").await, 2);
    assert_eq!(
        demo.count("SELECT count(*) FROM messages WHERE author = 'shopper'")
            .await,
        2
    );
    assert_eq!(browser.complaints().await, [""; 0]);
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

/// Something of everything, so that no page is looked at while it is empty.
async fn furnish(demo: &Demo, browser: &Browser, text: &str) -> Vec<String> {
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    demo.model_says(json!([{ "text": text }])).await;
    browser.says(text).await;
    browser
        .until(&chat("chat.querySelectorAll('.assistant').length === 1"))
        .await;
    browser.says("I want to return order #1002.").await;
    browser.reads("Return Fisherman Sweater of order #1002?").await;
    browser.presses("Yes").await;
    browser.reads("A person will decide").await;
    browser.says("a person please").await;
    browser.reads("called someone").await;
    browser.says("Where is my order #1001?").await;
    browser.reads("HP440028817").await;
    browser.until(&chat("chat.querySelector('.card .steps')")).await;
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
    browser
        .until("document.querySelector('.done').textContent.includes('saved')")
        .await;
    // The chat cites it.
    browser.go(&format!("{}/?as=mia", demo.url)).await;
    browser.opens_chat().await;
    browser.says("What is the answer?").await;
    let cited = "chat.querySelector('.sources summary')";
    browser.until(&chat(cited)).await;
    browser.run(&chat(&format!("{cited}.click()"))).await;
    browser
        .until(&chat(
            "chat.querySelector('.sources details p').textContent.includes('The answer.')",
        ))
        .await;
    demo.meddle(
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
        let found = browser.until(links).await;
        pages.extend(serde_json::from_str::<Vec<String>>(found.as_str().expect("text")).expect("a list"));
    }
    pages
}

#[tokio::test]
async fn no_page_has_a_barrier_or_a_complaint() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let pages = furnish(&demo, &browser, "The answer.").await;
    assert!(pages.len() > CONSOLE.len() + 1, "{pages:?}");
    let mut found = Vec::new();
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.looks_like(width, height, scheme).await;
            for page in &pages {
                browser.go(&format!("{}{page}", demo.url)).await;
                if (size == "desk") == (scheme == "light") && !page.contains('-') {
                    browser
                        .picture(&format!("{size}-{scheme}{}", page.replace('/', "-")))
                        .await;
                }
                found.extend(
                    browser
                        .barriers()
                        .await
                        .into_iter()
                        .map(|it| format!("{size} {scheme} {page}: {it}")),
                );
            }
            for page in ["/?as=mia", "/inbox"] {
                browser.go(&format!("{}{page}", demo.url)).await;
                if page != "/inbox" {
                    browser.opens_chat().await;
                    browser.reads("HP440028817").await;
                    browser.picture(&format!("{size}-{scheme}-chat")).await;
                }
                found.extend(
                    browser
                        .barriers()
                        .await
                        .into_iter()
                        .map(|it| format!("{size} {scheme} {page}: {it}")),
                );
            }
        }
    }
    browser.client.delete_all_cookies().await.expect("forgets");
    browser.go(&format!("{}/console/sign-in", demo.url)).await;
    found.extend(browser.barriers().await);
    found.dedup();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// What a page must never run. Each would leave a mark.
const NASTY: &str = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1><svg/onload=window.pwned=1>\"'><iframe srcdoc='<script>parent.pwned=1</script>'>\
    <a href=javascript:window.pwned=1>x</a>{{7*7}}{% include \"x\" %}${window.pwned=1}</title></textarea></style><!-- The answer.";

#[tokio::test]
async fn nothing_that_people_write_runs_anywhere() {
    let (demo, browser) = (Demo::start().await, Browser::open().await);
    let quoted = NASTY.replace('\'', "''");
    // Names of products and people, notes, statuses of parcels: what imports and other systems bring.
    demo.meddle(&format!(
        "UPDATE order_lines SET name = left('{quoted}', 180); UPDATE products SET name = left('{quoted}', 180), description = '{quoted}';
        UPDATE shipments SET tracking_number = 'HP440028817', carrier = left('{quoted}', 100);
        UPDATE shoppers SET first_name = left('{quoted}', 100), last_name = left('{quoted}', 100);
        UPDATE tenants SET name = left('{quoted}', 100)"
    ))
    .await;
    let pages = furnish(&demo, &browser, NASTY).await;
    let mut seen = 0;
    for page in pages.iter().map(String::as_str).chain(["/?as=mia", "/inbox"]) {
        browser.go(&format!("{}{page}", demo.url)).await;
        if page == "/?as=mia" {
            browser.opens_chat().await;
            browser.reads("window.pwned=1").await;
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
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// The most a page may weigh, in bytes as they are sent to a browser that takes gzip; and the widget alone.
const WIDGET_AT_MOST: usize = 20 * 1024;

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
    assert!(packed < WIDGET_AT_MOST, "{packed} bytes");
    println!("widget.js: {packed} bytes packed");
    browser.signs_in(&demo).await;
    // The shop shows four pictures.
    for (page, requests) in [("/", 9), ("/console", 5), ("/console/rules", 5)] {
        browser.go(&format!("{}{page}", demo.url)).await;
        let weight = "(() => { const all = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')];
            return JSON.stringify({ requests: all.length, bytes: all.reduce((sum, it) => sum + it.encodedBodySize, 0),
                loaded_ms: Math.round(performance.getEntriesByType('navigation')[0].loadEventEnd), elements: document.querySelectorAll('*').length }) })()";
        let weight = browser.until(weight).await;
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
    // From the press of a key to one's own words on the page.
    let heard = browser.run(&format!("{}; const began = performance.now(); chat.querySelector('textarea').value = 'Hello'; chat.querySelector('.say').requestSubmit();
        return Math.round(performance.now() - began) + ' ms, shown: ' + !!chat.querySelector('.shopper')", "const chat = document.querySelector('countersign-chat').shadowRoot")).await;
    println!("from sending to one's own words on the page: {heard}");
    assert!(heard.as_str().is_some_and(|heard| heard.ends_with("shown: true")));
}
