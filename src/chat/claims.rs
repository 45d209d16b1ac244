//! Claims of the model that are checked: that something was done.
//!
//! A model cannot do anything by itself. A sentence that says something was refunded, cancelled or changed is let through when a tool's result
//! or a note on a proposal in this conversation bears it out, and is replaced by a true sentence otherwise. The patterns know English and
//! German and many phrasings, not every one: they catch what models usually say, and nobody should rely on them alone.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{
    evidence::{Deed, Evidence, Progress, SeenOrder, numbers},
    folding::Folded,
    links,
    phrases::{self, Act, Kind},
};
use crate::language::{Language, TextKey};

/// What stands in the place of a claim that nothing bears out. True whatever the claim was: the assistant only ever asks.
pub(super) const NOT_DONE: TextKey = TextKey("not-done");

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
    Regex::new(r"^(?:[^,;:|]*\b(?:within|usually|normally|typically|generally|always|every|each|once a|twice a|yearly|monthly|automatically if|innerhalb|jede[sn]?|jaehrlich|monatlich|normalerweise|ueblicherweise|in der regel|immer)\b|(?: [a-z]+)?,? (?:if|unless|once|when|until|as soon as|wenn|falls|sofern|sobald)\b)").ok()
});
/// One certain thing: `refunds are` speaks of all of them, `your refunds are` does not.
static CERTAIN: Pattern = LazyLock::new(|| {
    Regex::new(
        r"\b(?:your|the|you|they|these|those|both|this|that|it|we|ihre?[a-z]*|die|diese|sie|alle|beide)\b|#|[0-9]",
    )
    .ok()
});
static RELATIVE: Pattern = LazyLock::new(|| Regex::new(r"s,? (?:that|which|who|you|we|die|welche)\b").ok());
static ANY: Pattern = LazyLock::new(|| Regex::new(r"\b(?:an?|each|every|any|anything|such|eine?|jede[a-z]*)\b").ok());
/// What changes by itself, or by the store's will.
static NOT_OURS: Pattern = LazyLock::new(|| {
    Regex::new(r"\b(?:prices?|stock|availability|polic(?:y|ies)|terms|hours|tracking|estimate|carriers?|(?:delivery|arrival|shipping) (?:date|time|window|estimate)|(?:web)?site|page|app|catalogue?|range|design|layout|packaging|description|software|menu|preis[a-z]*|bestand|verfuegbarkeit|agb|oeffnungszeiten|lieferdatum|lieferzeit|zusteller|website|webseite|seite|sortiment|katalog|beschreibung|verpackung|rezeptur)\b|\bsich\b").ok()
});
/// What a thing's word may be a part of: a refund policy is no refund.
static PART: Pattern = LazyLock::new(|| {
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
        let is_other =
            self.kind == Kind::Change && !self.is_own && says(&NOT_OURS, &format!("{clause}{matched}"), false);
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
        // Of "orders that you cancel" the first word alone says what it is about.
        let subject = match RELATIVE.as_ref().and_then(|relative| relative.find(subject)) {
            Some(relative) => &subject[..relative.start() + 1],
            None => subject,
        };
        let is_plural = matches!(now.as_str().trim(), "are" | "sind" | "gelten");
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
            let needed = match self.kind {
                Kind::Request => Progress::Approved,
                Kind::Refund => Progress::Paid,
                _ => Progress::Changed,
            };
            is_kind && is_place && deed.progress >= needed
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

#[cfg(test)]
mod tests;
