//! Business hours: a shopper who asks for a person is told when staff are back, and staff are told by mail who waits.

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, TestShopper, TestStaff, shopper::answer};

const PATH: &str = "/v1/staff/hours";

/// Business hours: nine to five from Monday to Friday, in Berlin, with one day off.
fn office() -> Value {
    let day = json!(["09:00-17:00"]);
    json!({ "time_zone": "Europe/Berlin", "week": [day, day, day, day, day, [], []], "closed_on": ["2026-11-30"] })
}

async fn put(staff: &TestStaff, hours: &Value) -> (StatusCode, Value) {
    answer(staff.request("PUT", PATH).json(hours)).await
}

/// Asks for a person.
async fn calls(shopper: &TestShopper) -> String {
    shopper.ask_text("A person please").await
}

#[tokio::test]
async fn who_asks_for_a_person_while_nobody_is_there_is_told_when_somebody_is_back() {
    let app = TestApp::start().await;
    // It is Saturday, and the Monday after it is a day off. Berlin is an hour ahead of UTC.
    app.clock.stop_at("2026-11-28T12:00:00Z".parse().expect("a time"));
    let admin = app.staff("admin@s.example", StaffRole::Admin).await;
    let viewer = app.staff("viewer@s.example", StaffRole::Viewer).await;
    let (mia, noah, guest) = (app.shopper("mia").await, app.shopper("noah").await, app.guest().await);
    assert_eq!(admin.read(PATH).await.1["hours"], Value::Null);
    assert_eq!(
        calls(&noah).await,
        "I have called someone of our staff, who will answer you here."
    );

    assert_eq!(put(&viewer, &office()).await.0, StatusCode::FORBIDDEN);
    for (field, value, told) in [
        ("time_zone", json!("Europe/Atlantis"), "time_zone"),
        ("time_zone", json!("'; DROP TABLE staff"), "time_zone"),
        ("week", json!([[], [], []]), "week"),
        ("week", json!([["17:00-09:00"], [], [], [], [], [], []]), "week[0][0]"),
        (
            "week",
            json!([["10:00-12:00", "11:00-13:00"], [], [], [], [], [], []]),
            "week",
        ),
        ("closed_on", json!(["2026-02-30"]), "closed_on[0]"),
    ] {
        let mut hours = office();
        hours[field] = value;
        let (status, problem) = put(&admin, &hours).await;
        assert_eq!(
            (status, problem["errors"][0]["field"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(told)),
            "{problem}"
        );
    }
    assert_eq!(put(&admin, &office()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(viewer.read(PATH).await.1["hours"], office());
    let elsewhere = app.shopper_of_other_store("mia").await;

    let told = calls(&mia).await;
    assert_eq!(
        told,
        "I have called someone of our staff, who will answer you here.\n\nOur staff is away now and back on Tuesday, 1 December, at 09:00 (Berlin time). \
         If you have gone by then, the answer comes by mail."
    );
    let told = calls(&guest).await;
    assert!(told.contains("Sign in here, and the answer comes by mail"), "{told}");
    assert_eq!(
        calls(&elsewhere).await,
        "I have called someone of our staff, who will answer you here.",
        "another store's hours are its own"
    );
    app.model.script([Reply::text("Hello.")]);
    assert_eq!(mia.ask_text("Hello").await, "Hello.", "who did not ask is told nothing");
    // On Tuesday, one minute before nine and then at nine.
    app.clock.stop_at("2026-12-01T07:59:00Z".parse().expect("a time"));
    let noah = app.shopper("noah").await;
    assert!(calls(&noah).await.contains("back on Tuesday, 1 December, at 09:00"));
    app.clock.stop_at("2026-12-01T08:00:00Z".parse().expect("a time"));
    assert_eq!(
        calls(&noah).await,
        "I have called someone of our staff, who will answer you here."
    );

    app.clock.stop_at("2026-11-28T12:00:01Z".parse().expect("a time"));
    assert_eq!(answer(admin.request("DELETE", PATH)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(admin.request("DELETE", PATH)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action IN ('hours.change', 'hours.remove')")
            .await,
        2
    );
}

#[tokio::test]
async fn a_message_to_a_person_who_has_gone_home_says_so_and_the_shopper_sees_who_attends() {
    let app = TestApp::start().await;
    let admin = app.staff("admin@s.example", StaffRole::Admin).await;
    let mia = app.shopper("mia").await;
    app.model.script([Reply::text("Hello.")]);
    let said = mia.ask("Hello").await;
    let place = format!(
        "/v1/conversations/{}/messages",
        said["conversation_id"].as_str().expect("an id")
    );
    let attended = async || mia.read(&place).await.1["attended_by"].clone();
    assert_eq!(attended().await, "assistant");
    app.execute_sql("UPDATE conversations SET waiting_since = now()").await;
    assert_eq!(attended().await, "assistant_for_now");
    let staff_place = place.replace("/v1/", "/v1/staff/");
    let sent = answer(
        admin
            .request("POST", &staff_place)
            .json(&json!({ "text": "I am Kim." })),
    )
    .await;
    assert_eq!(sent.0, StatusCode::NO_CONTENT);
    assert_eq!(attended().await, "staff");

    let mut never = office();
    never["week"] = json!([[], [], [], [], [], [], []]);
    put(&admin, &never).await;
    let body = json!({ "conversation_id": said["conversation_id"], "text": "Are you there?" });
    let (_, answered) = answer(mia.post("/v1/chat/send").json(&body)).await;
    let text = answered["message"]["text"].as_str().expect("a text");
    assert!(
        text.starts_with("Your message is with our staff") && text.contains("Our staff is away now. If you have gone"),
        "{text}"
    );
}

#[tokio::test]
async fn staff_hears_by_mail_of_who_waits_and_nobody_came_to() {
    let app = TestApp::start().await;
    let (kim, _) = (
        app.staff("kim@s.example", StaffRole::Approver).await,
        app.staff("viewer@s.example", StaffRole::Viewer).await,
    );
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    calls(&mia).await;
    calls(&noah).await;
    // Two calls a moment apart are one mail, unless a quarter of an hour ends between them.
    app.wait_for_count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL", 2)
        .await;
    app.wait_for_count("SELECT least(count(*), 1) FROM outbox WHERE kind = 'people_wait' AND state = 'queued' AND due_at > now() + interval '2 minutes'", 1)
        .await;
    // A member of the staff takes Noah's conversation in time.
    let (_, open) = kim.read("/v1/staff/conversations?open=true&search=noah").await;
    let noahs = open["conversations"][0]["id"].as_str().expect("an id").to_owned();
    answer(kim.request("POST", &format!("/v1/staff/conversations/{noahs}/take"))).await;
    app.make_jobs_due().await;
    let mail = app.mailbox.newest_to("kim@s.example", 1).await;
    let text = mail.text();
    let page = text
        .split_whitespace()
        .find(|word| word.starts_with("http"))
        .expect("a link");
    let mias = app
        .count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL")
        .await;
    assert!(
        mias == 1 && page.ends_with("/console/conversations?open=true"),
        "{page}"
    );
    assert!(
        !mail.text().contains("mia@example.com"),
        "who it is stands in the console"
    );
    let to_viewer = app
        .mailbox
        .all()
        .into_iter()
        .filter(|mail| mail.text().contains("one shopper has asked"));
    assert_eq!(to_viewer.count(), 1, "to those who may answer, once");
}
