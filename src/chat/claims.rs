//! Claims of the model that are checked: that something was done.
//!
//! A model cannot do anything by itself. A sentence that says something was refunded, cancelled or changed is let through when a tool's result
//! or a note on a proposal in this conversation bears it out, and is replaced by a true sentence otherwise. The patterns know English and
//! German and many phrasings, not every one: they catch what models usually say, and nobody should rely on them alone.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{
    evidence::{Deed, Evidence, SeenOrder, numbers},
    folding::Folded,
    links,
    phrases::{self, Act, Kind},
};
use crate::language::{Language, LocalizedText};

/// What stands in the place of a claim that nothing bears out. True whatever the claim was: the assistant only ever asks.
pub(super) const NOT_DONE: LocalizedText = LocalizedText {
    en: "I have not done that myself: a change is made only once it has been approved, and you are told here when it is.",
    de: "Das habe ich nicht selbst getan: Eine Änderung geschieht erst, wenn sie genehmigt ist, und Sie erfahren es dann hier.",
};

/// A pattern that is compiled once; none if it does not compile, which no caller takes for "does not match".
type Pattern = LazyLock<Option<Regex>>;

/// Words that sound like a denial or a condition and are none.
static IDIOM: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:no\.? ?#?[a-z]*[0-9]|no (?:problem|worries|trouble|doubt|longer than)|not (?:only|to worry|a problem)|once (?:more|again)|as soon as possible|without [a-z]+|if i may|kein(?:e|en)? (?:problem|sorge|zweifel|thema)|nicht nur|bis (?:heute|morgen|bald|dann))").ok()
});
static DENIAL: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:not|never|nothing|none|no|nobody|neither|nor|cannot|nicht|nichts|nie|niemals|kein[a-z]*|niemand|weder)\b|n't\b").ok()
});
static CONDITION: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:if|unless|whether|until|once|when|whenever|as soon as|in case|provided|assuming|(?:before|after) (?:i|we|you|it|they|your|the|an?|this|that)|wenn|falls|sobald|ob|bevor|bis|nachdem|sofern|solange)\b").ok()
});
static MODAL: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:will|would|could|should|can|may|might|must|shall|wird|werden|wuerde[a-z]*|koennte[a-z]*|kann|koennen|soll[a-z]*|muss|muessen|moechte[a-z]*|darf)\b|'ll\b").ok()
});
/// What makes a rule of a sentence in the present.
static HABIT: Pattern = LazyLock::new(|| {
    Regex::new(r"^(?:[^,;:|]*\b(?:within|usually|normally|typically|generally|always|innerhalb|normalerweise|ueblicherweise|in der regel|immer)\b|(?: [a-z]+)?,? (?:if|unless|once|when|until|as soon as|wenn|falls|sofern|sobald)\b)").ok()
});
/// One certain thing: `refunds are` speaks of all of them, `your refunds are` does not.
static CERTAIN: Pattern = LazyLock::new(|| {
    Regex::new(
        r"\b(?:your|the|you|they|these|those|both|this|that|it|we|ihre?[a-z]*|die|diese|sie|alle|beide)\b|#|[0-9]",
    )
    .ok()
});
static ANY: Pattern = LazyLock::new(|| Regex::new(r"\b(?:an?|each|every|any|anything|such|eine?|jede[a-z]*)\b").ok());
/// What changes by itself, or by the store's will.
static NOT_OURS: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:prices?|stock|availability|polic(?:y|ies)|terms|hours|tracking|estimate|preis[a-z]*|bestand|verfuegbarkeit|agb|oeffnungszeiten|lieferdatum)\b|\bsich\b").ok()
});
/// What a thing's word may be a part of: a refund policy is no refund.
static PART: Pattern = LazyLock::new(|| {
    Regex::new(r"^[ -](?:requests?|polic(?:y|ies)|options?|forms?|links?|details?|status|labels?|pages?|rules?|terms|werden|worden sein|zu werden|nothing|none|no|neither)\b").ok()
});
static QUESTION: Pattern = LazyLock::new(|| {
    Regex::new(r"^[^a-z]*(?:has|have|had|is|are|was|were|did|do|does|should|shall|can|could|would|will|may|when|why|where|what|how|who|which|wurden?|ist|sind|hat|haben|habe ich|soll[a-z]*|kann|wann|warum|wieso|wie|wer|was)\b").ok()
});
static VERB: Pattern = LazyLock::new(|| {
    Regex::new(
        r";|\b(?:is|are|was|were|has|have|had|will|while|but|whereas|ist|sind|wurden?|hat|haben|wird|aber|waehrend)\b",
    )
    .ok()
});
/// A request that was passed on is what the assistant does, whatever it asks for.
static PASSED_ON: Pattern = LazyLock::new(|| {
    Regex::new(r"\brequest\b.*\b(?:sent|made|created|started|initiated|submitted|passed)$|\banfrage\b.*\b(?:geschickt|gesendet|gestellt|eingeleitet)$").ok()
});
static ADDRESS: Pattern = LazyLock::new(|| Regex::new(r"address|adresse|anschrift|\bsend order\b|\bsenden an\b").ok());
static TAG: Pattern = LazyLock::new(|| Regex::new(r"(?i)</?[a-z][^<>]{0,40}>").ok());

/// Whether the pattern matches; `fallback` where it did not compile, which each caller chooses so that the claim stands.
fn says(pattern: &Pattern, text: &str, fallback: bool) -> bool {
    pattern.as_ref().map_or(fallback, |pattern| pattern.is_match(text))
}

/// A sentence, folded, of which the part before `new` has been judged.
struct Sentence<'a> {
    text: &'a str,
    new: usize,
    asks: bool,
}

/// A claim that a pattern has found in a sentence.
struct Claim<'a> {
    sentence: &'a Sentence<'a>,
    found: Match<'a>,
    /// A verb in the present, or where one is left out.
    now: Option<Match<'a>>,
    is_own: bool,
    kind: Kind,
}

/// Whether the sentence `before` and `rest` make claims in `rest` what the evidence does not bear out.
fn is_unfounded(before: &str, rest: &str, evidence: &Evidence) -> bool {
    let visible = |text: &str| match TAG.as_ref() {
        Some(tag) => Folded::of(&tag.replace_all(text, "")).text,
        None => Folded::of(text).text,
    };
    let (said, whole) = (visible(before), visible(&format!("{before}{rest}")));
    if !says(&phrases::KEYWORD, &whole, true) {
        return false;
    }
    let asks = whole
        .trim_end_matches(|c: char| c.is_whitespace() || c == ')' || c == '\'')
        .ends_with('?');
    let sentence = Sentence {
        text: &whole,
        new: said.len().min(whole.len()),
        asks,
    };
    phrases::ALL.iter().any(|act| sentence.claims(act, evidence))
}

impl Sentence<'_> {
    /// Whether it claims an act that the evidence does not bear out.
    fn claims(&self, act: &Act, evidence: &Evidence) -> bool {
        act.forms.iter().any(|form| {
            let Some(pattern) = &form.pattern else { return true };
            pattern.captures_iter(self.text).any(|found| {
                let now = found.name("now");
                let Some(found) = found.get(0) else { return true };
                let claim = Claim {
                    sentence: self,
                    found,
                    now,
                    is_own: form.is_own,
                    kind: act.kind,
                };
                found.end() > self.new && claim.is_meant() && !claim.is_borne_out(act, evidence)
            })
        })
    }
}

impl<'a> Claim<'a> {
    fn before(&self) -> &'a str {
        &self.sentence.text[..self.found.start()]
    }

    fn after(&self) -> &'a str {
        &self.sentence.text[self.found.end()..]
    }

    /// Whether it is meant as a fact: no denial, condition, plan, question or rule.
    fn is_meant(&self) -> bool {
        let matched = self.found.as_str();
        let clause = self.clause();
        let idle = |text: &str| {
            IDIOM
                .as_ref()
                .map_or("".into(), |idiom| idiom.replace_all(text, ""))
                .into_owned()
        };
        let (denied, conditional) = (idle(&format!("{}{matched}", last_part(clause))), idle(clause));
        let near = match self.is_own {
            true => last_words(&conditional, 3),
            false => &conditional,
        };
        let is_other = self.kind == Kind::Change && says(&NOT_OURS, &format!("{clause}{matched}"), false);
        !(says(&DENIAL, &denied, false)
            || says(&CONDITION, near, false)
            || says(&CONDITION, &idle(matched), false)
            || says(&MODAL, last_words(clause, 2), false)
            || says(&MODAL, matched, false)
            || says(&PART, self.after(), false)
            || says(&PASSED_ON, matched, false)
            || is_other
            || self.is_asked()
            || self.is_rule())
    }

    /// What stands before it in its own clause.
    fn clause(&self) -> &'a str {
        let before = self.before();
        let is_mark = |(at, c): &(usize, char)| match c {
            // Not the mark in `20,00`, nor the one before `dass`.
            ',' | '.' | ':' => {
                let rest = &before[at + 1..];
                rest.starts_with(' ')
                    && !rest.starts_with(" dass ")
                    && !rest.starts_with(" that ")
                    && !rest.starts_with(" ob ")
            }
            ';' | '|' | '!' | '?' | '(' | ')' => true,
            '-' => before[..*at].ends_with(' ') && before[at + 1..].starts_with(' '),
            _ => false,
        };
        let start = before.char_indices().rfind(is_mark);
        start.map_or(before, |(at, _)| &before[at + 1..])
    }

    fn is_asked(&self) -> bool {
        if !self.sentence.asks {
            return false;
        }
        // In "I have cancelled it, anything else?" only what stands behind the last mark is asked.
        let is_last =
            !self.after().contains([',', ';', ':']) && !self.after().contains(" - ") && !self.after().contains(" and ");
        let clause = format!("{}{}", self.clause(), self.found.as_str());
        says(&QUESTION, &clause, false) || is_last && !(self.is_own && self.clause().trim().is_empty())
    }

    /// "Refunds are credited within 5 days" is a rule of the store, "your refund is credited" is not.
    fn is_rule(&self) -> bool {
        let Some(now) = self.now else { return false };
        let matched = self.found.as_str();
        if matched.contains(" been ") {
            return false;
        }
        let clause = self.clause();
        let subject = match now.is_empty() {
            true => "",
            false => &self.sentence.text[self.found.start() - clause.len()..now.start()],
        };
        let is_plural = matches!(now.as_str().trim(), "are" | "sind");
        says(&HABIT, self.after(), false)
            || says(&HABIT, &self.sentence.text[now.end()..self.found.end()], false)
            || is_plural && !says(&CERTAIN, subject, true)
            || says(&ANY, subject, false)
    }

    fn is_borne_out(&self, act: &Act, evidence: &Evidence) -> bool {
        // What a tool said may be repeated word for word.
        if !self.is_own && evidence.holds(self.sentence.text) {
            return true;
        }
        let of_address = says(&ADDRESS, self.sentence.text, true);
        let deed = |deed: &Deed| {
            let is_kind = act.note.as_ref().is_some_and(|note| note.is_match(&deed.text));
            let is_place = self.kind != Kind::Change || !of_address || says(&ADDRESS, &deed.text, false);
            is_kind && is_place && (deed.is_done || self.kind == Kind::Request)
        };
        let seen = |order: &SeenOrder| {
            !self.is_own
                && match self.kind {
                    Kind::Refund => order.is_refunded,
                    Kind::Cancel => order.status == "cancelled",
                    Kind::Change => !of_address && order.status == "pending_items_modified",
                    Kind::Exchange => matches!(&order.status[..], "exchange_requested" | "pending_items_modified"),
                    Kind::Return | Kind::Request => {
                        matches!(&order.status[..], "return_requested" | "exchange_requested")
                    }
                    Kind::Coupon => false,
                }
        };
        let named = match self.kind {
            // The notes of these name no order, or the claim is of any act.
            Kind::Coupon => Vec::new(),
            _ => self.named(),
        };
        let any = evidence.deeds.iter().any(deed) || evidence.orders.iter().any(seen);
        match named.is_empty() {
            true => any,
            false => named.iter().all(|number| {
                let about = |one: &Deed| one.numbers.contains(number) && deed(one);
                let of = |order: &SeenOrder| order.number.as_ref() == Some(number) && seen(order);
                evidence.deeds.iter().any(about) || evidence.orders.iter().any(of)
            }),
        }
    }

    /// The numbers of the orders that it is about.
    fn named(&self) -> Vec<String> {
        let verbs = |text: &'a str| VERB.iter().flat_map(move |verb| verb.find_iter(text));
        let before = verbs(self.before())
            .last()
            .map_or(self.before(), |verb| &self.before()[verb.end()..]);
        let after = match verbs(self.after()).next() {
            // The subject of the next verb is another's.
            Some(verb) => {
                let own = &self.after()[..verb.start()];
                let ends = [own.rfind(','), own.rfind(" and "), own.rfind(" und ")];
                own.split_at(ends.into_iter().flatten().max().unwrap_or(0)).0
            }
            None => self.after(),
        };
        let matched = self.found.as_str();
        let (passive, active) = (
            numbers(&format!("{before}{matched}")),
            numbers(&format!("{matched}{after}")),
        );
        match (self.is_own && !active.is_empty()) || passive.is_empty() {
            true => active,
            false => passive,
        }
    }
}

/// What stands behind the last word that joins two sentences.
fn last_part(clause: &str) -> &str {
    let joints = [
        " and ",
        " or ",
        " but ",
        " so ",
        " because ",
        " und ",
        " oder ",
        " aber ",
    ];
    let ends = joints
        .iter()
        .filter_map(|joint| Some(clause.rfind(joint)? + joint.len() - 1));
    &clause[ends.max().unwrap_or(0)..]
}

fn last_words(text: &str, count: usize) -> &str {
    let words = text.trim_end();
    let start = words.rmatch_indices(' ').nth(count - 1);
    start.map_or(words, |(at, _)| &words[at..])
}

/// The end of a sentence as it may go out; none where it may as it is. `before` is what of the sentence has gone out, `hosts` are the
/// store's own.
pub(super) fn check(
    before: &str,
    rest: &str,
    (evidence, hosts): (&Evidence, &[String]),
    language: Language,
) -> Option<String> {
    if is_unfounded(before, rest, evidence) {
        let pause = if before.trim().is_empty() { "" } else { "… " };
        let space = &rest[rest.trim_end().len()..];
        return Some(format!("{pause}{}{space}", NOT_DONE.in_language(language)));
    }
    links::check(rest, &evidence.hosts, hosts)
}

/// How much of `text` may go out by now: whole sentences, and of the one that is not at its end what stands before any word that a claim or a
/// link may rest on. A sentence that never ends is cut.
pub(super) fn may_go(text: &str) -> usize {
    const LONGEST: usize = 600;
    let whole = end_of_sentences(text);
    let rest = &text[whole..];
    if rest.len() > LONGEST {
        return text.len();
    }
    let folded = Folded::of(rest);
    let keyword = match phrases::KEYWORD.as_ref() {
        Some(keyword) => keyword.find(&folded.text).and_then(|found| folded.place(found.start())),
        None => Some(0),
    };
    // What adorns the word waits with it.
    let keyword = keyword.map(|at| {
        rest[..at]
            .rfind(char::is_whitespace)
            .map_or(0, |at| rest.ceil_char_boundary(at + 1))
    });
    let held = keyword.into_iter().chain(links::begins(rest)).min();
    whole + held.unwrap_or(rest.len())
}

/// What ends a sentence: a mark with a space behind it, which is not the one of a day or of an order's number, or a blank line, or a line's
/// end before the next entry of a list, row of a table, heading or quotation. The end is the match's, or the group's.
static END: Pattern = LazyLock::new(|| {
    Regex::new(r#"(?:[.!?…]+[*_~`"'”’»)\]]*)\s+|\n[ \t\r]*\n\s*|(?P<line>\n)[ \t]*(?:[-*+•]\s|#{1,6}\s|[>|]|[0-9]{1,3}[.)]\s|✅|✔|☑|❌)"#).ok()
});

/// The ends of the sentences in `text`.
pub(super) fn ends(text: &str) -> impl Iterator<Item = usize> {
    let found = END.iter().flat_map(move |end| end.captures_iter(text));
    found.filter_map(move |found| {
        let (all, line) = (found.get(0)?, found.name("line"));
        let before = &text[..all.start()];
        let number = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let is_day = (1..=2).contains(&number) && word.len() == number;
        let is_short = ["no", "nr"].iter().any(|short| word.eq_ignore_ascii_case(short));
        let next = text[all.end()..].chars().next();
        let numbers = is_short && next.is_none_or(|c| c == '#' || c.is_ascii_digit());
        let is_end = !(all.as_str().starts_with('.') && (is_day || numbers));
        is_end.then(|| line.unwrap_or(all).end())
    })
}

/// Where the last whole sentence of `text` ends.
pub(super) fn end_of_sentences(text: &str) -> usize {
    ends(text).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(facts: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        facts.iter().for_each(|fact| evidence.learn(fact));
        evidence
    }

    #[test]
    fn every_pattern_compiles() {
        let patterns = [
            &IDIOM, &DENIAL, &CONDITION, &MODAL, &HABIT, &CERTAIN, &ANY, &NOT_OURS, &PART, &QUESTION, &VERB, &ADDRESS,
            &TAG, &END,
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
        ] {
            assert!(!is_unfounded("", sentence, &knowing(&[])), "{sentence}");
        }
    }

    #[test]
    fn evidence_bears_out_what_it_is_about() {
        let old =
            r##"{"data":{"orders":[{"number":"#1001","status":"cancelled"},{"number":"#1002","status":"pending"}]}}"##;
        let refunded =
            r##"{"data":{"order_number":"#1002","order_status":"delivered","refunds":[{"kind":"refund"}]}}"##;
        let cancelled = "Done: Cancel order #1002 and refund 28.00 USD to gift-mia.";
        let returning = "Done: Return Mug of order #1002, worth 5.00 USD; the refund will go to card-mia.";
        let moved = "Erledigt: Bestellung #1002 senden an: Quay Street 4.";
        let changed = "Done: Change Mug of order #1002; the difference of 2.00 USD goes by card-mia.";
        for (sentence, fact) in [
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

    #[test]
    fn sentences_end_where_people_see_an_end() {
        for (text, end) in [
            ("One. Two", 5),
            ("One", 0),
            ("at 12.50 USD", 0),
            ("a\nb", 0),
            ("a\n\nb", 3),
            ("a\n- b", 2),
            ("a\n**b", 0),
            ("**One.** Two", 9),
            ("Refund: done", 0),
            ("am 3. Mai", 0),
            ("Order No. 1001 is", 0),
            ("No. Sorry", 4),
            ("See https://a.example/x.y", 0),
            ("Done! ", 6),
        ] {
            assert_eq!(end_of_sentences(text), end, "{text}");
        }
    }
}
