//! A database that is restored does again what it did after the dump: whoever moved the money knows it, and moves nothing twice.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::process::Command;

use super::*;
use crate::support::database;

/// Works off all jobs of a database.
async fn process_everything_due(shop: &Shop, database: &str) {
    let postgres = database::postgres().await;
    let address = postgres.address(database);
    let (_url, _stop) = shop
        .app
        .replica_with(|settings| {
            settings.run_worker = true;
            settings.database.address = address;
        })
        .await;
    let mut db = PgConnection::connect_with(&postgres.admin(database))
        .await
        .expect("connects");
    let hurry = "UPDATE graphile_worker._private_jobs SET run_at = now() WHERE run_at > now() AND locked_at IS NULL";
    for _ in 0..800 {
        let waiting: i64 =
            sqlx::query_scalar("SELECT count(*) FROM graphile_worker._private_jobs WHERE attempts < max_attempts")
                .fetch_one(&mut db)
                .await
                .expect("counts");
        if waiting == 0 {
            return;
        }
        sqlx::raw_sql(hurry).execute(&mut db).await.expect("runs");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    panic!("there is always something left to do");
}

/// Dumps the shop's database into another.
async fn copy(shop: &Shop, to: &str) {
    let postgres = database::postgres().await;
    let mut superuser = PgConnection::connect_with(&postgres.admin("postgres"))
        .await
        .expect("connects");
    let made = sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {to}")));
    made.execute(&mut superuser).await.expect("made");
    let host = format!("--host={}", postgres.socket_folder().display());
    let dump = Command::new("pg_dump")
        .args([&host, "--username=postgres", &shop.app.database])
        .output()
        .await
        .expect("runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump.sql");
    std::fs::write(&file, dump.stdout).expect("written");
    let restored = Command::new("psql")
        .args([&host, "--username=postgres", "-qX", "-v", "ON_ERROR_STOP=1", to, "-f"])
        .arg(&file)
        .output()
        .await
        .expect("runs");
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
}

#[tokio::test]
async fn what_was_executed_after_the_dump_moves_no_money_again_after_the_restore() {
    // The provider forgets its idempotency keys after a day.
    for days in [0, 2] {
        let shop = Shop::open_with(|settings| settings.run_worker = false).await;
        let refund = json!({ "order_number": "3003", "amount": "5.00", "reason": "scratched" });
        let price_increase_of_lantern = json!({ "order_number": "3002", "payment_method_id": "card2-mia" });
        for (tool, arguments) in [
            ("request_refund", refund),
            ("change_order_items", price_increase("card-mia")),
            ("change_order_payment", price_increase_of_lantern),
        ] {
            let proposal = shop.mia.propose(&shop.app, tool, arguments).await;
            assert_eq!(shop.kim.approve(&proposal).await.0, StatusCode::OK);
        }
        let restored = format!("{}_restored", shop.app.database);
        copy(&shop, &restored).await;
        process_everything_due(&shop, &shop.app.database).await;
        let moved = |books: &mut Books| {
            let charged: Vec<_> = books
                .charges
                .values()
                .filter(|charge| !charge.metadata.is_empty())
                .collect();
            let charged: i64 = charged.iter().map(|charge| charge.amount).sum();
            (charged, books.refunded("pi_3003"), books.refunded("pi_3002"))
        };
        assert_eq!(shop.stripe.books(moved), (150 + 6400, 500, 6400));
        if days > 0 {
            shop.app.clock.advance(chrono::Duration::days(days));
            shop.stripe.books(Books::forget_keys);
        }
        process_everything_due(&shop, &restored).await;
        assert_eq!(shop.stripe.books(moved), (150 + 6400, 500, 6400), "after {days} days");
        let mut db = PgConnection::connect_with(&database::postgres().await.admin(&restored))
            .await
            .expect("connects");
        let ended: i64 = sqlx::query_scalar("SELECT count(*) FROM proposals WHERE state = 'executed'")
            .fetch_one(&mut db)
            .await
            .expect("counts");
        assert_eq!(ended, 3, "each of them was executed again");
    }
}

#[tokio::test]
async fn a_payout_that_was_tried_again_after_the_dump_is_known_when_the_events_are_sent_again() {
    let shop = Shop::open().await;
    shop.stripe
        .books(|books| books.next_refunds.push_back(RefundOutcome::FailsLater));
    let refund = json!({ "order_number": "3003", "amount": "40.00", "reason": "scratched" });
    let refund = shop.approved("request_refund", refund).await;
    shop.deliver_all().await;
    assert_eq!(shop.now(&refund).await["payout"], "failed");
    let restored = format!("{}_restored", shop.app.database);
    copy(&shop, &restored).await;
    let (_, dead) = shop.kim.read("/v1/staff/deliveries?channel=payment&state=dead").await;
    let id = dead["deliveries"][0]["id"].as_str().expect("an id");
    let ada = shop.app.staff("ada@shop.example", Admin).await;
    let retry = ada.request("POST", &format!("/v1/staff/deliveries/{id}/retry"));
    assert_eq!(answer(retry).await.0, StatusCode::ACCEPTED);
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&refund).await["payout"], "paid");
    let events = shop.stripe.books(|books| std::mem::take(&mut books.events));
    assert_eq!(events.len(), 1, "the provider tells of the second attempt");

    let postgres = database::postgres().await;
    let address = postgres.address(&restored);
    let (server, _stop) = shop
        .app
        .replica_with(|settings| {
            settings.run_worker = true;
            settings.database.address = address;
        })
        .await;
    for _ in 0..400 {
        if shop.app.http.get(format!("{server}/health")).send().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    // Twice, as a provider may.
    for event in events.iter().chain(&events) {
        shop.send_to(&server, event).await;
    }
    let mut db = PgConnection::connect_with(&postgres.admin(&restored))
        .await
        .expect("connects");
    let mut last = String::new();
    for _ in 0..400 {
        last = sqlx::query_scalar(
            "SELECT concat_ws(' ', m.state, m.retries, m.reference, b.paid_out, p.payout, d.state) FROM money_movements m JOIN proposals p ON p.id = m.proposal_id
            JOIN order_balances b ON b.order_id = m.order_id JOIN outbox d ON d.idempotency_key = 'refund:' || m.id",
        )
        .fetch_one(&mut db)
        .await
        .expect("reads");
        if last == "confirmed 1 re_2 4000 paid done" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    panic!("{last}");
}

#[tokio::test]
async fn what_is_approved_the_next_day_is_charged_and_needs_no_page() {
    let shop = Shop::open().await;
    let proposal = shop
        .mia
        .propose(&shop.app, "change_order_items", price_increase("card-mia"))
        .await;
    shop.app.clock.advance(chrono::Duration::hours(21));
    let kim = shop.app.staff("jo@shop.example", Approver).await;
    assert_eq!(kim.approve(&proposal).await.0, StatusCode::OK);
    shop.wait_until_idle().await;
    shop.app
        .wait_for_count("SELECT count(*) FROM proposals WHERE state = 'executed'", 1)
        .await;
    shop.stripe.books(|books| assert!(books.open_pages().is_empty()));
    shop.check_at_rest("charged the next day").await;
}
