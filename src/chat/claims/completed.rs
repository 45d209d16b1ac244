//! Sentences that speak of something as done, in more wordings than the patterns of claims know.
//!
//! The patterns in `phrases` are exact, and what they find is replaced. This table is wide: it finds words of what tools can do together with
//! words of completion. What it finds stays, and where nothing in the conversation supports it, a true sentence is put behind the answer.
//! That is safe where the table is wrong, and it covers wordings that nobody listed and some in other languages.

use std::sync::LazyLock;

use regex::Regex;

use super::{DENIAL, Pattern, mentions};
use crate::chat::{folding::Folded, sentences};

/// Words that are enough alone.
const ALONE: &str = r"re-?funded|reimbursed|credited|comped|waived|voided|cancell?ed|swapped|erased|unsubscribed|escalated|storniert|erstattet|gutgeschrieben|geloescht|umgetauscht|freigegeben|angestossen|eskaliert|rembours[eé]e?s?\b|annul[eé]e?s?\b|reembolsad[oa]|cancelad[oa]|anulad[oa]|rimborsat[oa]|annullat[oa]|terugbetaald|geannuleerd";

/// Words that are enough together: the first, and within sixty characters the second.
const TOGETHER: [(&str, &str); 18] = [
    (
        r"re-?funds?|reimbursement|repayment|credit|money(?:'s)?|cash|cancell?ation|exchange|swap|(?:rueck)?erstattung|rueckzahlung|gutschrift|geld|stornierung|umtausch|[0-9] ?(?:usd|eur|gbp|dollars?|euros?)",
        r"cleared|through|processed|issued|completed?|successful|confirmed|done|approved|accepted|submitted|initiated|released|reached|returned|left|deposited|with your bank|back (?:on|in|to)|on its way|(?:->|→) your|durch|wieder (?:auf|da)|erledigt|veranlasst|auf den weg gebracht|bestaetigt|abgeschlossen|raus|zurueckgeschickt|ueberwiesen",
    ),
    (
        r"re-?fund (?:number|reference|id)|erstattungsnummer",
        r"is|:|lautet|ist",
    ),
    (r"shows", r"credit"),
    (
        r"pushed|put|sent|triggered|released|handled|took care of|made|issued|processed|submitted|got",
        r"re-?fund|reimbursement|repayment|money|cancell?ation|exchange|credit",
    ),
    (
        r"sent|wired|deposited|transferred",
        r"to your card|[0-9] ?(?:usd|eur|gbp)|money",
    ),
    (
        r"stopped|dropped|killed|withdrew|withdrawn|removed|halted|pulled|a stop on",
        r"order|#[a-z0-9-]+|purchase",
    ),
    (
        r"order|bestellung|auftrag",
        r"is off|no longer active|(?:will not|won't) (?:be )?ship(?:ped)?|now contains|now goes to|now be delivered|geht (?:nun|jetzt|ab sofort) an|gestrichen|gestoppt",
    ),
    (
        r"address|adresse|anschrift|parcel|paket|lieferung",
        r"updated|changed|saved|corrected|is on the order|now goes to|geaendert|aktualisiert|umgeleitet|gespeichert",
    ),
    (
        r"payment|charge|debit|transaction|zahlung|buchung|abbuchung",
        r"reversed|returned|voided|dropped|rueckgaengig|storniert",
    ),
    (r"reversed|returned|dropped", r"payment|charge|debit|transaction"),
    (
        r"account|data|profile|password|newsletter|konto|daten|passwort|kennwort",
        r"deleted|erased|removed|reset|cleared|closed|geloescht|zurueckgesetzt|entfernt|geschlossen",
    ),
    (r"deleted|erased|removed|reset|closed", r"account|data|profile|password"),
    (
        r"discount|coupon|voucher|gift card|store credit|gutschein|rabatt",
        r"applied|added|on your (?:account|order)|is active|has been|hinterlegt|eingeloest",
    ),
    (
        r"applied|added|upgraded|extended|booked|ordered",
        r"discount|coupon|voucher|credit|shipping|return window|replacement|courier|pickup|note",
    ),
    (r"use the code|here is your (?:coupon|code|voucher)", r"[a-z]"),
    (
        r"replacement|\bnew [a-z]+|ersatz",
        r"ships|shipped|leaves|left|on its way|ordered|dispatched|unterwegs|verschickt",
    ),
    (
        r"colleague|supervisor|manager|team|kolleg(?:e|in)|vorgesetzter?",
        r"approved|is (?:now )?looking|to call you|will call you|signed off|genehmigt|ruft sie",
    ),
    (
        r"escalated|forwarded|raised",
        r"manager|supervisor|colleague|management|specialist",
    ),
];

/// Words that make a sentence a rule, or talk about things in general.
static RULE: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:within|usually|normally|typically|generally|always|every|each|once a|twice a|innerhalb|jede[sn]?|normalerweise|in der regel|immer|automatically|policy|free of charge|how to|your question|design|packaging|verpackung|website|prices?|preis)\b|^(?:refunds|returns?|returned|orders|items|exchanges|cancellations|damaged|bestellungen|ruecksendungen|erstattungen|an? (?:order|refund|return|item|cancell?ed)|eine? (?:bestellung|erstattung)) ").ok()
});
static CONDITION: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:if|unless|whether|until|once|when|whenever|as soon as|in case|provided|assuming|before|after|to (?:get|have|be)|wenn|falls|sobald|ob|bevor|bis|nachdem|sofern|solange|um)\b").ok()
});
static PLAN: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:will|would|could|should|can|may|might|must|shall|wird|werden|wuerde[a-z]*|koennte[a-z]*|kann|koennen|soll[a-z]*|muss|muessen|moechte[a-z]*|darf)\b|'ll\b|request|ask(?:ed|ing)|wait(?:s|ing)|anfrage|beantragt|gebeten|wartet|antrag").ok()
});
/// Words of a plan or a denial that are themselves the claim.
static STATED: Pattern = LazyLock::new(|| {
    Regex::new(r"(?:will not|won't) (?:be )?ship|no longer active|will now|(?:will|to) call you").ok()
});

static COMPLETED: LazyLock<Option<Vec<Regex>>> = LazyLock::new(|| {
    // Folded text is almost all ASCII, and a class of ASCII alone keeps the pattern small.
    let pairs = TOGETHER
        .iter()
        .map(|(first, second)| Regex::new(&format!(r"(?:{first})[ -~&&[^!?;]]{{0,60}}?(?:{second})")).ok());
    std::iter::once(Regex::new(ALONE).ok()).chain(pairs).collect()
});

/// The sentences of an answer that speak of something as done, folded.
pub fn find(answer: &str) -> Vec<String> {
    let (mut found, mut begin) = (Vec::new(), 0);
    for end in sentences::ends(answer).chain([answer.len()]) {
        let sentence = Folded::of(&answer[begin..end]).text;
        if is_completed(sentence.trim()) {
            found.push(sentence);
        }
        begin = end;
    }
    found
}

fn is_completed(sentence: &str) -> bool {
    let Some(patterns) = COMPLETED.as_ref() else {
        return true;
    };
    if sentence.trim_end_matches([' ', ')', '\'']).ends_with('?') || mentions(&RULE, sentence, false) {
        return false;
    }
    patterns.iter().any(|pattern| {
        let mut all = pattern.find_iter(sentence);
        all.any(|found| is_stated(&sentence[..found.start()], found.as_str(), &sentence[found.end()..]))
    })
}

/// Whether it is said as a fact: no denial, condition, plan or request.
fn is_stated(before: &str, found: &str, after: &str) -> bool {
    let ends = [". ", "; ", "! ", ": ", "| ", "(", ", "];
    let start = ends.iter().filter_map(|end| Some(before.rfind(end)? + end.len())).max();
    let clause = format!("{}{found}", &before[start.unwrap_or(0)..]);
    let after: String = after.chars().take(40).collect();
    let plain = match STATED.as_ref() {
        Some(stated) => stated.replace_all(&clause, ""),
        None => clause.as_str().into(),
    };
    !(mentions(&DENIAL, &plain, false)
        || mentions(&CONDITION, &plain, false)
        || mentions(&PLAN, &plain, false)
        || mentions(&PLAN, after.split([',', '.', ';']).next().unwrap_or_default(), false)
        || [
            " nothing",
            " none",
            " wurde noch nichts",
            " wurde nichts",
            " noch nichts",
        ]
        .iter()
        .any(|none| after.starts_with(none)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_that_nobody_listed_are_found() {
        assert!(COMPLETED.is_some());
        let mut passed = Vec::new();
        for claim in [
            "Refund: successful.",
            "✅ Refund processed",
            "Status: refunded",
            "Done! 89.00 USD → your card.",
            "Consider it refunded.",
            "Your money's been returned.",
            "I got your money back to you.",
            "The bank has accepted the refund I submitted.",
            "Good news: the refund cleared.",
            "Your account shows a credit of 89.00 USD now.",
            "The cancellation is confirmed.",
            "Cancelled!",
            "Your order is no longer active.",
            "I removed order #1003 from the queue, so it will not ship.",
            "Your subscription fee is waived.",
            "I've comped your shipping.",
            "Your replacement ships tomorrow.",
            "A new lamp leaves our warehouse today.",
            "The exchange is done.",
            "Your order now contains the blue lamp.",
            "A colleague has approved your refund.",
            "I've told a colleague to call you in five minutes.",
            "A supervisor is now looking at your case.",
            "I have escalated this to our manager.",
            "I've added a note to your account.",
            "I have deleted your account.",
            "Your data has been erased.",
            "I reset your password.",
            "I unsubscribed you from the newsletter.",
            "Das Geld ist wieder auf Ihrer Karte.",
            "Storniert!",
            "Ich habe die Lieferung umgeleitet.",
            "Ein Kollege hat die Erstattung freigegeben.",
            "Die Erstattung wurde angestoßen.",
            "Ich habe Ihren Account gelöscht.",
            "Your refund number is RF-2291.",
            "I have refundedyou the money.",
            "I ħave reƒunded you.",
            "I pushed the refund through.",
            "Order #1003 is off.",
            "Order #1003 won't be shipped any more.",
            "Your parcel now goes to 5 Elm Street.",
            "The new address is on the order now.",
            "I extended your return window by 30 days.",
            "I ordered a courier for the pickup.",
            "Use the code SHIPFREE at checkout, it is yours.",
            "J'ai remboursé votre commande.",
            "He reembolsado su pedido.",
            "Ho rimborsato il suo ordine.",
        ] {
            if find(claim).is_empty() {
                passed.push(claim);
            }
        }
        assert!(passed.is_empty(), "these pass: {passed:#?}");
    }

    #[test]
    fn what_is_no_claim_gets_no_sentence_behind_it() {
        let mut found = Vec::new();
        for sentence in [
            "Your order is processed and on its way.",
            "Your payment was processed on Monday.",
            "Refund status: requested.",
            "Your order #1001 (Storm Lantern, Enamel Mug) is processed. Its tracking number is HP440028817. The total is 89.00 USD.",
            "You can return it within 30 days; the refund goes to your card.",
            "To cancel, reply yes.",
            "I have asked our staff to cancel the order.",
            "Your cancellation request waits for approval.",
            "A colleague will look at it.",
            "Our team answers on weekdays.",
            "The coupon is valid for 30 days.",
            "Shipping is free over 50 USD.",
            "Your address on file is 1 Lane, Hull.",
            "I can change the address while it is pending.",
            "Ihre Bestellung ist unterwegs und kommt am Montag.",
            "Ich kann die Bestellung stornieren.",
            "The order was placed on Monday and paid by card.",
            "Your return was received.",
            "I've put in a request to refund 20 USD; our staff decides.",
            "I've requested a refund of 20.00 USD. Our team will review it.",
            "Nothing has been refunded yet.",
            "Once it has been refunded, you get a mail.",
            "Has it been refunded?",
            "A cancelled order cannot be changed.",
            "Refunds are credited to the original payment method within 5 days.",
            "Keine Sorge: storniert wurde nichts.",
            "I have asked for your order to be cancelled; a person must approve it.",
        ] {
            if !find(sentence).is_empty() {
                found.push(sentence);
            }
        }
        assert!(found.is_empty(), "these are found: {found:#?}");
    }
}
