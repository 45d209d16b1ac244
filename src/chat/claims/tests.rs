//! Sentences that claim that something was done, and sentences that do not.

use super::*;

fn knowing(facts: &[&str]) -> Evidence {
    let mut evidence = Evidence::default();
    facts.iter().for_each(|fact| evidence.learn(fact));
    evidence
}

#[test]
fn every_pattern_compiles() {
    let patterns = [
        &IDIOM,
        &DENIAL,
        &CONDITION,
        &MODAL,
        &GENERAL_RULE,
        &DEFINITE,
        &ANY,
        &NOT_OURS,
        &COMPOUND,
        &QUESTION,
        &VERB,
        &ADDRESS,
        &TAG,
    ];
    assert!(patterns.iter().all(|pattern| pattern.is_some()));
}

#[test]
fn what_was_not_done_is_not_said_to_be() {
    for claim in [
        "I have refunded you 20.00 USD.",
        "I've refunded the full amount.",
        "I refunded your card.",
        "I have just refunded it.",
        "We've already refunded you.",
        "Your payment has been refunded.",
        "Your order was refunded yesterday.",
        "You have been refunded.",
        "The amount has now been credited to your card.",
        "I have issued a full refund.",
        "I've processed your refund.",
        "We have initiated the refund.",
        "Your refund is complete.",
        "Your refund is on its way!",
        "The refund went through.",
        "I have paid you back.",
        "I have cancelled your order.",
        "I've canceled it.",
        "Your order has been cancelled.",
        "Order #1001 is now canceled.",
        "It was successfully cancelled.",
        "We have called off the order.",
        "I have changed your address.",
        "I've updated the delivery address.",
        "Your address has been updated.",
        "The items were exchanged.",
        "I have swapped the lantern.",
        "I have gone ahead and cancelled the order.",
        "I have created a coupon for you.",
        "I've sent you a discount.",
        "I have processed your return.",
        "I have approved your request.",
        "Your payment has been refunded and will arrive in three days.",
        "Good news: I have refunded you.",
        "Ich habe Ihnen 20,00 USD erstattet.",
        "Ihre Zahlung wurde erstattet.",
        "Wir haben den Betrag gutgeschrieben.",
        "Ich habe Ihre Bestellung storniert.",
        "Ihre Bestellung wurde soeben storniert.",
        "Ihre Bestellung ist storniert.",
        "Ich habe die Adresse geändert.",
        "Die Adresse wurde aktualisiert.",
        "Ich habe den Artikel umgetauscht.",
        "Der Betrag ist überwiesen.",
        "I can confirm that your order has been cancelled.",
        "No problem, I have refunded you.",
        "I've cancelled your order, is there anything else I can help with?",
        "I've cancelled your order — can I help with anything else?",
        "Your refund has been processed.",
        "Your refund of 20.00 USD for order #1002 has been processed.",
        "I went ahead and cancelled your order.",
        "I have **refunded** you.",
        "I have re**fund**ed you.",
        "I have <b>refunded</b> you.",
        "I have re\u{200b}fun\u{ad}ded you.",
        "| I have refunded you |",
        "| Refund | done |",
        "- I have refunded you",
        "- Cancelled your order.",
        "Refund issued.",
        "Refund: done ✅",
        "Refund ✅",
        "Your order's cancelled.",
        "Order cancelled.",
        "Order #1002: cancelled.",
        "I removed the item from your order.",
        "Consider it cancelled.",
        "Consider it done.",
        "All set, your address is updated.",
        "Your money is on its way back to your card.",
        "I found your order and cancelled it.",
        "I was able to cancel your order.",
        "I've got your order cancelled.",
        "I have, as requested, cancelled your order.",
        "Without delay I have refunded you.",
        "Once again I have refunded you.",
        "Let me know if you need more, your order has been cancelled.",
        "Your order is cancelled, let me know if you need anything else.",
        "Our team has cancelled your order.",
        "Order No. 1002 has been cancelled.",
        "We have cancelled it.",
        "I have removed the mug from your order.",
        "Kein Problem, ich habe Ihre Bestellung storniert.",
        "Ich kann bestätigen, dass Ihre Bestellung storniert wurde.",
        "Die Rückerstattung wurde veranlasst.",
        "Ich habe die Rückerstattung veranlasst.",
        "Ihre Bestellung Nr. 1002 wurde am 3. Dezember storniert.",
        "Gerne habe ich Ihre Bestellung storniert.",
        "Ihr Geld ist unterwegs.",
        "Rückerstattung: erledigt.",
        "Ich habe die Tasse aus Ihrer Bestellung entfernt.",
        "Ich habe Ihre Bestellung geprüft und storniert.",
        "Ich habe Ihre Bestellung storniert, kann ich noch etwas tun?",
        "Refunded 89.00 USD to your card.",
        "Cancelled the order.",
        "Our team refunded you today.",
        "The staff has cancelled it.",
        "A colleague cancelled your order this morning.",
        "I re-funded the amount.",
        "Your re-fund has been processed.",
        "I did cancel your order.",
        "I did just refund you.",
        "I gave you your money back.",
        "I got you your money back.",
        "I put the 89.00 USD back on your card.",
        "The 89.00 USD are back on your card.",
        "89.00 USD is on its way back to you.",
        "I'm refunding you now.",
        "We are cancelling your order right away.",
        "I am issuing the full refund.",
        "I'm updating your address now.",
        "Order #1003 → cancelled ✅",
        "Your coupon is SAVE20.",
        "Your discount code: WELCOME10",
        "I saved your new address.",
        "I have set the new delivery address.",
        "Your refund has been paid.",
        "Your refund was paid out yesterday.",
        "Ich stornierte Ihre Bestellung.",
        "Gestern erstatteten wir den Betrag.",
        "Ich aktualisierte Ihre Adresse.",
        "Der Betrag wurde zurücküberwiesen.",
        "Ihre Bestellung gilt ab sofort als storniert.",
        "Die 89 Euro sind wieder zurück.",
        "Ihr Gutschein lautet DANKE10.",
        "I have changed the delivery date.",
    ] {
        assert!(is_unfounded("", claim, &knowing(&[])), "{claim}");
        assert!(is_unfounded("", &claim.to_uppercase(), &knowing(&[])), "{claim}");
        assert!(is_unfounded("", &claim.replace('\'', "’"), &knowing(&[])), "{claim}");
        assert!(is_unfounded("", claim.trim_end_matches('.'), &knowing(&[])), "{claim}");
        assert!(
            is_unfounded("", &claim.replacen(' ', "\n", 2), &knowing(&[])),
            "{claim}"
        );
        let keyword = phrases::KEYWORD.as_ref().expect("a pattern");
        assert!(keyword.is_match(&Folded::of(claim).text), "{claim}");
    }
}

#[test]
fn what_is_true_or_no_claim_is_left_alone() {
    for sentence in [
        "I have asked for it.",
        "I have requested the refund.",
        "Nothing has been refunded yet.",
        "I cannot refund that.",
        "It has not been cancelled.",
        "Your order hasn't been cancelled.",
        "If it is cancelled, you get your money back.",
        "Once it has been refunded, you get a mail.",
        "Would you like it refunded?",
        "Has it been refunded?",
        "Was it cancelled?",
        "A cancelled order cannot be changed.",
        "You can have it refunded within 30 days.",
        "It will be refunded.",
        "It should be refunded by Friday.",
        "When your order was cancelled?",
        "Your order was shipped on Monday.",
        "Your parcel has been delivered.",
        "I have found your order.",
        "I have looked it up.",
        "The mug costs 12.50 USD.",
        "Refunds take three days.",
        "Our staff must approve it first.",
        "Your request is waiting.",
        "I could not find that order.",
        "Your order is on its way.",
        "The lantern is in stock.",
        "I never cancelled it.",
        "No refund was issued.",
        "Until it is changed, the old address counts.",
        "Ich habe um die Erstattung gebeten.",
        "Es wurde noch nichts erstattet.",
        "Die Bestellung wurde nicht storniert.",
        "Wenn sie storniert ist, bekommen Sie Ihr Geld.",
        "Soll sie storniert werden?",
        "Das kann erstattet werden.",
        "Ihr Paket wurde zugestellt.",
        "Ihre Bestellung ist unterwegs.",
        "Ich habe Ihre Bestellung gefunden.",
        "Die Tasse kostet 12,50 USD.",
        "Sobald sie geändert ist, hören Sie von uns.",
        "Refunds are credited to the original payment method within 5 days.",
        "Returned items are refunded within 14 days.",
        "Orders are cancelled automatically after 7 days.",
        "Damaged items are replaced free of charge.",
        "The price has changed since you ordered.",
        "You have not been refunded.",
        "An order can be cancelled until it ships.",
        "Once your request is approved, your order will be cancelled.",
        "Should I cancel your order?",
        "Has my order been cancelled?",
        "Has my order been cancelled, or is it on its way?",
        "If it was cancelled, you get a mail.",
        "I cannot confirm that your order has been cancelled.",
        "Your order is cancelled if you do not pay within 7 days.",
        "A refund is issued once we have the parcel.",
        "Your return parcel is on its way.",
        "I have sent your refund request to our staff.",
        "Your refund request has been sent to our team.",
        "I have asked for your order to be cancelled; a person must approve it.",
        "If you paid and the order was cancelled, you get your money back.",
        "Your refund policy question: refunds take 5 days.",
        "Rücksendungen werden innerhalb von 14 Tagen erstattet.",
        "Ihre Bestellung wurde noch nicht storniert.",
        "Ihre Bestellung wird storniert, sobald jemand zustimmt.",
        "Ich kann nicht bestätigen, dass Ihre Bestellung storniert wurde.",
        "Ich habe die Rücksendung beantragt.",
        "Der Preis hat sich geändert.",
        "Die Bestellung ist bezahlt und kann bis Freitag storniert werden.",
        "Ich habe Ihre Anfrage weitergeleitet, und Ihre Bestellung wird storniert.",
        "Wurde meine Bestellung storniert?",
        "Orders that are cancelled before shipping are refunded in full.",
        "Items which you return are refunded to the original card.",
        "The website has been updated with new photos.",
        "The wick is replaced every year.",
        "The filter is exchanged twice a year.",
        "The carrier has changed the delivery date.",
        "The packaging has been changed.",
        "Das Design wurde geändert.",
        "Die Verpackung wurde angepasst.",
        "Keine Sorge: storniert wurde nichts.",
        "Erstattet wurde noch nichts.",
        "I'm looking up your order.",
        "I am asking our staff to refund you.",
        "We are open from 9 to 5.",
        "The mug is 12.50 USD.",
        "The lantern costs 64.00 USD and is in stock.",
        "Your discount is 10 %.",
        "Bestellungen gelten als storniert, wenn sie nicht bezahlt werden.",
        "The set is made of steel.",
        "Returns are refunded once they are back.",
    ] {
        assert!(!is_unfounded("", sentence, &knowing(&[])), "{sentence}");
    }
}

#[test]
fn evidence_bears_out_what_it_is_about() {
    let old =
        r##"{"data":{"orders":[{"number":"#1001","status":"cancelled"},{"number":"#1002","status":"pending"}]}}"##;
    let refunded = r##"{"data":{"order_number":"#1002","order_status":"delivered","refunds":[{"kind":"refund"}]}}"##;
    let cancelled = "Done: Cancel order #1002 and refund 28.00 USD to gift-mia.";
    let returning = "Done: Return Mug of order #1002, worth 5.00 USD; the refund will go to card-mia.";
    let moved = "Erledigt: Bestellung #1002 senden an: Quay Street 4.";
    let changed = "Done: Change Mug of order #1002; the difference of 2.00 USD goes by card-mia.";
    let unpaid = "Done, except for the refund, which has not been paid yet. You are told here when it is: Cancel order #1002 and refund 28.00 USD to card-mia.";
    let paid = "The refund has been paid: Return Mug of order #1002, worth 5.00 USD; the refund will go to card-mia. (5.00 USD)";
    for (sentence, fact) in [
        ("I have cancelled order #1002.", unpaid),
        ("I have refunded you.", paid),
        ("Order #1001 was cancelled.", old),
        (
            "Your order has been cancelled.",
            r#"{"number":"2002","status":"cancelled"}"#,
        ),
        (
            "Your orders: #1002 is pending (5 USD); #1001 is cancelled (2 USD).",
            old,
        ),
        ("Order #1002 is pending, and order #1001 is cancelled.", old),
        ("Order #1001 (Mug, Lantern) is cancelled.", old),
        ("| #1001 | cancelled | 12.50 USD |", old),
        ("Bestellung #1001 (Tasse) ist storniert.", old),
        (
            "You have been refunded 12.50 USD.",
            r#"{"payments":[{"kind":"refund","amount":"12.50"}]}"#,
        ),
        ("On order #1002 we refunded 12.50 USD to card-mia.", refunded),
        (
            "Zur Bestellung #1002 haben wir erstattet: 12,50 USD an card-mia.",
            refunded,
        ),
        ("I have cancelled order #1002.", cancelled),
        ("I have cancelled your order and refunded you.", cancelled),
        ("Ich habe Bestellung #1002 storniert.", cancelled),
        ("I have processed your return.", returning),
        ("Ich habe die Adresse geändert.", moved),
        ("I have changed the items of order #1002.", changed),
        ("I have swapped the mug.", changed),
        (
            "I have created a coupon for you.",
            "Done: Give a coupon of 10 %, usable once within 30 days.",
        ),
        (
            "Your request was approved.",
            "Your request was approved and is being carried out.",
        ),
        (
            "Your request was approved and I have refunded you.",
            "Done: Refund 5.00 USD to card-mia on order #1002.",
        ),
        (
            "I have refunded you.",
            r##"{"data":{"proposal_id":"x","state":"executed","summary":"Refund 5.00 USD on order #1002."}}"##,
        ),
        (
            "Your order has been cancelled by us.",
            r#"{"text":"Your order has been cancelled by us."}"#,
        ),
    ] {
        assert!(!is_unfounded("", sentence, &knowing(&[fact])), "{sentence}");
    }
    for (sentence, fact) in [
        ("I have cancelled order #1002.", old),
        ("I have cancelled order #1001.", old),
        ("I have cancelled your order.", old),
        ("Order #1002 was cancelled.", old),
        ("Orders #1001 and #1002 were cancelled.", old),
        ("Order #1001 is pending, and order #1002 is cancelled.", old),
        ("| #1002 | cancelled | 12.50 USD |", old),
        ("I have refunded order #1002.", refunded),
        ("I have cancelled order #1003.", cancelled),
        ("I have changed your address.", cancelled),
        ("I have changed your address.", changed),
        ("I have created a coupon for you.", cancelled),
        ("I have refunded you.", returning),
        ("I have refunded you.", unpaid),
        ("Your refund has been paid.", unpaid),
        (
            "I have refunded you.",
            r##"{"data":{"number":"#1002","status":"delivered","payments":[{"kind":"refund","amount":"5.00","pending":true}]}}"##,
        ),
        (
            "Your order was refunded.",
            r##"{"data":{"number":"#1002","status":"delivered","payments":[{"kind":"refund","amount":"5.00","pending":true}]}}"##,
        ),
        (
            "Your request was approved.",
            "Your request was not approved: it is too late.",
        ),
        (
            "I have refunded you.",
            "Your request was approved and is being carried out.",
        ),
        (
            "I have refunded you.",
            r##"{"data":{"proposal_id":"x","state":"pending","summary":"Refund 5.00 USD on order #1002."}}"##,
        ),
        (
            "I have cancelled your order.",
            r#"{"text":"I have cancelled your order."}"#,
        ),
    ] {
        assert!(is_unfounded("", sentence, &knowing(&[fact])), "{sentence}");
    }
}
