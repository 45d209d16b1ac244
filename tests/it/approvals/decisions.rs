//! Decisions: who may decide, on what, and only once (A6, T3, T8, T9).

use std::time::Duration;

use countersign::identity::StaffRole::{Admin, Approver, Viewer};
use futures::{StreamExt, future::join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, TestShopper, process::Process, shopper::answer};

fn refund(amount: &str) -> Value {
    json!({ "order_number": "1002", "amount": amount, "reason": "scratched" })
}

#[tokio::test]
async fn roles_see_and_decide_what_they_may() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    let (viewer, approver, admin) = (
        app.staff("v@s.example", Viewer).await,
        app.staff("a@s.example", Approver).await,
        app.staff("d@s.example", Admin).await,
    );
    let policy = "/v1/staff/policies/request_refund";
    let set = |who: &crate::support::TestStaff| answer(who.request("PUT", policy).json(&json!({ "mode": "staff" })));
    assert_eq!(
        viewer.read("/v1/staff/proposals").await.1["proposals"][0]["id"],
        proposal["id"]
    );
    assert_eq!(viewer.approve(&proposal).await.0, StatusCode::FORBIDDEN);
    assert_eq!(viewer.reject(&proposal, "no").await.0, StatusCode::FORBIDDEN);
    assert_eq!(set(&viewer).await.0, StatusCode::FORBIDDEN);
    assert_eq!(set(&approver).await.0, StatusCode::FORBIDDEN);
    assert_eq!(set(&admin).await.0, StatusCode::OK);
    // A shopper may not use staff routes, and staff may not use shopper routes.
    for path in ["/v1/staff/proposals", "/v1/staff/audit", policy] {
        assert_eq!(mia.read(path).await.0, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(
            answer(app.http.get(format!("{}{path}", app.url))).await.0,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    assert_eq!(approver.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    // Another store's staff does not find the proposal.
    let foreign = crate::support::TestStaff::log_in(&app, &app.other_store, "x@s.example", Admin).await;
    assert_eq!(foreign.approve(&proposal).await.0, StatusCode::NOT_FOUND);
    assert_eq!(foreign.read("/v1/staff/proposals").await.1["proposals"], json!([]));
    // Another shopper does not find it, and the shopper cannot decide what waits for staff.
    let noah = app.shopper("noah").await;
    assert_eq!(noah.confirm(&proposal).await.0, StatusCode::NOT_FOUND);
    assert_eq!(mia.confirm(&proposal).await.0, StatusCode::FORBIDDEN);
    let other = mia.propose(&app, "request_refund", refund("6")).await;
    let withdraw = |who: &crate::support::TestStaff| {
        answer(who.request(
            "POST",
            &format!("/v1/staff/proposals/{}/withdraw", other["id"].as_str().expect("an id")),
        ))
    };
    assert_eq!(withdraw(&viewer).await.0, StatusCode::FORBIDDEN);
    assert_eq!(withdraw(&approver).await.1["reason"], "withdrawn");
    // Staff cannot decide on a proposal of their own shopper account.
    let own = app.staff("mia@example.com", Admin).await;
    assert_eq!(own.approve(&proposal).await.0, StatusCode::FORBIDDEN);
    let (status, shown) = approver
        .read(&format!(
            "/v1/staff/proposals/{}",
            proposal["id"].as_str().expect("an id")
        ))
        .await;
    assert_eq!(
        (status, &shown["conversation"][0]["text"]),
        (StatusCode::OK, &json!("please"))
    );
    assert_eq!(approver.approve(&proposal).await.0, StatusCode::OK);
    mia.wait_until_ended(&proposal).await;
}

#[tokio::test]
async fn a_decision_is_bound_to_what_was_shown_and_made_once() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let staff = app.staff("a@s.example", Approver).await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    let mut other = proposal.clone();
    other["digest"] = json!("0".repeat(64));
    let (status, problem) = staff.approve(&other).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (StatusCode::CONFLICT, Some("urn:countersign:problem:not_as_shown"))
    );
    assert_eq!(staff.approve(&proposal).await.0, StatusCode::OK);
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    let (status, problem) = staff.approve(&proposal).await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::CONFLICT, &json!("The proposal is executed."))
    );

    let rejected = mia.propose(&app, "request_refund", refund("6")).await;
    assert_eq!(
        staff.reject(&rejected, "The item was worn.").await.1["state"],
        "rejected"
    );
    assert_eq!(staff.approve(&rejected).await.0, StatusCode::CONFLICT);
    let (_, list) = mia.read("/v1/conversations").await;
    assert_eq!(list["conversations"].as_array().expect("a list").len(), 2);

    let late = mia.propose(&app, "request_refund", refund("7")).await;
    app.clock.advance(chrono::Duration::hours(71));
    let (staff, mia) = (app.staff("a@s.example", Approver).await, app.shopper("mia").await);
    app.clock.advance(chrono::Duration::hours(2));
    let (status, problem) = staff.approve(&late).await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::CONFLICT, &json!("The proposal is expired."))
    );

    let withdrawn = mia.propose(&app, "request_refund", refund("8")).await;
    let path = format!("/v1/proposals/{}/withdraw", withdrawn["id"].as_str().expect("an id"));
    assert_eq!(answer(mia.post(&path)).await.1["reason"], "withdrawn");
    assert_eq!(staff.approve(&withdrawn).await.0, StatusCode::CONFLICT);
    assert_eq!(
        app.count("SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor < 1000")
            .await,
        1,
        "only the approved one moved money"
    );
}

#[tokio::test]
async fn the_same_request_is_one_proposal_and_open_ones_are_bounded() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let first = mia.propose(&app, "request_refund", refund("5")).await;
    assert_eq!(
        mia.propose(
            &app,
            "request_refund",
            json!({ "reason": "scratched", "amount": "5", "order_number": "1002" })
        )
        .await["id"],
        first["id"]
    );
    for amount in 6..15 {
        mia.propose(&app, "request_refund", refund(&amount.to_string())).await;
    }
    app.model
        .script([Reply::call("request_refund", refund("99")), Reply::EchoToolResult]);
    assert!(mia.ask_text("and more").await.contains("too many open requests"));
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 10);
}

#[tokio::test]
async fn refunds_in_pieces_never_add_up_to_more_than_was_paid() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let staff = app.staff("a@s.example", Approver).await;
    let pieces = [
        mia.propose(&app, "request_refund", refund("100")).await,
        mia.propose(&app, "request_refund", refund("90")).await,
    ];
    for piece in &pieces {
        staff.approve(piece).await;
    }
    join_all(pieces.iter().map(|piece| mia.wait_until_ended(piece))).await;
    let refunded = app.count("SELECT sum(amount_minor)::bigint FROM order_payments JOIN orders ON orders.id = order_id WHERE number = '#1002' AND kind = 'refund'").await;
    assert_eq!(refunded, 10_000, "the second was planned on an order that has changed");
}

#[tokio::test]
async fn policy_decides_who_decides() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let admin = app.staff("d@s.example", Admin).await;
    admin
        .set_policy(
            "request_refund",
            json!({ "mode": "automatic", "automatic_below_minor": 1000, "automatic_per_day": 1 }),
        )
        .await;
    let small = mia.propose(&app, "request_refund", refund("9.99")).await;
    assert_eq!(
        (&small["awaiting"], &mia.wait_until_ended(&small).await["state"]),
        (&json!("nobody"), &json!("executed"))
    );
    assert_eq!(
        mia.propose(&app, "request_refund", refund("1")).await["awaiting"],
        "staff",
        "the second of the day"
    );
    assert_eq!(
        mia.propose(&app, "request_refund", refund("10")).await["awaiting"],
        "staff",
        "not below the limit"
    );

    admin.set_policy("request_refund", json!({ "mode": "off" })).await;
    app.model
        .script([Reply::call("request_refund", refund("2")), Reply::EchoToolResult]);
    assert!(mia.ask_text("more").await.contains("switched `request_refund` off"));

    admin
        .set_policy(
            "request_refund",
            json!({ "mode": "staff", "two_deciders_from_minor": 2000 }),
        )
        .await;
    let large = mia.propose(&app, "request_refund", refund("20")).await;
    let second = app.staff("b@s.example", Approver).await;
    assert_eq!(admin.approve(&large).await.1["state"], "pending", "one of two");
    let (status, problem) = admin.approve(&large).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (
            StatusCode::CONFLICT,
            Some("urn:countersign:problem:second_person_needed")
        )
    );
    assert_eq!(second.approve(&large).await.1["state"], "approved");
    assert_eq!(mia.wait_until_ended(&large).await["state"], "executed");
    let (_, audit) = admin.read("/v1/staff/audit?limit=100").await;
    let changes = audit["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter(|entry| entry["action"] == "policy.change")
        .count();
    assert_eq!(changes, 3);
    for (body, status) in [
        (json!({ "mode": "sometimes" }), 422),
        (json!({ "mode": "staff", "automatic_per_day": -1 }), 422),
        (json!({ "mode": "staff", "extra": 1 }), 422),
    ] {
        assert_eq!(
            answer(admin.request("PUT", "/v1/staff/policies/request_refund").json(&body))
                .await
                .0
                .as_u16(),
            status
        );
    }
    assert_eq!(
        admin.read("/v1/staff/policies/get_order").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_approval_counts_while_whoever_gave_it_may_decide() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let admin = app.staff("d@s.example", Admin).await;
    let two = json!({ "mode": "staff", "two_deciders_from_minor": 100 });
    admin.set_policy("request_refund", two).await;
    for (at, (event, amount)) in [
        ("UPDATE staff SET disabled_at = now() WHERE email = 'p0@s.example'", "5"),
        ("UPDATE staff SET role = 'viewer' WHERE email = 'p1@s.example'", "6"),
        (
            "UPDATE staff SET disabled_at = now() WHERE email = 'p2@s.example'; UPDATE staff SET disabled_at = NULL WHERE email = 'p2@s.example'",
            "7",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let first = app.staff(&format!("p{at}@s.example"), Approver).await;
        let second = app.staff(&format!("q{at}@s.example"), Approver).await;
        let proposal = mia.propose(&app, "request_refund", refund(amount)).await;
        assert_eq!(first.approve(&proposal).await.1["state"], "pending");
        app.execute_sql(event).await;
        assert_eq!(second.approve(&proposal).await.1["state"], "pending", "{event}");
        assert_eq!(admin.approve(&proposal).await.1["state"], "approved", "{event}");
        assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed", "{event}");
    }
    // Who has a new password has decided nothing yet, and may.
    let first = app.staff("r@s.example", Approver).await;
    let proposal = mia.propose(&app, "request_refund", refund("8")).await;
    assert_eq!(first.approve(&proposal).await.1["state"], "pending");
    let (status, _) = first.approve(&proposal).await;
    assert_eq!(status, StatusCode::CONFLICT, "one person decides once");
    let again = app.staff("r@s.example", Approver).await;
    assert_eq!(
        again.approve(&proposal).await.1["state"],
        "pending",
        "one approval of one person"
    );
    assert_eq!(admin.approve(&proposal).await.1["state"], "approved");
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
}

#[tokio::test]
async fn what_was_approved_by_somebody_who_is_shut_out_before_it_is_carried_out_is_not() {
    let app = TestApp::without_worker().await;
    let mia = app.shopper("mia").await;
    let kim = app.staff("kim@s.example", Approver).await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    assert_eq!(kim.approve(&proposal).await.1["state"], "approved");
    let before = refunds(&app).await;
    app.execute_sql("UPDATE staff SET disabled_at = now()").await;
    let (_replica, _stop) = app.replica_with(|settings| settings.run_worker = true).await;
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "failed");
    assert_eq!(refunds(&app).await, before);
}

#[tokio::test]
async fn nobody_decides_on_what_somebody_of_their_own_mailbox_asked_for() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    for email in ["mia@example.com", "mia+work@example.com"] {
        let own = app.staff(email, Approver).await;
        assert_eq!(own.approve(&proposal).await.0, StatusCode::FORBIDDEN, "{email}");
        assert_eq!(own.reject(&proposal, "no").await.0, StatusCode::FORBIDDEN, "{email}");
    }
    // The database tells mailboxes as the server does.
    for email in [
        "mia+a@example.com",
        "mia+b+c@example.com",
        "mia.j@example.com",
        "m.i.a+x@googlemail.com",
        "mia@gmail.com",
        "+@example.com",
        "\"a@b\"+c@example.com",
        "mia+a@gmail.com.example",
        "no address",
        "",
    ] {
        let told: String = sqlx::query_scalar("SELECT mailbox($1)")
            .bind(email)
            .fetch_one(&mut app.superuser().await)
            .await
            .expect("answers");
        assert_eq!(told, countersign::identity::mailbox(email), "{email}");
    }
}

#[tokio::test]
async fn overdue_proposals_expire_by_themselves() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    let expire = async |days| {
        let then = app.clock.now() + chrono::Duration::days(days);
        countersign::approvals::expire::expire_overdue(&app.pools.executor, then)
            .await
            .expect("runs")
    };
    assert_eq!((expire(2).await, expire(4).await, expire(5).await), (0, 1, 0));
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "expired");
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'proposal.expired'")
            .await,
        1
    );
    assert_eq!(
        app.count("SELECT count(*) FROM messages WHERE body LIKE '%has expired.'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_queue_is_live() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let staff = app.staff("a@s.example", Approver).await;
    let response = staff
        .request("GET", "/v1/staff/proposals/events")
        .send()
        .await
        .expect("answers");
    let mut events = response.bytes_stream();
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    let event = tokio::time::timeout(Duration::from_secs(5), events.next())
        .await
        .expect("in time")
        .expect("an event")
        .expect("bytes");
    assert!(String::from_utf8_lossy(&event).contains(proposal["id"].as_str().expect("an id")));
}

#[tokio::test]
async fn the_audit_chain_shows_every_tampering() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    for amount in ["1", "2", "3"] {
        mia.propose(&app, "request_refund", refund(amount)).await;
    }
    let verify = async || {
        let mut tx = app
            .pools
            .web
            .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
            .await
            .expect("begins");
        countersign::tenancy::audit::verify(&mut tx).await.expect("walks")
    };
    assert_eq!(verify().await, (3, None));
    for tampering in [
        "UPDATE audit SET action = 'nothing' WHERE seq = 2",
        "UPDATE audit SET after = '{}' WHERE seq = 2",
        "UPDATE audit SET at = at + interval '1 second' WHERE seq = 2",
        "UPDATE audit SET actor_id = NULL WHERE seq = 2",
    ] {
        let mut db = app.superuser().await;
        sqlx::raw_sql("CREATE TEMP TABLE kept AS SELECT * FROM audit")
            .execute(&mut db)
            .await
            .expect("runs");
        sqlx::raw_sql(tampering).execute(&mut db).await.expect("runs");
        assert_eq!(verify().await, (3, Some(2)), "{tampering}");
        sqlx::raw_sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept")
            .execute(&mut db)
            .await
            .expect("runs");
    }
    sqlx::raw_sql("DELETE FROM audit WHERE seq = 2")
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    assert_eq!(verify().await, (2, Some(3)));
}

/// The refunds that are booked on Mia's order #1002 in the first store.
async fn refunds(app: &TestApp) -> i64 {
    app.count("SELECT count(*) FROM order_payments p JOIN orders o ON o.id = p.order_id JOIN tenants t ON t.tenant_id = o.tenant_id WHERE o.number = '#1002' AND t.slug = 'one' AND p.kind = 'refund'").await
}

async fn fresh_refund(app: &TestApp, mia: &TestShopper, cents: usize) -> Value {
    mia.propose(
        app,
        "request_refund",
        refund(&format!("{}.{:02}", cents / 100, cents % 100)),
    )
    .await
}

#[tokio::test]
async fn fifty_approvals_on_two_replicas_are_one_effect() {
    let app = TestApp::start().await;
    let (replica, _guard) = app.replica().await;
    let mia = app.shopper("mia").await;
    let staff = join_all((0..5).map(|n| async move { n })).await;
    let mut people = Vec::new();
    for n in staff {
        people.push(app.staff(&format!("p{n}@s.example"), Approver).await);
    }
    for round in 1..=20 {
        let proposal = fresh_refund(&app, &mia, round).await;
        let approvals = (0..50).map(|n| {
            let person = if n % 2 == 0 {
                people[n % 5].clone()
            } else {
                people[n % 5].at(&replica)
            };
            let proposal = proposal.clone();
            async move { person.approve(&proposal).await.0 }
        });
        let statuses = join_all(approvals).await;
        assert_eq!(
            statuses.iter().filter(|status| **status == StatusCode::OK).count(),
            1,
            "round {round}"
        );
        assert!(
            statuses.iter().all(|status| matches!(status.as_u16(), 200 | 409)),
            "{statuses:?}"
        );
        assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
        assert_eq!(refunds(&app).await, round as i64);
    }
    assert_eq!(
        app.count("SELECT count(*) FROM outbox WHERE kind = 'proposal_executed'")
            .await,
        20
    );
}

/// Fifty approvals at once on two replicas, with the executor killed at a later moment each round.
/// `KILL_ROUNDS` (default 12) sets the number of rounds; the launch requires a hundred.
#[tokio::test]
async fn a_sigkilled_executor_leaves_one_effect_a_proposal() {
    let rounds: usize = std::env::var("KILL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(12);
    let app = TestApp::without_worker().await;
    let (replica, _guard) = app.replica().await;
    let mia = app.shopper("mia").await;
    let people = [
        app.staff("a@s.example", Approver).await,
        app.staff("b@s.example", Approver).await,
    ];
    for round in 1..=rounds {
        let proposal = fresh_refund(&app, &mia, round).await;
        let mut victim = Process::worker(&app).await;
        let approvals = (0..50).map(|n| {
            let person = if n % 2 == 0 {
                people[n % 4 / 2].clone()
            } else {
                people[n % 4 / 2].at(&replica)
            };
            let proposal = proposal.clone();
            async move { person.approve(&proposal).await.0 }
        });
        // The kill comes a little later each round, from before the first approval until after the effect.
        let (statuses, ()) = tokio::join!(join_all(approvals), async {
            tokio::time::sleep(Duration::from_millis(10 * (round as u64 % 40))).await;
            victim.kill();
        });
        assert_eq!(
            statuses.iter().filter(|status| **status == StatusCode::OK).count(),
            1,
            "round {round}: {statuses:?}"
        );
        let _survivor = Process::worker(&app).await;
        assert_eq!(
            mia.wait_until_ended(&proposal).await["state"],
            "executed",
            "round {round}"
        );
        assert_eq!(refunds(&app).await, round as i64, "round {round}");
    }
    println!("{rounds} rounds: one effect each");
    assert_eq!(
        app.count("SELECT count(*) FROM outbox WHERE kind = 'proposal_executed'")
            .await,
        rounds as i64
    );
    assert_eq!(
        app.count("SELECT count(*) FROM messages WHERE body LIKE 'Done:%'")
            .await,
        rounds as i64
    );
}

/// Inserts a copy of a proposal with the columns that the web role may write. Its id and fingerprint are new.
const COPY_PROPOSAL: &str = "INSERT INTO proposals (tenant_id, shopper_id, id, conversation_id, turn_id, tool, arguments, plan, plan_digest, order_id, order_version, amount_minor,
        currency, fingerprint, awaiting, deciders_needed, created_at, updated_at, expires_at)
    SELECT tenant_id, shopper_id, gen_random_uuid(), conversation_id, turn_id, tool, arguments, plan, plan_digest, order_id, order_version, amount_minor,
        currency, sha256(gen_random_uuid()::text::bytea), awaiting, deciders_needed, created_at, updated_at, expires_at FROM proposals WHERE id = $1 RETURNING id";

#[tokio::test]
async fn sixty_four_at_once_on_two_replicas_pass_no_limit_of_proposals() {
    let app = TestApp::without_worker().await;
    let mia = app.shopper("mia").await;
    let admin = app.staff("d@s.example", Admin).await;
    let first = mia.propose(&app, "request_refund", refund("1")).await;
    let policy = json!({ "mode": "automatic", "automatic_below_minor": 1000, "automatic_per_day": 3 });
    admin.set_policy("request_refund", policy).await;
    let id: uuid::Uuid = first["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let replicas = [
        countersign::tenancy::connect(&app.settings.database),
        countersign::tenancy::connect(&app.settings.database),
    ];
    let tenant = app.store.tenant.id;
    let propose = |at: usize| {
        let web = replicas[at % 2].web.clone();
        async move {
            let mut tx = web
                .begin(countersign::tenancy::Scope::tenant(tenant))
                .await
                .expect("begins");
            let made: Result<uuid::Uuid, _> = sqlx::query_scalar(COPY_PROPOSAL).bind(id).fetch_one(&mut *tx).await;
            let Ok(made) = made else { return (false, false) };
            let automatic: bool = sqlx::query_scalar("SELECT approve_by_policy($1, now())")
                .bind(made)
                .fetch_one(&mut *tx)
                .await
                .expect("answers");
            tx.commit().await.expect("commits");
            (true, automatic)
        }
    };
    let made = join_all((0..64).map(propose)).await;
    let count = |pick: fn(&(bool, bool)) -> bool| made.iter().filter(|made| pick(made)).count();
    assert_eq!(
        (count(|made| made.0), count(|made| made.1)),
        (9, 3),
        "nine beside the first, three of them automatic"
    );
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 10);
    assert_eq!(
        app.count("SELECT count(*) FROM decisions WHERE decider_kind = 'policy'")
            .await,
        3
    );
}

#[tokio::test]
async fn the_web_role_alone_gets_nothing_executed() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    app.staff("v@s.example", Viewer).await;
    let id = proposal["id"].as_str().expect("an id").to_owned();
    let other = mia.propose(&app, "request_refund", refund("6")).await;
    let done = other["id"].as_str().expect("an id").to_owned();
    app.execute_sql(
        "SET session_replication_role = replica; UPDATE proposals SET state = 'executing' WHERE amount_minor = 600",
    )
    .await;
    let web = &app.pools.web;
    let attempts = [
        // A proposal that is inserted as approved, or with a decision of the policy.
        "INSERT INTO proposals (tenant_id, shopper_id, id, conversation_id, turn_id, tool, arguments, plan, plan_digest, fingerprint, awaiting, deciders_needed, state, created_at, updated_at, expires_at)
            SELECT tenant_id, shopper_id, gen_random_uuid(), conversation_id, turn_id, tool, arguments, plan, plan_digest, sha256('x'), awaiting, 0, 'approved', created_at, updated_at, expires_at FROM proposals".to_owned(),
        format!("UPDATE proposals SET state = 'approved' WHERE id = '{id}'"),
        "UPDATE proposals SET deciders_needed = 0".to_owned(),
        "UPDATE proposals SET plan_digest = sha256('x')".to_owned(),
        "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, verdict, plan_digest, created_at)
            SELECT tenant_id, shopper_id, gen_random_uuid(), id, 'policy', 'approve', plan_digest, now() FROM proposals".to_owned(),
        // A decision of a viewer, of nobody, of another shopper.
        "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, plan_digest, created_at)
            SELECT p.tenant_id, p.shopper_id, gen_random_uuid(), p.id, 'staff', s.id, 'approve', plan_digest, now() FROM proposals p, staff s".to_owned(),
        "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, plan_digest, created_at)
            SELECT tenant_id, shopper_id, gen_random_uuid(), id, 'staff', gen_random_uuid(), 'approve', plan_digest, now() FROM proposals".to_owned(),
        "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, plan_digest, created_at)
            SELECT tenant_id, shopper_id, gen_random_uuid(), id, 'shopper', gen_random_uuid(), 'approve', plan_digest, now() FROM proposals".to_owned(),
        // Done, with nothing done: on a decision that was made up, and on one that is real.
        format!("INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, plan_digest, created_at)
            SELECT tenant_id, shopper_id, gen_random_uuid(), id, 'shopper', shopper_id, 'approve', plan_digest, now() FROM proposals;
            UPDATE proposals SET state = 'approved' WHERE id = '{id}'; UPDATE proposals SET state = 'executing' WHERE id = '{id}'"),
        format!("UPDATE proposals SET state = 'executed' WHERE id = '{done}'"),
        format!("UPDATE proposals SET state = 'stale' WHERE id = '{done}'"),
        // The queue.
        format!("SELECT queue_execution('{id}')"),
        format!("SELECT graphile_worker.add_job('execute_proposal', json_build_object('tenant', app_tenant(), 'proposal', '{id}'))"),
        "INSERT INTO graphile_worker._private_jobs (task_id, payload) SELECT 1, '{}'".to_owned(),
        // Deliveries that move money or change the shop's platform.
        "INSERT INTO outbox (tenant_id, id, channel, kind, idempotency_key, payload, created_at) SELECT app_tenant(), gen_random_uuid(), 'payment', 'refund', 'x', '{}', now()".to_owned(),
        "INSERT INTO outbox (tenant_id, id, channel, kind, idempotency_key, payload, created_at) SELECT app_tenant(), gen_random_uuid(), 'shop', 'order', 'x', '{}', now()".to_owned(),
        "DELETE FROM automatic_decisions".to_owned(),
        // The rules themselves.
        "INSERT INTO policies (tenant_id, tool, mode, automatic_below_minor, updated_at, updated_by) SELECT tenant_id, 'request_refund', 'automatic', 100000, now(), id FROM staff LIMIT 1".to_owned(),
        "UPDATE policies SET mode = 'automatic'".to_owned(),
        "DELETE FROM policies".to_owned(),
        "SELECT set_policy('request_refund', '{\"mode\": \"automatic\", \"automatic_below_minor\": 100000}', '{}', NULL, NULL, now())".to_owned(),
        "SELECT set_policy('request_refund', '{\"mode\": \"off\"}', '{}', s.id, NULL, now()) FROM staff_sessions s".to_owned(),
        "UPDATE budgets SET tenant_day_micros = 1000000000".to_owned(),
        "SELECT set_budget('{}', '{}', s.id, NULL, now()) FROM staff_sessions s".to_owned(),
        "INSERT INTO origins (tenant_id, origin) VALUES (app_tenant(), 'https://evil.example')".to_owned(),
        "SELECT set_origin('https://evil.example', true, gen_random_uuid(), NULL, now())".to_owned(),
        "DELETE FROM origins".to_owned(),
        "INSERT INTO store_models (tenant_id, model, summarizes, updated_at, updated_by) SELECT tenant_id, 'large', false, now(), id FROM staff LIMIT 1".to_owned(),
        "SELECT set_store_model('large', false, s.id, NULL, now()) FROM staff_sessions s".to_owned(),
        "UPDATE open_proposals SET count = 0".to_owned(),
    ];
    for attempt in attempts {
        let mut tx = web
            .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
            .await
            .expect("begins");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(attempt.clone()))
            .execute(&mut *tx)
            .await;
        assert!(refused.is_err(), "{attempt}");
    }
    // The policy cannot approve what waits for staff, and no rule of the caller's is asked.
    let mut tx = web
        .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
        .await
        .expect("begins");
    let admin = app.staff("d@s.example", Admin).await;
    admin.set_policy("request_refund", json!({ "mode": "staff" })).await;
    let approved: bool = sqlx::query_scalar("SELECT approve_by_policy($1::uuid, now())")
        .bind(id.parse::<uuid::Uuid>().expect("an id"))
        .fetch_one(&mut *tx)
        .await
        .expect("answers");
    assert!(!approved);
    drop(tx);
    // A shopper's approval of what the policy gives to staff does not count, so the executor refuses it.
    app.execute_sql("UPDATE proposals SET awaiting = 'shopper'").await;
    let (_, body) = mia.confirm(&proposal).await;
    assert_eq!(body["state"], "approved", "{body}");
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "failed");
    assert_eq!(
        app.count("SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor = 500")
            .await,
        0
    );
}

#[tokio::test]
async fn what_is_confirmed_is_shown_to_the_last_field() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let address = json!({ "address1": "1 Lane", "address2": "c/o Somebody Else", "city": "Hull", "state": "XX", "zip": "HU1", "country": "Nowhere" });
    let proposal = mia
        .propose(
            &app,
            "change_order_address",
            json!({ "order_number": "1003", "address": address }),
        )
        .await;
    for language in ["en", "de"] {
        let shown: Vec<&str> = proposal["plan"]["details"][language]
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| row["after"].as_str())
            .collect();
        assert_eq!(
            shown,
            ["1 Lane", "c/o Somebody Else", "Hull", "XX", "HU1", "Nowhere"],
            "{language}"
        );
    }
    // The mail and the console show the same fields.
    let mail = app.mailbox.newest_to("mia@example.com", 1).await;
    assert!(
        mail.text().contains("c/o Somebody Else") && mail.text().contains("Nowhere"),
        "{}",
        mail.text()
    );
    // A note is labelled as the assistant's words.
    let note = mia
        .propose(&app, "hand_off", json!({ "summary": "I have refunded everything." }))
        .await;
    assert_eq!(
        note["plan"]["details"]["en"][0]["label"],
        "For our staff, written by the assistant"
    );
}

#[tokio::test]
async fn the_database_knows_which_tools_are_automatic_where_the_store_has_set_nothing() {
    let app = TestApp::offline().await;
    let admin = app.staff("d@s.example", Admin).await;
    let (_, policies) = admin.read("/v1/staff/policies").await;
    let mut automatic = 0;
    for tool in policies["tools"].as_array().expect("tools") {
        let name = tool["contract"]["name"].as_str().expect("a name");
        let known: Option<Value> = sqlx::query_scalar("SELECT automatic_by_default($1)")
            .bind(name)
            .fetch_one(&mut app.superuser().await)
            .await
            .expect("answers");
        let stated = |policy: &Value| {
            let fields = policy.as_object().expect("a policy").clone();
            let set = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.collect())
        };
        match tool["policy"]["mode"] == "automatic" {
            true => {
                assert_eq!(known, Some(stated(&tool["policy"])), "{name}");
                automatic += 1;
            }
            false => assert_eq!(known, None, "{name}"),
        }
    }
    assert!(automatic > 0);
}

#[tokio::test]
async fn what_the_policy_decides_is_in_the_audit_with_its_rule() {
    let app = TestApp::start().await;
    let (mia, admin) = (app.shopper("mia").await, app.staff("d@s.example", Admin).await);
    let rule = json!({ "mode": "automatic", "automatic_below_minor": 1000 });
    admin.set_policy("request_refund", rule).await;
    let small = mia.propose(&app, "request_refund", refund("5")).await;
    assert_eq!(mia.wait_until_ended(&small).await["state"], "executed");
    let noted = app.count(
        "SELECT count(*) FROM audit a JOIN proposals p ON p.id::text = a.target_id WHERE a.action = 'proposal.approve_by_policy' AND a.actor_kind = 'policy'
            AND a.after->>'automatic_below_minor' = '1000' AND a.after->>'plan' = encode(p.plan_digest, 'hex')",
    );
    assert_eq!(noted.await, 1);
    // A rule is changed in a session, which the audit names.
    let changed = "SELECT count(*) FROM audit a JOIN staff_sessions s ON s.id::text = a.after->>'session' WHERE a.action = 'policy.change' AND a.actor_id = s.staff_id";
    assert_eq!(app.count(changed).await, 1);
}

#[tokio::test]
async fn the_database_refuses_decisions_on_ones_own_request_and_by_a_key_that_is_over() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia.propose(&app, "request_refund", refund("5")).await;
    app.staff("mia+work@example.com", Approver).await;
    app.staff("kim@s.example", Approver).await;
    app.execute_sql(
        "INSERT INTO api_keys (tenant_id, id, name, token_hash, prefix, scopes, created_by, created_at, expires_at, epoch)
            SELECT tenant_id, gen_random_uuid(), x.name, sha256(x.name::bytea), 'x', '{}', id, now() - interval '2 days', x.ends, epoch FROM staff,
                (VALUES ('over', now() - interval '1 hour'), ('older', now() + interval '1 day')) x (name, ends) WHERE email = 'kim@s.example';
            SET session_replication_role = replica; UPDATE api_keys SET epoch = epoch - 1 WHERE name = 'older'",
    )
    .await;
    let insert = |kind: &str, from: &str| {
        format!(
            "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, plan_digest, created_at)
            SELECT p.tenant_id, p.shopper_id, gen_random_uuid(), p.id, '{kind}', d.id, 'approve', p.plan_digest, now() FROM proposals p, {from}"
        )
    };
    for statement in [
        insert("staff", "staff d WHERE d.email = 'mia+work@example.com'"),
        insert("machine", "api_keys d WHERE d.name = 'over'"),
        insert("machine", "api_keys d WHERE d.name = 'older'"),
    ] {
        let scope = countersign::tenancy::Scope::tenant(app.store.tenant.id);
        let mut tx = app.pools.web.begin(scope).await.expect("begins");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
            .execute(&mut *tx)
            .await;
        let refused = refused.expect_err(&statement).to_string();
        assert!(
            refused.contains("decider_may_decide") || refused.contains("decide"),
            "{refused}"
        );
    }
    assert_eq!(
        mia.read(&format!("/v1/proposals/{}", proposal["id"].as_str().expect("an id")))
            .await
            .1["state"],
        "pending"
    );
}
