//! What shoppers are told about payouts and about what is left of an order's money.

use super::*;

/// Imports an order of Mia's that was paid by a card which no provider knows, so that only staff can move its money.
async fn order_paid_by_hand(shop: &Shop, number: &str, status: &str, price: &str) {
    let line = json!({ "type": "order", "number": number, "shopper": "mia", "status": status,
        "address": { "address1": "4 Quay Street", "city": "Portland", "zip": "04101", "country": "USA" },
        "lines": [{ "product_id": "lantern", "item_id": "lantern-brass", "name": "Storm Lantern", "price": price }],
        "payments": [{ "kind": "payment", "amount": price, "payment_method": "card3-mia" }] });
    let lines = std::iter::once(Ok(line.to_string()));
    let report = import::from_lines(&shop.app.pools.executor, &shop.app.store.tenant, lines).await;
    assert_eq!(report.expect("imports").rejected, []);
}

async fn notes(shop: &Shop, proposal: &Value) -> Vec<String> {
    let path = format!(
        "/v1/conversations/{}/messages",
        proposal["conversation_id"].as_str().expect("an id")
    );
    let (_, body) = shop.mia.read(&path).await;
    let messages = body["messages"].as_array().expect("messages").iter();
    messages
        .filter(|message| message["author"] == "system")
        .map(|message| message["text"].as_str().expect("text").to_owned())
        .collect()
}

/// The answer that the shopper reads when the model says `claim` in the conversation of a proposal.
async fn claimed(shop: &Shop, proposal: &Value, claim: &str) -> String {
    shop.app.model.script([Reply::text(claim)]);
    let asked = json!({ "text": "did it work?", "conversation_id": proposal["conversation_id"] });
    shop.mia.ask_in("en", asked).await["message"]["text"]
        .as_str()
        .expect("text")
        .to_owned()
}

async fn staff_settles(shop: &Shop, act: &str) {
    let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
    let id = tasks["payments"][0]["id"].as_str().expect("a task");
    let sent = shop.kim.request("POST", &format!("/v1/staff/payments/{id}/{act}"));
    assert_eq!(answer(sent).await.0, StatusCode::NO_CONTENT);
    shop.wait_until_idle().await;
}

async fn mail_kinds(shop: &Shop) -> Vec<String> {
    let mut db = shop.app.superuser().await;
    let kinds = sqlx::query_scalar(
        "SELECT kind FROM outbox WHERE channel = 'mail' AND kind ~ '^(proposal_executed|refund)' ORDER BY created_at, kind",
    );
    kinds.fetch_all(&mut db).await.expect("reads")
}

/// For each way in which a refund can end: what the shopper reads before and after, and which claims of the model are allowed.
#[tokio::test]
async fn a_refund_is_told_as_paid_when_whoever_moves_it_says_so_and_not_before() {
    for (number, act, payout, kind, told) in [
        ("4001", "confirm", "paid", "refund_made", "The refund has been paid"),
        (
            "4002",
            "fail",
            "failed",
            "refund_failed",
            "The refund could not be paid",
        ),
    ] {
        let shop = Shop::open().await;
        order_paid_by_hand(&shop, number, "delivered", "64.00").await;
        let refund = json!({ "order_number": number, "amount": "10.00", "reason": "scratched" });
        let executed = shop.approved("request_refund", refund).await;
        assert_eq!(
            (&executed["state"], &executed["payout"]),
            (&json!("executed"), &json!("requested"))
        );
        let said = notes(&shop, &executed).await;
        assert!(
            said.last()
                .expect("a note")
                .contains("The refund has not been paid yet"),
            "{said:?}"
        );
        assert!(!said.iter().any(|note| note.starts_with("Done")), "{said:?}");
        let claim = "I have refunded 10.00 USD to your card.";
        assert!(
            !claimed(&shop, &executed, claim).await.contains(claim),
            "it has not moved yet"
        );

        staff_settles(&shop, act).await;
        let now = shop.now(&executed).await;
        assert_eq!((&now["state"], &now["payout"]), (&json!("executed"), &json!(payout)));
        let said = notes(&shop, &executed).await;
        assert!(said.last().expect("a note").starts_with(told), "{said:?}");
        let is_let_through = claimed(&shop, &executed, claim).await.contains(claim);
        assert_eq!(is_let_through, payout == "paid", "{number}");
        let mails = mail_kinds(&shop).await;
        assert_eq!(mails, ["proposal_executed".to_owned(), kind.to_owned()]);
    }
}

/// The same with the payment provider, which can refuse a refund at once, later, or after it was made.
#[tokio::test]
async fn a_refund_at_the_provider_is_told_as_it_is_there() {
    for (outcome, first, last) in [
        (RefundOutcome::Succeeds, "paid", "paid"),
        (RefundOutcome::Pending, "requested", "paid"),
        (RefundOutcome::FailsLater, "paid", "failed"),
        (RefundOutcome::Refused, "failed", "failed"),
    ] {
        let shop = Shop::open().await;
        shop.stripe.books(|books| books.next_refunds.push_back(outcome));
        let cancel = json!({ "order_number": "3001", "reason": "no_longer_needed" });
        let executed = shop.approved("cancel_order", cancel).await;
        assert_eq!(executed["payout"], first, "{outcome:?}");
        let said = notes(&shop, &executed).await;
        let before = "Done, except for the refund, which has not been paid yet.";
        assert!(said.iter().any(|note| note.starts_with(before)), "{outcome:?} {said:?}");
        shop.deliver_all().await;
        assert_eq!(shop.now(&executed).await["payout"], last, "{outcome:?}");
        let told = notes(&shop, &executed).await;
        let count = |words: &str| told.iter().filter(|note| note.starts_with(words)).count();
        assert_eq!(
            (count("The refund has been paid"), count("The refund could not be paid")),
            (
                usize::from(outcome != RefundOutcome::Refused),
                usize::from(last == "failed")
            ),
            "{outcome:?} {told:?}"
        );
    }
}

#[tokio::test]
async fn a_return_is_told_as_refunded_when_its_parcel_is_back_and_its_money_is_paid() {
    let shop = Shop::open().await;
    order_paid_by_hand(&shop, "4003", "delivered", "64.00").await;
    let items = json!({ "order_number": "4003", "item_ids": ["lantern-brass"], "payment_method_id": "card3-mia" });
    let returned = shop.approved("return_items", items).await;
    assert_eq!(
        returned["payout"],
        Value::Null,
        "nothing goes out before the parcel is back"
    );
    let path = format!(
        "/v1/staff/proposals/{}/received",
        returned["id"].as_str().expect("an id")
    );
    assert_eq!(answer(shop.kim.request("POST", &path)).await.0, StatusCode::NO_CONTENT);
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&returned).await["payout"], "requested");
    staff_settles(&shop, "confirm").await;
    assert_eq!(shop.now(&returned).await["payout"], "paid");
    let said = notes(&shop, &returned).await;
    assert!(said.last().expect("a note").contains("64.00 USD"), "{said:?}");
}

/// Money that a gift card is asked for or holds for a change that is not made yet cannot be promised to another change.
#[tokio::test]
async fn a_gift_card_is_spent_once_whatever_it_is_held_for() {
    let shop = Shop::open().await;
    shop.app
        .execute_sql("UPDATE payment_methods SET balance_minor = 200 WHERE external_id = 'gift-mia'")
        .await;
    order_paid_by_hand(&shop, "4004", "delivered", "57.50").await;
    let price_increase = |number: &str, from: &str, to: &str| json!({ "order_number": number, "changes": [{ "item_id": from, "new_item_id": to }], "payment_method_id": "gift-mia" });
    // Two changes that cost 1.50 each are planned while nothing is held, and one of them is requested.
    let first = shop
        .mia
        .propose(
            &shop.app,
            "exchange_items",
            price_increase("3004", "bottle-steel", "bottle-red"),
        )
        .await;
    let second = shop
        .mia
        .propose(
            &shop.app,
            "change_order_items",
            price_increase("3001", "bottle-steel", "bottle-red"),
        )
        .await;
    for proposal in [&first, &second] {
        shop.kim.approve(proposal).await;
    }
    shop.wait_until_idle().await;
    let mut states = [
        shop.now(&first).await["state"].clone(),
        shop.now(&second).await["state"].clone(),
    ];
    states.sort_by_key(ToString::to_string);
    assert_eq!(states, ["awaiting_payment", "stale"]);
    // A third change is refused when it is planned.
    let third = price_increase("4004", "lantern-brass", "lantern-black");
    shop.app
        .model
        .script([Reply::call("exchange_items", third), Reply::EchoToolResult]);
    let told = shop.mia.ask_text("exchange").await;
    assert!(told.contains("0.50 USD is left on the gift card"), "{told}");
    staff_settles(&shop, "confirm").await;
    shop.check_at_rest("spent once").await;
    // Money of a withdrawn request is available again.
    let mut db = shop.app.superuser().await;
    let left = "SELECT gift_card_left(m.id, NULL) FROM payment_methods m, set_config('app.tenant_id', m.tenant_id::text, false)
        WHERE m.external_id = 'gift-mia' AND m.tenant_id = (SELECT tenant_id FROM tenants WHERE slug = 'one')";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut db).await.expect("reads");
    assert_eq!(left, 50);
}

/// An order that was refunded in full cannot be changed, exchanged or returned. A partial refund is shown in later plans.
#[tokio::test]
async fn what_was_refunded_counts_in_every_later_plan() {
    let changes = json!([{ "item_id": "lantern-brass", "new_item_id": "lantern-black" }]);
    for (status, tool, arguments) in [
        (
            "pending",
            "change_order_items",
            json!({ "changes": changes, "payment_method_id": "card3-mia" }),
        ),
        (
            "delivered",
            "exchange_items",
            json!({ "changes": changes, "payment_method_id": "card3-mia" }),
        ),
        (
            "delivered",
            "return_items",
            json!({ "item_ids": ["lantern-brass"], "payment_method_id": "card3-mia" }),
        ),
    ] {
        let shop = Shop::open().await;
        order_paid_by_hand(&shop, "4005", status, "64.00").await;
        let with_number = |mut arguments: Value| {
            arguments["order_number"] = json!("4005");
            arguments
        };
        let refund = |amount: &str| json!({ "order_number": "4005", "amount": amount, "reason": "scratched" });
        let partly = shop.approved("request_refund", refund("60.00")).await;
        assert_eq!(partly["state"], "executed");
        let proposal = shop.mia.propose(&shop.app, tool, with_number(arguments.clone())).await;
        let details = proposal["plan"]["details"]["en"].as_array().expect("details");
        let before = details
            .iter()
            .find(|detail| detail["label"] == "Refunded on this order before");
        assert_eq!(before.expect("it is shown")["after"], "60.00 USD", "{tool}");
        if tool == "return_items" {
            assert_eq!(
                proposal["plan"]["amount"]["amount"], "4.00",
                "the rest alone is refunded"
            );
        }
        // A refund after the plan was made changes the plan.
        let rest = shop.approved("request_refund", refund("4.00")).await;
        assert_eq!(rest["state"], "executed");
        shop.kim.approve(&proposal).await;
        shop.wait_until_idle().await;
        let state = shop.now(&proposal).await["state"].clone();
        assert!(state == "stale" || state == "pending", "{tool}: {state}");
        shop.app
            .model
            .script([Reply::call(tool, with_number(arguments)), Reply::EchoToolResult]);
        let told = shop.mia.ask_text("and again").await;
        assert!(told.contains("was refunded"), "{tool}: {told}");
    }
}

#[tokio::test]
async fn a_coupon_of_percents_says_the_most_that_it_takes_off() {
    let shop = Shop::open().await;
    let coupon = json!({ "kind": "percent", "value": "20", "reason": "late delivery" });
    let given = shop.approved("create_coupon", coupon).await;
    let shown = given["plan"].to_string();
    assert!(
        shown.contains("20 %, at most 50.00 USD") && shown.contains("20 % (at most 50.00 USD)"),
        "{shown}"
    );
    assert_eq!(shop.app.count("SELECT at_most_minor FROM coupons").await, 5000);
}
