//! What a tool returned, in plain sentences.

use serde::Deserialize;
use serde_json::Value;

use super::HELP;
use crate::{
    language::{Language, LocalizedText},
    money::Money,
};

const SIGN_IN_FIRST: LocalizedText = LocalizedText {
    en: "For that I must know who you are. Please sign in first.",
    de: "Dafür muss ich wissen, wer Sie sind. Bitte melden Sie sich zuerst an.",
};
const NOT_FOUND: LocalizedText = LocalizedText {
    en: "I could not find that under your account. Please check the number, and that you are signed in.",
    de: "Das habe ich in Ihrem Konto nicht gefunden. Bitte prüfen Sie die Nummer und ob Sie angemeldet sind.",
};
const NOT_NOW: LocalizedText = LocalizedText {
    en: "I could not look that up just now. Please try again in a moment.",
    de: "Ich konnte gerade nicht nachsehen. Bitte versuchen Sie es gleich noch einmal.",
};
const RETURN_ASKED: LocalizedText = LocalizedText {
    en: "I have asked for the return. A person will decide, and you will hear of it here and by mail.",
    de: "Ich habe die Rücksendung beantragt. Ein Mensch entscheidet, und Sie hören hier und per Mail davon.",
};
const PERSON_CALLED: LocalizedText = LocalizedText {
    en: "I have called someone of our staff, who will answer you here.",
    de: "Ich habe jemanden aus unserem Team gerufen, der Ihnen hier antwortet.",
};
const NO_ORDERS: LocalizedText = LocalizedText {
    en: "You have no orders with us yet.",
    de: "Sie haben bei uns noch nichts bestellt.",
};
const NO_GOODS: LocalizedText = LocalizedText {
    en: "I found nothing like that in our shop.",
    de: "So etwas habe ich in unserem Sortiment nicht gefunden.",
};

pub fn tell(tool: &str, result: &Value) -> LocalizedText<String> {
    if let Some(error) = result.get("error") {
        return match error["code"].as_str() {
            Some("sign_in_first") => SIGN_IN_FIRST.owned(),
            // The store's rules are written in English.
            Some("not_allowed") => LocalizedText {
                en: "That is not possible",
                de: "Das geht nicht",
            }
            .each(|_, no| format!("{no}: {}.", text(error, "message").trim_end_matches('.'))),
            Some("not_found") => NOT_FOUND.owned(),
            _ => NOT_NOW.owned(),
        };
    }
    let data = &result["data"];
    match tool {
        "get_order" => tell_order(data),
        "list_orders" => tell_orders(data),
        "get_refund_status" => tell_refund(data),
        "search_products" => tell_products(data),
        "get_profile" => tell_profile(data),
        "search_help" => tell_help(data),
        "return_items" => RETURN_ASKED.owned(),
        "hand_off" => PERSON_CALLED.owned(),
        _ => HELP.owned(),
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn money(value: &Value, language: Language) -> String {
    Money::deserialize(value)
        .map(|money| money.in_language(language))
        .unwrap_or_default()
}

fn status(order: &Value, language: Language) -> String {
    let status = text(order, "status");
    let german = match status {
        "pending" => "in Bearbeitung",
        "pending_items_modified" => "geändert und in Bearbeitung",
        "processed" => "versandt",
        "delivered" => "zugestellt",
        "cancelled" => "storniert",
        "return_requested" => "zur Rücksendung angemeldet",
        "exchange_requested" => "zum Umtausch angemeldet",
        other => other,
    };
    match language {
        Language::En => status.replace('_', " "),
        Language::De => german.to_owned(),
    }
}

fn tell_order(order: &Value) -> LocalizedText<String> {
    let (number, items) = (text(order, "number"), names(order, "lines", "name"));
    let tracking = names(order, "shipments", "tracking_number");
    let tracking = match list(order, "shipments").len() {
        0 => LocalizedText {
            en: "It has not been shipped yet.".to_owned(),
            de: "Sie ist noch nicht unterwegs.".to_owned(),
        },
        1 => LocalizedText {
            en: format!("Its tracking number is {tracking}."),
            de: format!("Die Sendungsnummer ist {tracking}."),
        },
        _ => LocalizedText {
            en: format!("Its tracking numbers are {tracking}."),
            de: format!("Die Sendungsnummern sind {tracking}."),
        },
    };
    tracking.each(|language, tracking| {
        let (status, total) = (status(order, language), money(&order["total"], language));
        match language {
            Language::En => format!("Order {number} ({items}) is {status}. {tracking} The total is {total}."),
            Language::De => format!("Bestellung {number} ({items}) ist {status}. {tracking} Die Summe ist {total}."),
        }
    })
}

fn names(value: &Value, field: &str, name: &str) -> String {
    let names: Vec<&str> = list(value, field).iter().map(|entry| text(entry, name)).collect();
    names.join(", ")
}

fn tell_orders(data: &Value) -> LocalizedText<String> {
    let orders = list(data, "orders");
    if orders.is_empty() {
        return NO_ORDERS.owned();
    }
    let words = LocalizedText {
        en: ("Your orders", "is"),
        de: ("Ihre Bestellungen", "ist"),
    };
    words.each(|language, (opening, is)| {
        let tell = |order| {
            let (status, total) = (status(order, language), money(&order["total"], language));
            format!("{} {is} {status} ({total})", text(order, "number"))
        };
        let orders: Vec<String> = orders.iter().map(tell).collect();
        format!("{opening}: {}.", orders.join("; "))
    })
}

fn tell_refund(data: &Value) -> LocalizedText<String> {
    let (number, refunds) = (text(data, "order_number"), list(data, "refunds"));
    if refunds.is_empty() {
        return LocalizedText::from_fn(|language| {
            let paid = money(&data["paid"], language);
            match language {
                Language::En => format!("No refund has been made on order {number}; {paid} was paid."),
                Language::De => format!("Zur Bestellung {number} wurde nichts erstattet; bezahlt wurden {paid}."),
            }
        });
    }
    let words = LocalizedText {
        en: ("to", " and "),
        de: ("an", " und "),
    };
    let spelt = words.each(|language, (to, and)| {
        let tell = |refund: &Value| {
            let (amount, method) = (money(&refund["amount"], language), text(refund, "payment_method_id"));
            format!("{amount} {to} {method}")
        };
        refunds.iter().map(tell).collect::<Vec<_>>().join(and)
    });
    LocalizedText {
        en: format!("On order {number} we refunded {}.", spelt.en),
        de: format!("Zur Bestellung {number} haben wir erstattet: {}.", spelt.de),
    }
}

fn tell_products(data: &Value) -> LocalizedText<String> {
    let products = list(data, "products");
    if products.is_empty() {
        return NO_GOODS.owned();
    }
    let words = LocalizedText {
        en: ("I found", "sold out", "from"),
        de: ("Gefunden habe ich", "ausverkauft", "ab"),
    };
    words.each(|language, (found, sold_out, from)| {
        let tell = |product: &Value| match &product["price_from"] {
            Value::Null => format!("{} ({sold_out})", text(product, "name")),
            price => format!("{} ({from} {})", text(product, "name"), money(price, language)),
        };
        let products: Vec<String> = products.iter().map(tell).collect();
        format!("{found}: {}.", products.join(", "))
    })
}

/// The first article, with where it is from.
fn tell_help(data: &Value) -> LocalizedText<String> {
    let Some(article) = list(data, "articles").first() else {
        return HELP.owned();
    };
    let (excerpt, title) = (text(article, "excerpt"), text(article, "title"));
    LocalizedText {
        en: format!("{excerpt} (From our help page “{title}”.)"),
        de: format!("{excerpt} (Aus unserer Hilfeseite „{title}“.)"),
    }
}

fn tell_profile(data: &Value) -> LocalizedText<String> {
    let (address, methods) = (&data["address"], names(data, "payment_methods", "id"));
    let nothing = LocalizedText {
        en: ("no address", "none"),
        de: ("keine Adresse", "keine"),
    };
    nothing.each(|language, (no_address, none)| {
        let address = match address {
            Value::Null => (*no_address).to_owned(),
            _ => format!(
                "{}, {} {}",
                text(address, "address1"),
                text(address, "city"),
                text(address, "zip")
            ),
        };
        let methods = if methods.is_empty() { none } else { &methods[..] };
        let name = format!("{} {}", text(data, "first_name"), text(data, "last_name"));
        let email = text(data, "email");
        match language {
            Language::En => format!("You are {name} ({email}), {address}. Payment methods: {methods}."),
            Language::De => format!("Sie sind {name} ({email}), {address}. Zahlungsarten: {methods}."),
        }
    })
}
