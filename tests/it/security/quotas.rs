//! Shares: a flood of strangers uses up its own share, and signed-in shoppers are still served.

use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};

use countersign::{
    config::{AddressHeader, Connections, Limits, Proxies, Rate, Settings},
    identity::{self, StaffRole},
    integrations::challenge::ChallengeSettings,
    store::privacy,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::support::{Reply, TestApp, TestShopper, shopper::answer};

/// Trusts a proxy on loopback, so that a request can state its client address.
fn behind_a_proxy(settings: &mut Settings) {
    settings.connections = Connections {
        proxies: Proxies {
            networks: vec!["127.0.0.0/8".parse().expect("a network")],
            header: AddressHeader::XForwardedFor,
        },
        ..Connections::default()
    };
}

async fn guest_from(app: &TestApp, address: &str) -> TestShopper {
    let request = app
        .with_store_key("/v1/sessions/guest", json!({}))
        .header("x-forwarded-for", address);
    let (status, opened) = answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    TestShopper::with_token(app, opened["token"].as_str().expect("a token"))
}

fn ask_from(shopper: &TestShopper, address: &str) -> reqwest::RequestBuilder {
    let request = shopper.post("/v1/chat/send").json(&json!({ "text": "hello" }));
    request.header("x-forwarded-for", address.to_owned())
}

/// Sends one message of each guest at once and returns the source of each answer.
async fn flood(senders: Vec<(TestShopper, String)>) -> Vec<String> {
    let mut sends = JoinSet::new();
    for (guest, address) in senders {
        sends.spawn(async move {
            let (status, body) = answer(ask_from(&guest, &address)).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            body["message"]["source"].as_str().expect("a source").to_owned()
        });
    }
    sends.join_all().await
}

#[tokio::test]
async fn guests_spend_their_share_on_two_replicas_and_a_shopper_is_answered() {
    let app = TestApp::start_with_settings(behind_a_proxy).await;
    let (other, _stop) = app.replica().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| Reply::text("Hello."));
    mia.ask("hello").await;
    let held = app.count("SELECT reserved_micros FROM budget_ledger LIMIT 1").await;
    // A network's share is a little more than one call reserves, and the share of all guests is four times that.
    let day = held * 3 / 2 * 4 * 10;
    let admin = app.staff("kim@shop.example", StaffRole::Admin).await;
    let caps = json!({ "conversation_micros": 1_000_000_000, "shopper_day_micros": 1_000_000_000, "store_day_micros": day,
        "store_month_micros": 1_000_000_000, "guests_percent": 10, "network_percent": 25 });
    let (status, body) = answer(admin.request("PUT", "/v1/staff/budget").json(&caps)).await;
    assert_eq!(
        (status, &body["guests_percent"]),
        (StatusCode::OK, &json!(10)),
        "{body}"
    );
    app.model
        .respond(|_| Reply::After(Duration::from_millis(500), Box::new(Reply::text("Hello."))));

    // All guests are in one IPv6 /64, each with its own address.
    let guest = guest_from(&app, "2001:db8:1:2::1").await;
    let senders = (0..64).map(|n| {
        let to = if n % 2 == 0 { guest.clone() } else { guest.at(&other) };
        (to, format!("2001:db8:1:2::{n:x}"))
    });
    let sources = flood(senders.collect()).await;
    let by_model = sources.iter().filter(|source| *source == "model").count();
    assert!((1..64).contains(&by_model), "{by_model} of 64 by the model");
    let network = day / 10 * 25 / 100;
    let most = app
        .count("SELECT max(spent_micros) FROM spend WHERE scope = 'network_day'")
        .await;
    assert!(most <= network, "{most} of {network}");

    // Guests of 64 networks.
    let senders = (0..64).map(|n| {
        let to = if n % 2 == 0 { guest.clone() } else { guest.at(&other) };
        (to, format!("192.0.2.{n}"))
    });
    let sources = flood(senders.collect()).await;
    assert!(sources.iter().any(|source| source == "offline"), "{sources:?}");
    let most = app
        .count("SELECT spent_micros FROM spend WHERE scope = 'guests_day'")
        .await;
    assert!(most <= day / 10, "{most} of {}", day / 10);

    let (status, body) = answer(ask_from(&mia, "192.0.2.1")).await;
    assert_eq!(
        (status, &body["message"]["source"]),
        (StatusCode::OK, &json!("model")),
        "{body}"
    );
    // Anybody can register: an account without an order has no more than guests have.
    let noah = app.shopper("noah").await;
    app.execute_sql(
        "SET session_replication_role = replica;
        UPDATE orders o SET shopper_id = m.shopper_id FROM shoppers m, shoppers n
        WHERE m.external_id = 'mia' AND n.external_id = 'noah' AND m.tenant_id = n.tenant_id AND (o.tenant_id, o.shopper_id) = (n.tenant_id, n.shopper_id)",
    )
    .await;
    let guests_day = "SELECT spent_micros FROM spend WHERE scope = 'guests_day'";
    let settled = "SELECT count(*) FROM spend WHERE reserved_micros <> 0";
    app.wait_for_count(settled, 0).await;
    let before = app.count(guests_day).await;
    let (status, body) = answer(ask_from(&noah, "198.51.100.7")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    app.wait_for_count(settled, 0).await;
    let is_counted = app.count(guests_day).await > before;
    assert!(is_counted || body["message"]["source"] == "offline", "{body}");
    let open = "SELECT count(*) FROM spend WHERE reserved_micros <> 0";
    app.wait_for_count(open, 0).await;
    let apart =
        "SELECT count(*) FROM spend g WHERE scope = 'guests_day' AND spent_micros <> (SELECT sum(l.spent_micros)
        FROM budget_ledger l JOIN shoppers s ON s.shopper_id = l.shopper_id WHERE s.guest OR s.external_id = 'noah')";
    assert_eq!(
        app.count(apart).await,
        0,
        "the guests' share is what the ledger says guests spent"
    );
    let named = "SELECT count(*) FROM spend WHERE key LIKE '%2001:%' OR key LIKE '%192.0%'";
    assert_eq!(app.count(named).await, 0, "no address is kept");
}

#[tokio::test]
async fn slow_answers_to_guests_leave_places_for_a_shopper() {
    let app = TestApp::start_with_settings(|settings| {
        behind_a_proxy(settings);
        settings.max_turns = 16;
    })
    .await;
    let mia = app.shopper("mia").await;
    app.model
        .respond(|_| Reply::After(Duration::from_secs(4), Box::new(Reply::text("Hello."))));
    // Of sixteen turns a network may have an eighth, all guests together half.
    let mut statuses = Vec::new();
    let mut running = Vec::new();
    for network in 1..=5 {
        let address = format!("198.51.100.{network}");
        let guest = guest_from(&app, &address).await;
        for _ in 0..3 {
            let request = ask_from(&guest, &address).header("accept", "text/event-stream");
            let response = request.send().await.expect("answers");
            statuses.push(response.status().as_u16());
            running.push(response);
        }
    }
    assert_eq!(
        statuses,
        [
            200, 200, 503, 200, 200, 503, 200, 200, 503, 200, 200, 503, 503, 503, 503
        ]
    );
    app.model.respond(|_| Reply::text("Hello."));
    let (status, body) = answer(ask_from(&mia, "198.51.100.1")).await;
    assert_eq!(
        (status, &body["message"]["source"]),
        (StatusCode::OK, &json!("model")),
        "{body}"
    );
}

#[tokio::test]
async fn accounts_have_their_turns_and_those_of_one_network_theirs() {
    let app = TestApp::start_with_settings(|settings| {
        behind_a_proxy(settings);
        settings.max_turns = 6;
    })
    .await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model
        .respond(|_| Reply::After(Duration::from_secs(4), Box::new(Reply::text("Hello."))));
    let mut running = Vec::new();
    // Of six turns an account may have two, all accounts of one network three.
    for (who, address, expected) in [
        (&mia, "2001:db8:1:1::1", 200),
        (&mia, "198.51.100.1", 200),
        (&mia, "198.51.100.2", 503),
        (&noah, "2001:db8:1:1::2", 200),
        (&noah, "198.51.100.3", 200),
        (&noah, "198.51.100.3", 503),
    ] {
        let request = ask_from(who, address).header("accept", "text/event-stream");
        let response = request.send().await.expect("answers");
        assert_eq!(response.status().as_u16(), expected, "{address}");
        running.push(response);
    }
    let app = TestApp::start_with_settings(|settings| {
        behind_a_proxy(settings);
        settings.max_turns = 4;
    })
    .await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model
        .respond(|_| Reply::After(Duration::from_secs(4), Box::new(Reply::text("Hello."))));
    for (who, address, expected) in [
        (&mia, "2001:db8:1:1::1", 200),
        (&mia, "2001:db8:1:2::1", 200),
        (&noah, "2001:db8:1:3::1", 503),
        (&noah, "198.51.100.1", 200),
    ] {
        let request = ask_from(who, address).header("accept", "text/event-stream");
        let response = request.send().await.expect("answers");
        assert_eq!(response.status().as_u16(), expected, "{address}");
        running.push(response);
    }
}

#[tokio::test]
async fn requests_in_hand_are_counted_and_health_answers_all_the_same() {
    let app = TestApp::start_with_settings(|settings| settings.limits.max_requests = 3).await;
    let mia = app.shopper("mia").await;
    app.model
        .respond(|_| Reply::After(Duration::from_secs(3), Box::new(Reply::text("Hello."))));
    let mut asking = JoinSet::new();
    for _ in 0..3 {
        let request = mia.post("/v1/chat/send").json(&json!({ "text": "hello" }));
        asking.spawn(answer(request));
    }
    app.wait_for_count("SELECT count(*) FROM turns", 3).await;
    let fourth = app.http.get(format!("{}/v1/orders", app.url)).bearer_auth(&mia.token);
    assert_eq!(answer(fourth).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let health = app.http.get(format!("{}/health", app.url));
    assert_eq!(answer(health).await.0, StatusCode::OK);
    for (status, body) in asking.join_all().await {
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    let again = app.http.get(format!("{}/v1/orders", app.url)).bearer_auth(&mia.token);
    assert_eq!(answer(again).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_waits_for_a_place_and_is_served_when_one_is_free() {
    let app = TestApp::offline_with_settings(|settings| settings.connections.max = 16).await;
    let to: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(TcpStream::connect(to).await.expect("connects"));
    }
    // The kernel accepts the connection, but the server does not read from it while all places are taken.
    let mut waiting = TcpStream::connect(to).await.expect("connects");
    let request = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    waiting.write_all(request).await.expect("writes");
    let mut status = tokio::spawn(status_of(waiting));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut status).await;
    assert!(early.is_err(), "it is answered beside sixteen others");
    idle.truncate(14);
    assert_eq!(status.await.expect("runs"), 200);
}

#[tokio::test]
async fn a_body_has_a_size() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    for (path, size) in [
        ("/v1/chat/send".to_owned(), 64 * 1024),
        (format!("/v1/webhooks/{}/shopify", app.store.key.as_str()), 1024 * 1024),
    ] {
        let send = |length: usize| {
            mia.post(&path)
                .header("content-type", "application/json")
                .body("a".repeat(length))
        };
        let (fits, _) = answer(send(size)).await;
        assert_ne!(fits, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_eq!(answer(send(size + 1)).await.0, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn slow_bodies_of_one_account_are_sixty_four() {
    let app = TestApp::offline().await;
    let to: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    let mut slow = Vec::new();
    // The bodies come from two addresses; the limit is by account.
    for at in 0..70 {
        let head = format!(
            "POST /v1/chat/send HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{{",
            mia.token
        );
        slow.push(connect_and_send(&format!("127.0.1.{}", 1 + at % 2), to, &head).await);
    }
    assert_eq!(noah.ask("hello").await["message"]["source"], "offline");
    let mut reading = JoinSet::new();
    slow.into_iter()
        .for_each(|stream| drop(reading.spawn(status_of(stream))));
    let statuses = reading.join_all().await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(429), count(408)), (6, 64), "{statuses:?}");
}

#[tokio::test]
async fn sixty_four_guests_who_want_a_person_on_two_replicas_are_fifty() {
    let app = TestApp::offline_with_settings(behind_a_proxy).await;
    let (other, _stop) = app.replica().await;
    app.staff("kim@shop.example", StaffRole::Approver).await;
    let waiting = "SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL";
    let decided = "SELECT count(*) FROM proposals WHERE state IN ('executed', 'stale')";
    let (app, other) = (&app, &other);
    let call = async |addresses: Vec<String>| {
        let mut calls = JoinSet::new();
        for (at, address) in addresses.into_iter().enumerate() {
            let guest = guest_from(app, &address).await;
            let guest = if at % 2 == 0 { guest.at(other) } else { guest };
            let request = guest
                .post("/v1/chat/send")
                .json(&json!({ "text": "I want a person please" }))
                .header("x-forwarded-for", address);
            calls.spawn(answer(request));
        }
        for (status, body) in calls.join_all().await {
            assert_eq!(body["proposals"][0]["tool"], "hand_off", "{status} {body}");
        }
    };
    // Twenty guests of one /48, in four networks with five each.
    call((0..20).map(|at| format!("2001:db8:1:{}::{at}", at % 4 + 1)).collect()).await;
    app.wait_for_count(decided, 20).await;
    assert_eq!(app.count(waiting).await, 15);
    call((0..64).map(|at| format!("198.51.100.{}", at % 16 + 1)).collect()).await;
    app.wait_for_count(decided, 84).await;
    assert_eq!(app.count(waiting).await, 50);
}

async fn slow_body(from: &str, to: SocketAddr) -> TcpStream {
    let head = "POST /v1/webhooks/pk_nobody/shopify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{";
    connect_and_send(from, to, head).await
}

async fn connect_and_send(from: &str, to: SocketAddr, head: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(format!("{from}:0").parse().expect("an address"))
        .expect("binds");
    let mut stream = socket.connect(to).await.expect("connects");
    stream.write_all(head.as_bytes()).await.expect("writes");
    stream
}

async fn status_of(mut stream: TcpStream) -> u16 {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    std::str::from_utf8(&start[9..])
        .expect("ASCII")
        .parse()
        .expect("a status")
}

#[tokio::test]
async fn slow_bodies_of_nine_addresses_are_cut_and_take_nobody_elses_place() {
    let app = TestApp::offline().await;
    let to: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");
    let mia = app.shopper("mia").await;
    let mut slow = Vec::new();
    for address in 1..=9 {
        for _ in 0..70 {
            slow.push(slow_body(&format!("127.0.1.{address}"), to).await);
        }
    }
    // A webhook from another address is answered, and so is a shopper.
    let event = app.http.post(format!("{}/v1/webhooks/pk_nobody/shopify", app.url));
    assert_eq!(answer(event.body("{}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(mia.ask("hello").await["message"]["source"], "offline");
    let mut reading = JoinSet::new();
    slow.into_iter()
        .for_each(|stream| drop(reading.spawn(status_of(stream))));
    let statuses = reading.join_all().await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!(count(429) + count(408), 630, "{statuses:?}");
    assert!(count(429) > 0 && count(408) >= 64, "{} and {}", count(429), count(408));
}

#[tokio::test]
async fn guests_who_want_a_person_have_their_places_and_shoppers_stand_first() {
    let app = TestApp::offline().await;
    app.staff("kim@shop.example", StaffRole::Approver).await;
    let mut calls = JoinSet::new();
    for _ in 0..12 {
        let guest = app.guest().await;
        calls.spawn(async move { guest.ask("I want a person please").await });
    }
    let answers = calls.join_all().await;
    assert!(
        answers
            .iter()
            .all(|answer| answer["proposals"][0]["tool"] == "hand_off")
    );
    app.wait_for_count("SELECT count(*) FROM proposals WHERE state = 'stale'", 7)
        .await;
    app.wait_for_count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL", 5)
        .await;
    let mia = app.shopper("mia").await;
    mia.ask("I want a person please").await;
    app.wait_for_count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL", 6)
        .await;
    // There is one mail a quarter of an hour; a second one only if a quarter ended meanwhile.
    let mails = app
        .count("SELECT count(*) FROM outbox WHERE kind = 'people_wait'")
        .await;
    assert!((1..=2).contains(&mails), "{mails}");
    let lee = app.staff("lee@shop.example", StaffRole::Approver).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = lee.read(&format!("/v1/staff/conversations?limit=2{after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let rows: Vec<Value> = page["conversations"].as_array().expect("rows").clone();
        let Some(last) = rows.last() else { break };
        after = format!("&after={}", last["id"].as_str().expect("an id"));
        seen.extend(rows);
    }
    let ids: BTreeSet<_> = seen.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!((seen.len(), ids.len()), (13, 13), "every conversation once");
    assert!(
        seen[0]["shopper"].as_str().expect("a name").contains("mia@"),
        "{}",
        seen[0]
    );
    assert!(seen[..6].iter().all(|row| row["waiting_since"].is_string()));
}

#[tokio::test]
async fn sixty_four_guests_of_one_network_at_once_on_two_replicas_are_sixty() {
    let app = TestApp::offline().await;
    let (other, _stop) = app.replica().await;
    app.clock.stop_at("2026-11-28T12:00:00Z".parse().expect("a time"));
    let mut opening = JoinSet::new();
    for n in 0..64 {
        let url = if n % 2 == 0 { &app.url } else { &other };
        let request = app.http.post(format!("{url}/v1/sessions/guest"));
        let request = request.header("x-store-key", app.store.key.as_str()).json(&json!({}));
        opening.spawn(async move { answer(request).await.0 });
    }
    let statuses = opening.join_all().await;
    let created = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!(created, 60, "{statuses:?}");
    assert_eq!(app.count("SELECT count(*) FROM shoppers WHERE guest").await, 60);
}

/// A quota of rows that guests may add: `burst` at once, and one more each `every` seconds.
struct Quota {
    name: &'static str,
    every: i64,
    burst: i64,
    address: &'static str,
    /// Whether it counts conversations; else it counts guests.
    conversations: bool,
}

#[tokio::test]
async fn sixty_four_at_once_on_two_replicas_take_what_is_left_of_each_quota_of_rows() {
    let quota = |name, (every, burst), address, conversations| Quota {
        name,
        every,
        burst,
        address,
        conversations,
    };
    for quota in [
        quota("guests of a network", (288, 300), "192.0.2.1", false),
        quota("guests of a site", (72, 1_200), "2001:db8:1:2::1", false),
        quota("guests of a store", (5, 20_000), "192.0.2.1", false),
        quota("conversations of a network", (144, 600), "192.0.2.1", true),
        quota("conversations of a site", (36, 2_400), "2001:db8:1:2::1", true),
    ] {
        let app = TestApp::offline_with_settings(behind_a_proxy).await;
        let (other, _stop) = app.replica().await;
        app.clock.stop_at("2030-11-28T12:00:00Z".parse().expect("a time"));
        let guest = guest_from(&app, quota.address).await;
        if quota.conversations {
            assert_eq!(answer(ask_from(&guest, quota.address)).await.0, StatusCode::OK);
        }
        // Uses the quota up except for five.
        let used = "UPDATE throttles SET tat = tat + make_interval(secs => $1 * ($2 - 6)) WHERE tat = '2030-11-28T12:00:00Z'::timestamptz + make_interval(secs => $1)";
        let rows = sqlx::query(used)
            .bind(quota.every as f64)
            .bind(quota.burst as f64)
            .execute(&mut app.superuser().await)
            .await
            .expect("runs");
        assert_eq!(rows.rows_affected(), 1, "{}", quota.name);
        let mut sends = JoinSet::new();
        for n in 0..64 {
            let url = if n % 2 == 0 { &app.url } else { &other };
            let request = match quota.conversations {
                true => ask_from(&guest.at(url), quota.address),
                false => app
                    .http
                    .post(format!("{url}/v1/sessions/guest"))
                    .header("x-store-key", app.store.key.as_str())
                    .header("x-forwarded-for", quota.address)
                    .json(&json!({})),
            };
            sends.spawn(async move { answer(request).await.0 });
        }
        let statuses = sends.join_all().await;
        let count = |status| statuses.iter().filter(|found| **found == status).count();
        let good = count(StatusCode::OK) + count(StatusCode::CREATED);
        assert_eq!(
            (good, count(StatusCode::TOO_MANY_REQUESTS)),
            (5, 59),
            "{}: {statuses:?}",
            quota.name
        );
        app.clock.resume();
        // She signs in now: housekeeping may have deleted an older session while the clock stood in the future.
        let mia = app.shopper("mia").await;
        assert_eq!(
            answer(ask_from(&mia, quota.address)).await.0,
            StatusCode::OK,
            "{}",
            quota.name
        );
    }
}

#[tokio::test]
async fn webhooks_of_one_address_are_held_back_and_a_shopper_is_served() {
    let rate = Rate {
        per_second: 1,
        burst: 5,
    };
    let app = TestApp::offline_with_settings(|settings| {
        settings.limits = Limits {
            webhook: rate,
            ..Limits::wide()
        }
    })
    .await;
    let mia = app.shopper("mia").await;
    let mut sends = JoinSet::new();
    for _ in 0..64 {
        let event = app.http.post(format!("{}/v1/webhooks/pk_nobody/shopify", app.url));
        sends.spawn(async move { answer(event.body("{}")).await.0 });
    }
    let statuses = sends.join_all().await;
    assert!(statuses.contains(&StatusCode::NOT_FOUND) && statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(mia.ask("hello").await["message"]["source"], "offline");
}

#[tokio::test]
async fn guests_who_left_are_deleted_with_what_they_said() {
    let app = TestApp::offline().await;
    let (guest, called, mia) = (app.guest().await, app.guest().await, app.shopper("mia").await);
    guest.ask("hello").await;
    called.ask("I want a person please").await;
    mia.ask("hello").await;
    let executor = &app.pools.executor;
    let now = app.clock.now();
    assert_eq!(
        privacy::forget_guests(executor, now + chrono::Duration::days(29))
            .await
            .expect("runs"),
        0
    );
    let later = now + chrono::Duration::days(90);
    identity::delete_expired(executor, later).await.expect("forgets");
    assert_eq!(privacy::forget_guests(executor, later).await.expect("runs"), 1);
    let guests = "SELECT count(*) FROM shoppers WHERE guest";
    assert_eq!(app.count(guests).await, 1, "whose hand-off is in the audit stays");
    let said = "SELECT count(DISTINCT shopper_id) FROM messages";
    assert_eq!(app.count(said).await, 2);
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'guests.forget'")
            .await,
        1
    );
}

/// A fake provider of challenges over HTTP. Returns its URL and the list of forms that it received.
async fn challenge_provider() -> (String, std::sync::Arc<std::sync::Mutex<Vec<Vec<(String, String)>>>>) {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    let verify = move |axum::Form(form): axum::Form<Vec<(String, String)>>| {
        let token = form
            .iter()
            .find(|(name, _)| name == "response")
            .map(|(_, value)| value.clone());
        seen.lock().expect("unpoisoned").push(form);
        async move {
            match token.as_deref() {
                Some("good") => r#"{"success":true,"challenge_ts":"2026-11-28T12:00:00Z","hostname":"shop.example"}"#,
                Some("odd") => "<html>busy</html>",
                _ => r#"{"success":false,"error-codes":["invalid-input-response"]}"#,
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/siteverify", listener.local_addr().expect("an address"));
    let router = axum::Router::new().route("/siteverify", axum::routing::post(verify));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

#[tokio::test]
async fn a_guest_solves_the_challenge_first_and_a_shopper_need_not() {
    let (verify_url, asked) = challenge_provider().await;
    let challenge = |verify_url: String| {
        Some(ChallengeSettings {
            verify_url,
            secret: "a secret of the provider's".into(),
        })
    };
    let app = TestApp::offline_with_settings(|settings| settings.challenge = challenge(verify_url)).await;
    let guest = |token: Option<&str>| {
        let request = app.with_store_key("/v1/sessions/guest", json!({}));
        match token {
            Some(token) => request.header("challenge-token", token),
            None => request,
        }
    };
    for (token, status, kind) in [
        (None, StatusCode::FORBIDDEN, "challenge"),
        (Some("bad"), StatusCode::FORBIDDEN, "challenge"),
        (Some("odd"), StatusCode::SERVICE_UNAVAILABLE, "challenge_unverified"),
    ] {
        let (found, problem) = answer(guest(token)).await;
        assert_eq!(
            (found, &problem["type"]),
            (status, &json!(format!("urn:countersign:problem:{kind}")))
        );
    }
    assert_eq!(app.count("SELECT count(*) FROM shoppers WHERE guest").await, 0);
    assert_eq!(answer(guest(Some("good"))).await.0, StatusCode::CREATED);
    let form = asked.lock().expect("unpoisoned").last().expect("asked").clone();
    let expected = [
        ("secret", "a secret of the provider's"),
        ("response", "good"),
        ("remoteip", "127.0.0.1"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    app.shopper("mia").await;

    let gone = TestApp::offline_with_settings(|settings| {
        settings.challenge = challenge("http://127.0.0.1:9/siteverify".into());
    })
    .await;
    let request = gone
        .with_store_key("/v1/sessions/guest", json!({}))
        .header("challenge-token", "good");
    assert_eq!(answer(request).await.0, StatusCode::SERVICE_UNAVAILABLE);
    gone.shopper("mia").await;
}

#[test]
fn every_limit_names_what_holds_it_and_its_test() {
    let text = fs::read_to_string("docs/limits.md").expect("docs/limits.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells.len() == 6 && cells[0] != "limit")
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let tests = files("tests").join("\n") + &files("src").join("\n");
    for row in rows {
        let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        for holds in quoted(row[4]) {
            let (file, name) = holds.split_once(' ').unwrap_or((&holds, ""));
            let source = fs::read_to_string(file).unwrap_or_else(|_| panic!("{file} of {}", row[0]));
            assert!(source.contains(name), "{}: no {name} in {file}", row[0]);
        }
        for test in quoted(row[5]) {
            assert!(tests.contains(&format!("fn {test}(")), "{}: no test {test}", row[0]);
        }
    }
}

fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(path.to_str().expect("UTF-8")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(&path).expect("a file"));
        }
    }
    found
}
