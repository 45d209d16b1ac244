//! Checks the model's claims that something was done.
//!
//! A model cannot do anything by itself. A sentence that says something was refunded, cancelled or changed is let through when a tool's
//! result or a note on a proposal in this conversation supports it, and is replaced by a true sentence otherwise. The patterns cover common
//! English and German phrasings, not every one, so nobody should rely on them alone.

pub(super) mod completed;

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{
    evidence::{CompletedAction, Evidence, Progress, SeenOrder, numbers},
    folding::Folded,
    links,
    phrases::{self, Act, Kind},
};
use crate::language::{Language, TextKey};

/// The sentence that replaces an unsupported claim. It is true whatever the claim was: the assistant only ever asks.
pub(super) const NOT_DONE: TextKey = TextKey("not-done");

/// A pattern that is compiled once; none if it does not compile. Callers then assume the result that keeps the check strict.
type Pattern = LazyLock<Option<Regex>>;

/// Phrases that look like a denial or a condition but are neither.
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
/// Words that make a sentence in the present tense a general rule.
static GENERAL_RULE: Pattern = LazyLock::new(|| {
    Regex::new(r"^(?:[^,;:|]*\b(?:within|usually|normally|typically|generally|always|every|each|once a|twice a|yearly|monthly|automatically if|innerhalb|jede[sn]?|jaehrlich|monatlich|normalerweise|ueblicherweise|in der regel|immer)\b|(?: [a-z]+)?,? (?:if|unless|once|when|until|as soon as|wenn|falls|sofern|sobald)\b)").ok()
});
/// Words that point at one certain thing: `your refunds are` does, `refunds are` speaks of all refunds.
static DEFINITE: Pattern = LazyLock::new(|| {
    Regex::new(
        r"\b(?:your|the|you|they|these|those|both|this|that|it|we|ihre?[a-z]*|die|diese|sie|alle|beide)\b|#|[0-9]",
    )
    .ok()
});
static RELATIVE: Pattern = LazyLock::new(|| Regex::new(r"s,? (?:that|which|who|you|we|die|welche)\b").ok());
static ANY: Pattern = LazyLock::new(|| Regex::new(r"\b(?:an?|each|every|any|anything|such|eine?|jede[a-z]*)\b").ok());
/// Things that change by themselves or by the store's decision, so that the claim is not about an action of the assistant.
static NOT_OURS: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:prices?|stock|availability|polic(?:y|ies)|terms|hours|tracking|estimate|carriers?|(?:delivery|arrival|shipping) (?:date|time|window|estimate)|(?:web)?site|page|app|catalogue?|range|design|layout|packaging|description|software|menu|preis[a-z]*|bestand|verfuegbarkeit|agb|oeffnungszeiten|lieferdatum|lieferzeit|zusteller|website|webseite|seite|sortiment|katalog|beschreibung|verpackung|rezeptur)\b|\bsich\b").ok()
});
/// Words that follow the name of a thing and change its meaning: a refund policy is no refund.
static COMPOUND: Pattern = LazyLock::new(|| {
    Regex::new(r"^[ -](?:requests?|polic(?:y|ies)|options?|forms?|links?|details?|status|labels?|pages?|rules?|terms|werden|worden sein|zu werden|nothing|none|no|neither|(?:noch |bisher |bislang )?(?:nichts|niemand|kein(?:e[rsnm]?)?))\b").ok()
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
/// A request that was passed on. The assistant does that, so it is not a claim that the request was carried out.
static PASSED_ON: Pattern = LazyLock::new(|| {
    Regex::new(r"\brequest\b.*\b(?:sent|made|created|started|initiated|submitted|passed)$|\banfrage\b.*\b(?:geschickt|gesendet|gestellt|eingeleitet)$").ok()
});
static ADDRESS: Pattern = LazyLock::new(|| Regex::new(r"address|adresse|anschrift|\bsend order\b|\bsenden an\b").ok());
static TAG: Pattern = LazyLock::new(|| Regex::new(r"(?i)</?[a-z][^<>]{0,40}>").ok());

/// Whether the pattern matches. `fallback` is returned where the pattern did not compile; each caller chooses it so that the claim still
/// counts.
fn mentions(pattern: &Pattern, text: &str, fallback: bool) -> bool {
    pattern.as_ref().map_or(fallback, |pattern| pattern.is_match(text))
}

/// A folded sentence. The part before `new` was checked before.
struct Sentence<'a> {
    text: &'a str,
    new: usize,
    asks: bool,
}

/// A claim that a pattern found in a sentence.
struct Claim<'a> {
    sentence: &'a Sentence<'a>,
    found: Match<'a>,
    /// The verb in the present tense, or the place where one is left out.
    now: Option<Match<'a>>,
    is_own: bool,
    kind: Kind,
}

/// Whether the sentence `before` + `rest` makes a claim in `rest` that the evidence does not support.
fn is_unfounded(before: &str, rest: &str, evidence: &Evidence) -> bool {
    let visible = |text: &str| match TAG.as_ref() {
        Some(tag) => Folded::of(&tag.replace_all(text, "")).text,
        None => Folded::of(text).text,
    };
    let (said, whole) = (visible(before), visible(&format!("{before}{rest}")));
    if !mentions(&phrases::KEYWORD, &whole, true) {
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
    /// Whether the sentence claims an act that the evidence does not support.
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

    /// Whether the claim is stated as a fact: it is no denial, condition, plan, question or rule.
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
        let is_other =
            self.kind == Kind::Change && !self.is_own && mentions(&NOT_OURS, &format!("{clause}{matched}"), false);
        !(mentions(&DENIAL, &denied, false)
            || mentions(&CONDITION, near, false)
            || mentions(&CONDITION, &idle(matched), false)
            || mentions(&MODAL, last_words(clause, 2), false)
            || mentions(&MODAL, matched, false)
            || mentions(&COMPOUND, self.after(), false)
            || mentions(&PASSED_ON, matched, false)
            || is_other
            || self.is_asked()
            || self.is_rule())
    }

    /// The part of the claim's clause that precedes the claim.
    fn clause(&self) -> &'a str {
        let before = self.before();
        let is_mark = |(at, c): &(usize, char)| match c {
            // Not the comma in `20,00`, nor the one before `dass`.
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
        // In "I have cancelled it, anything else?" only the part after the last comma is a question.
        let is_last =
            !self.after().contains([',', ';', ':']) && !self.after().contains(" - ") && !self.after().contains(" and ");
        let clause = format!("{}{}", self.clause(), self.found.as_str());
        mentions(&QUESTION, &clause, false) || is_last && !(self.is_own && self.clause().trim().is_empty())
    }

    /// Whether the claim is a general rule: "Refunds are credited within 5 days" is one, "your refund is credited" is not.
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
        // Of "orders that you cancel" only the first word is the subject.
        let subject = match RELATIVE.as_ref().and_then(|relative| relative.find(subject)) {
            Some(relative) => &subject[..relative.start() + 1],
            None => subject,
        };
        let is_plural = matches!(now.as_str().trim(), "are" | "sind" | "gelten");
        mentions(&GENERAL_RULE, self.after(), false)
            || mentions(&GENERAL_RULE, &self.sentence.text[now.end()..self.found.end()], false)
            || is_plural && !mentions(&DEFINITE, subject, true)
            || mentions(&ANY, subject, false)
    }

    fn is_borne_out(&self, act: &Act, evidence: &Evidence) -> bool {
        // The model may repeat word for word what a tool said.
        if !self.is_own && evidence.holds(self.sentence.text) {
            return true;
        }
        let of_address = mentions(&ADDRESS, self.sentence.text, true);
        let action = |action: &CompletedAction| {
            let is_kind = act.note.as_ref().is_some_and(|note| note.is_match(&action.text));
            let is_place = self.kind != Kind::Change || !of_address || mentions(&ADDRESS, &action.text, false);
            let needed = match self.kind {
                Kind::Request => Progress::Approved,
                Kind::Refund => Progress::Paid,
                _ => Progress::Changed,
            };
            is_kind && is_place && action.progress >= needed
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
            // The notes on coupons name no order.
            Kind::Coupon => Vec::new(),
            _ => self.named(),
        };
        let any = evidence.completed_actions.iter().any(action) || evidence.orders.iter().any(seen);
        match named.is_empty() {
            true => any,
            false => named.iter().all(|number| {
                let about = |one: &CompletedAction| one.numbers.contains(number) && action(one);
                let of = |order: &SeenOrder| order.number.as_ref() == Some(number) && seen(order);
                evidence.completed_actions.iter().any(about) || evidence.orders.iter().any(of)
            }),
        }
    }

    /// The numbers of the orders that the claim is about.
    fn named(&self) -> Vec<String> {
        let verbs = |text: &'a str| VERB.iter().flat_map(move |verb| verb.find_iter(text));
        let before = verbs(self.before())
            .last()
            .map_or(self.before(), |verb| &self.before()[verb.end()..]);
        let after = match verbs(self.after()).next() {
            // What follows belongs to the next verb's own subject.
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

/// The part after the last word that joins two clauses.
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

/// Checks the end of a sentence whose beginning, `before`, was sent already. Returns its replacement, or none where it may be sent as it
/// is. `hosts` are the store's own.
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

#[cfg(test)]
mod tests;
