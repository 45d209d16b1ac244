//! Claims of the model that are checked: that something was done, and where a link leads.
//!
//! A model cannot do anything by itself. A sentence that says something was refunded, cancelled or changed is let through when a tool's result
//! or a proposal in this conversation says so too, and is replaced by a true sentence otherwise. A link leads to the store, to a carrier, or
//! to where a tool's result leads, or it is taken out. The patterns know English and German and many phrasings, not every one.

use std::sync::LazyLock;

use regex::Regex;

use crate::language::{Language, LocalizedText};

/// What stands in the place of a claim that nothing bears out. True whatever the claim was: the assistant only ever asks.
pub(super) const NOT_DONE: LocalizedText = LocalizedText {
    en: "I have not done that myself: a change is made only once it has been approved, and you are told here when it is.",
    de: "Das habe ich nicht selbst getan: Eine Änderung geschieht erst, wenn sie genehmigt ist, und Sie erfahren es dann hier.",
};
/// What stands in the place of a link.
pub(super) const NO_LINK: &str = "[link removed]";

/// What is claimed, and the words in a tool's result or a note of ours that bear it out.
struct Claim {
    done: Option<Regex>,
    /// Where `…` stands, one line must hold both in this order.
    borne_out: &'static [&'static str],
}

fn bears_out(evidence: &str, words: &str) -> bool {
    match words.split_once('…') {
        None => evidence.contains(words),
        Some((first, then)) => evidence
            .lines()
            .any(|line| line.find(first).is_some_and(|at| line[at..].contains(then))),
    }
}

/// English: what somebody did, or what became of something. German: the same, where the verb comes last.
fn claim(english: &str, german: &str, borne_out: &'static [&'static str]) -> Claim {
    let pattern = format!(
        r"(?i)\b(?:(?:i|we)(?:['’]ve|\s+have|['’]d|\s+had)?(?:\s+(?:just|already|now|also|successfully|gone\s+ahead\s+and))*\s+(?:{english})\b|(?:has|have|had|is|are|was|were|been|got|gets)(?:\s+(?:just|already|now|also|successfully|fully|been|being))*\s+(?:{english})\b|(?:refund|cancellation|exchange|return|change|payment|coupon)s?\s+(?:is|are|was|were|went|has\s+gone|have\s+gone)(?:\s+(?:now|already|just))*\s+(?:complete|completed|done|through|on\s+(?:its|the)\s+way|processed|issued)|(?:habe|haben|hab|wurde|wurden|ist|sind|worden)\b[^.!?\n]*\b(?:{german})\b)"
    );
    Claim {
        done: Regex::new(&pattern).ok(),
        borne_out,
    }
}

static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    vec![
        claim(
            "refunded|reimbursed|credited|paid\\s+(?:you\\s+)?back|sent\\s+(?:you\\s+)?the\\s+money|issued\\s+(?:you\\s+)?(?:a|the|your)\\s+(?:full\\s+)?refund|processed\\s+(?:a|the|your)\\s+(?:full\\s+)?refund|initiated\\s+(?:a|the|your)\\s+(?:full\\s+)?refund|returned\\s+the\\s+money",
            "erstattet|zurückerstattet|gutgeschrieben|rückerstattet|überwiesen|zurückgezahlt|ausgezahlt",
            &[
                "\"kind\":\"refund\"",
                "done:…refund",
                "erledigt:…erstatten",
                "the refund has been made",
            ],
        ),
        claim(
            "cancell?ed|called\\s+off|voided",
            "storniert|abbestellt|annulliert",
            &["\"cancelled\"", "done:…cancel", "erledigt:…stornieren"],
        ),
        claim(
            "changed|updated|modified|amended|corrected|switched|swapped|exchanged|replaced|rerouted|redirected",
            "geändert|aktualisiert|umgestellt|getauscht|umgetauscht|ersetzt|angepasst|umgeleitet|korrigiert",
            &["done:", "erledigt:", "pending_items_modified", "exchange_requested"],
        ),
        claim(
            "(?:created|issued|sent|applied|added|generated)\\s+(?:you\\s+)?(?:a|the|your|another)\\s+(?:new\\s+)?(?:coupon|discount|voucher|credit|gift\\s+card)|applied\\s+(?:a|the)\\s+\\S+\\s+discount",
            "gutschein\\S*\\s+\\S*(?:erstellt|ausgestellt|geschickt)|rabatt\\s+\\S*gewährt",
            &["done:", "erledigt:"],
        ),
        claim(
            "processed\\s+(?:a|the|your)\\s+(?:return|exchange|cancellation|request|order)|completed\\s+(?:a|the|your)\\s+\\w+|approved\\s+(?:a|the|your)\\s+\\w+|taken\\s+care\\s+of",
            "(?:rücksendung|umtausch|stornierung|anfrage)\\s+\\S*(?:bearbeitet|abgeschlossen|genehmigt)",
            &[
                "done:",
                "erledigt:",
                "approved",
                "genehmigt",
                "return_requested",
                "exchange_requested",
            ],
        ),
    ]
});

/// What makes of a claim a condition, a denial, a plan or a question.
static QUALIFIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:not|never|nothing|no|none|cannot|without|if|once|when|whenever|unless|until|before|after|as\s+soon\s+as|whether|will|would|could|should|can|may|might|must|to\s+be|nicht|kein\w*|nichts|nie|noch|wenn|falls|sobald|ob|bevor|bis|wird|werden|würde\w*|könnte\w*|kann|können|soll\w*|muss|müssen|möchte\w*)\b|n['’]t\b",
    )
    .ok()
});

static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:!?\[([^\]\n]*)\]\(\s*)?((?:[a-z][a-z0-9+.-]{1,20}://|www\.|javascript:|data:)[^\s<>()\[\]"'`]*)(\s*\))?"#).ok()
});

/// Where parcels are followed: hosts of carriers, each with what is below it.
const CARRIERS: &[&str] = &[
    "ups.com",
    "usps.com",
    "fedex.com",
    "dhl.com",
    "dhl.de",
    "dpd.com",
    "dpd.de",
    "dpd.co.uk",
    "gls-group.com",
    "gls-group.eu",
    "hermesworld.com",
    "myhermes.de",
    "evri.com",
    "royalmail.com",
    "parcelforce.com",
    "postnl.nl",
    "post.at",
    "post.ch",
    "deutschepost.de",
    "canadapost-postescanada.ca",
    "auspost.com.au",
    "laposte.fr",
    "chronopost.fr",
    "colissimo.fr",
    "correos.es",
    "seur.com",
    "poste.it",
    "bpost.be",
    "posten.no",
    "postnord.com",
    "postnord.se",
    "postnord.dk",
    "inpost.pl",
    "tnt.com",
];

/// Whether a sentence claims something that `evidence`, in small letters, does not bear out.
fn is_unfounded(sentence: &str, evidence: &str) -> bool {
    if sentence.trim_end().ends_with('?') {
        return false;
    }
    CLAIMS.iter().any(|claim| {
        // A pattern that does not compile lets nothing through that looks like a sentence about the past.
        let Some(done) = &claim.done else { return true };
        done.find(sentence).is_some_and(|found| {
            let before = &sentence[..found.end()];
            let qualified = QUALIFIED.as_ref().is_some_and(|qualified| qualified.is_match(before));
            !qualified && !claim.borne_out.iter().any(|words| bears_out(evidence, words))
        })
    })
}

fn may_lead(link: &str, known: &str, hosts: &[String]) -> bool {
    let address = match link.to_lowercase().starts_with("www.") {
        true => format!("https://{link}"),
        false => link.to_owned(),
    };
    let Ok(url) = url::Url::parse(&address) else {
        return false;
    };
    let (true, Some(host)) = (matches!(url.scheme(), "http" | "https"), url.host_str()) else {
        return false;
    };
    let host = host.trim_end_matches('.').to_lowercase();
    let below = |of: &str| host == of || host.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
    url.username().is_empty()
        && (CARRIERS.iter().any(|carrier| below(carrier))
            || hosts.iter().any(|own| below(own))
            || known.contains(&format!("://{host}")))
}

/// The end of a sentence as it may go out; none where it may as it is. `before` is what of the sentence has gone out, `evidence` what tools and
/// this server said, `hosts` are the store's own.
pub(super) fn check(
    before: &str,
    rest: &str,
    (evidence, hosts): (&str, &[String]),
    language: Language,
) -> Option<String> {
    let sentence = format!("{before}{rest}");
    // What a tool said may be repeated word for word.
    let repeats = evidence.contains(&sentence.trim().to_lowercase());
    if !repeats && is_unfounded(&sentence, evidence) {
        let pause = if before.trim().is_empty() { "" } else { "… " };
        let space = &rest[rest.trim_end().len()..];
        return Some(format!("{pause}{}{space}", NOT_DONE.in_language(language)));
    }
    let linked = match LINK.as_ref() {
        Some(link) => link.replace_all(rest, |found: &regex::Captures| {
            match may_lead(&found[2], evidence, hosts) {
                true => found[0].to_owned(),
                false => match found.get(1) {
                    Some(text) => format!("{} {NO_LINK}", text.as_str()),
                    None => NO_LINK.to_owned(),
                },
            }
        }),
        None => NO_LINK.into(),
    };
    (linked != rest).then(|| linked.into_owned())
}

/// How much of `text` may go out by now: whole sentences, and of the one that is not at its end what stands before any word that a claim or a
/// link may rest on. A sentence that never ends is cut.
pub(super) fn may_go(text: &str) -> usize {
    const LONGEST: usize = 600;
    let whole = end_of_sentences(text);
    let rest = &text[whole..];
    let held = match BEGINS.as_ref().map(|begins| begins.find(rest)) {
        Some(None) => rest.len(),
        Some(Some(found)) if rest.len() <= LONGEST => found.start(),
        _ if rest.len() <= LONGEST => 0,
        _ => rest.len(),
    };
    whole + held
}

/// What a claim cannot be made without, and how a link begins.
static BEGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:refund|reimburs|credit|paid|sent|issued|process|initiat|return|cancel|call|void|chang|updat|modif|amend|correct|switch|swap|exchang|replac|rerout|redirect|creat|appl|add|generat|complet|approv|taken|payment|coupon|erstatt|zurück|rücker|gutges|überwies|ausgez|storn|abbest|annull|geänd|aktual|umge|getau|ersetz|angep|korrig|gutschein|rabatt|rücksend|umtausch|anfrage|bearbeit|abgeschl|genehm)|[\[!(]|://|www\.|javascript:|data:",
    )
    .ok()
});

/// Where the last whole sentence of `text` ends: at a line's end, or at a mark with a space behind it.
pub(super) fn end_of_sentences(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |at: &usize| {
        bytes[*at] == b'\n'
            || *at > 0 && bytes[*at].is_ascii_whitespace() && matches!(bytes[*at - 1], b'.' | b'!' | b'?' | b':')
    };
    (0..bytes.len()).rev().find(ends).map_or(0, |at| at + 1)
}

/// Where the first sentence of `text` ends.
pub(super) fn end_of_first_sentence(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |at: &usize| {
        bytes[*at] == b'\n'
            || *at > 0 && bytes[*at].is_ascii_whitespace() && matches!(bytes[*at - 1], b'.' | b'!' | b'?' | b':')
    };
    (0..bytes.len()).find(ends).map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(is_unfounded(claim, ""), "{claim}");
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
        ] {
            assert!(!is_unfounded(sentence, ""), "{sentence}");
        }
        for (sentence, evidence) in [
            ("Your order was cancelled.", r#"{"number":"2002","status":"cancelled"}"#),
            (
                "You have been refunded 12.50 USD.",
                r#"{"payments":[{"kind":"refund","amount":"12.50"}]}"#,
            ),
            (
                "Your request was approved and I have refunded you.",
                "done: refund 5.00 usd to card-mia on order #1002.",
            ),
        ] {
            assert!(!is_unfounded(sentence, evidence), "{sentence}");
            assert!(
                is_unfounded(sentence, "") || sentence.contains("approved"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_link_leads_to_the_store_a_carrier_or_where_a_tool_leads() {
        let hosts = ["shop.example".to_owned()];
        let evidence = r#"{"picture":"https://cdn.example/mug.webp"}"#;
        for (said, delivered) in [
            ("See https://shop.example/returns.", None),
            ("See https://www.shop.example/returns.", None),
            ("Track it at https://www.dhl.com/track?id=1", None),
            ("https://cdn.example/mug.webp", None),
            ("See https://evil.example/pay now.", Some("See [link removed] now.")),
            ("See https://shop.example.evil.test/", Some("See [link removed]")),
            ("See https://shop.example@evil.test/", Some("See [link removed]")),
            ("[Pay here](https://evil.example/pay)", Some("Pay here [link removed]")),
            ("![x](https://evil.example/a.png)", Some("x [link removed]")),
            ("Go to www.evil.example", Some("Go to [link removed]")),
            ("javascript:alert(1)", Some("[link removed](1)")),
            ("See https://notdhl.com/", Some("See [link removed]")),
        ] {
            assert_eq!(
                check("", said, (evidence, &hosts), Language::En).as_deref(),
                delivered,
                "{said}"
            );
        }
    }

    #[test]
    fn sentences_end_where_people_see_an_end() {
        for (text, end) in [
            ("One. Two", 5),
            ("One", 0),
            ("at 12.50 USD", 0),
            ("a\nb", 2),
            ("See https://a.example/x.y", 0),
            ("Done! ", 6),
        ] {
            assert_eq!(end_of_sentences(text), end, "{text}");
        }
    }
}
