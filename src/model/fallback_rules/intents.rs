//! What a message asks for, clause by clause, and which tool answers it.

use serde_json::{Value, json};

use super::{
    clauses::{Clause, clauses, read},
    human_request, references,
    vocabulary::{
        ASKS, CANCEL_RETURN, CHANGE, FILLERS, FINITE, GOODS, HELP_SUBJECTS, IMPERATIVE, IN_GENERAL, INFINITIVE, MINE,
        MY_ORDER, NEGATION, NOT_GOODS, ORDERS, OTHER_RETURN, OWN, PROFILE, Pattern, REFUND, RETURN, RETURN_RULES,
        RETURN_STATE, RETURN_WORD, START_RETURN, SUPPOSES, WISHES, has,
    },
};

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// A person is to take over.
    Person,
    /// Whether a person is there.
    AskIfHuman,
    /// Goods are to go back. Nothing is proposed for it before a question back is answered.
    Return,
    /// How a return stands.
    ReturnState,
    /// What was paid back.
    Refund,
    /// A change of an order that no rule makes.
    Change,
    /// How an order stands.
    Order,
    Profile,
    /// Goods of the shop, by the words to search for.
    Goods(String),
    /// How things are done here.
    Help,
}

impl Intent {
    fn is_about_orders(&self) -> bool {
        matches!(
            self,
            Self::Return | Self::ReturnState | Self::Refund | Self::Change | Self::Order
        )
    }
}

/// An intent, and the orders that are named with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DetectedIntent {
    pub intent: Intent,
    pub numbers: Vec<String>,
}

/// What a message asks for; nothing where it is not understood.
pub(super) fn intents(message: &str) -> Vec<DetectedIntent> {
    let clauses = clauses(message);
    let mut found: Vec<DetectedIntent> = Vec::new();
    for clause in &clauses {
        let intents = intents_of(clause);
        match found.last_mut() {
            // A number more for what was asked before: "Where are #1001 and #1003?"
            Some(last)
                if intents.is_empty()
                    && last.intent.is_about_orders()
                    && !is_denied(clause)
                    && !has(&ASKS, &clause.words) =>
            {
                last.numbers.extend(clause.numbers.iter().cloned());
            }
            _ if intents.is_empty() && !clause.numbers.is_empty() => found.push(DetectedIntent {
                intent: Intent::Order,
                numbers: clause.numbers.clone(),
            }),
            _ => found.extend(intents.into_iter().map(|intent| DetectedIntent {
                numbers: if intent.is_about_orders() {
                    clause.numbers.clone()
                } else {
                    Vec::new()
                },
                intent,
            })),
        }
    }
    settle(&mut found, &clauses, message);
    found
}

/// Makes one list of what the clauses said: no intent twice, numbers from elsewhere in the message where a clause has none of its own.
fn settle(found: &mut Vec<DetectedIntent>, clauses: &[Clause], message: &str) {
    let mut merged: Vec<DetectedIntent> = Vec::new();
    for detected in found.drain(..) {
        match merged.iter_mut().find(|it| it.intent == detected.intent) {
            Some(known) => known.numbers.extend(detected.numbers),
            None => merged.push(detected),
        }
    }
    let everywhere: Vec<String> = clauses
        .iter()
        .flat_map(|clause| clause.numbers.iter().cloned())
        .collect();
    let named = |detected: &DetectedIntent| detected.intent.is_about_orders() && !detected.numbers.is_empty();
    let is_return = merged.iter().any(|detected| detected.intent == Intent::Return);
    let is_special = merged
        .iter()
        .any(|detected| detected.intent.is_about_orders() && detected.intent != Intent::Order);
    // A return brings its refund with it, and what is known of an order comes with every other question about the same one.
    merged.retain(|detected| match detected.intent {
        Intent::Refund => !is_return,
        Intent::Order => !is_special || named(detected),
        _ => true,
    });
    for detected in &mut merged {
        if detected.intent.is_about_orders() && detected.numbers.is_empty() {
            detected.numbers.clone_from(&everywhere);
        }
        let mut known = Vec::new();
        detected.numbers.retain(|number| {
            let is_new = !known.contains(number);
            known.push(number.clone());
            is_new
        });
    }
    let of_others: Vec<String> = merged
        .iter()
        .filter(|detected| detected.intent.is_about_orders() && detected.intent != Intent::Order)
        .flat_map(|detected| detected.numbers.clone())
        .collect();
    merged.retain(|detected| {
        detected.intent != Intent::Order
            || detected.numbers.is_empty()
            || detected.numbers.iter().any(|number| !of_others.contains(number))
    });
    *found = merged;
    if found.is_empty() {
        found.extend(guess(message));
    }
}

/// What a message without a known word may be: a number alone, the name of goods, a question.
fn guess(message: &str) -> Option<DetectedIntent> {
    let intent = if references::has_digits(message) {
        Intent::Order
    } else if message.trim_end().ends_with(['?', '？']) && has(&ASKS, &read(message)) {
        Intent::Help
    } else {
        return None;
    };
    Some(DetectedIntent {
        intent,
        numbers: Vec::new(),
    })
}

fn is_denied(clause: &Clause) -> bool {
    clause.stays_denied || has(&NEGATION, &clause.words)
}

fn intents_of(clause: &Clause) -> Vec<Intent> {
    let words = &clause.words[..];
    let is_mine = has(&MINE, words);
    let mut found = Vec::new();
    if human_request::is_wanted(words) && !is_denied(clause) {
        return vec![Intent::Person];
    }
    if human_request::is_asked_about(words) {
        return vec![Intent::AskIfHuman];
    }
    if has(&RETURN_RULES, words) {
        return vec![Intent::Help];
    }
    if has(&CANCEL_RETURN, words) && !is_denied(clause) {
        return vec![Intent::Change];
    }
    let is_general = has(&IN_GENERAL, words) && clause.numbers.is_empty();
    // "Can I return something?" asks for the rules; with an order's number or a thing of one's own it is a wish.
    if is_general && !words.contains("status") && !has(&OWN, words) && has(&RETURN_WORD, words) {
        return vec![Intent::Help];
    }
    if wants_return(clause) {
        return vec![Intent::Return];
    }
    let denied_return = is_denied(clause) && has(&RETURN, words);
    if has(&RETURN_STATE, words) && !denied_return {
        found.push(Intent::ReturnState);
    } else if has(&RETURN, words) && has(&ASKS, words) && !has(&OTHER_RETURN, words) {
        return vec![Intent::Help];
    }
    if has(&REFUND, words) && !is_denied_word(clause, &REFUND) {
        match is_general && !has(&MY_ORDER, words) {
            true => return vec![Intent::Help],
            false if !found.contains(&Intent::ReturnState) => found.push(Intent::Refund),
            false => {}
        }
    }
    if has(&CHANGE, words) && !is_denied(clause) {
        match has(&ASKS, words) && is_general && !has(&MY_ORDER, words) {
            true => return vec![Intent::Help],
            false => found.push(Intent::Change),
        }
    }
    if !found.is_empty() {
        return found;
    }
    if has(&ORDERS, words) {
        let general = is_general && !has(&MY_ORDER, words) && !has(&PROFILE, words);
        return vec![if general { Intent::Help } else { Intent::Order }];
    }
    if has(&PROFILE, words) && clause.numbers.is_empty() {
        return vec![Intent::Profile];
    }
    if let Some(goods) = goods(words) {
        return vec![Intent::Goods(goods)];
    }
    if clause.numbers.is_empty() && (has(&HELP_SUBJECTS, words) || (is_general && !is_mine)) {
        return vec![Intent::Help];
    }
    found
}

/// Whether a clause asks for goods to go back: an act, wished or told to be done, not denied, not supposed, not asked about.
fn wants_return(clause: &Clause) -> bool {
    let words = &clause.words[..];
    if clause.stays_denied || has(&SUPPOSES, words) || has(&OTHER_RETURN, words) {
        return false;
    }
    if has(&START_RETURN, words) {
        return !has(&NEGATION, words) && !has(&ASKS, words);
    }
    let Some(act) = RETURN.as_ref().and_then(|act| act.find_iter(words).last()) else {
        return false;
    };
    // "It does not fit I want to return it": what is denied before the request begins is something else.
    let scope = [" i ", " we ", " ich ", " wir "]
        .iter()
        .filter_map(|subject| words[..act.start()].rfind(subject))
        .max()
        .unwrap_or(0);
    let is_german =
        act.as_str().contains("zurueck") || act.as_str().contains("zuruck") || act.as_str().contains("retournieren");
    let request = &words[scope..if is_german { words.len() } else { act.end() }];
    if has(&NEGATION, request) || (scope > 0 && doubts(&words[..scope])) {
        return false;
    }
    if has(&ASKS, request.trim_start()) || has(&ASKS, words) {
        return false;
    }
    has(&WISHES, &words[..if is_german { words.len() } else { act.end() }])
        || words[act.start()..].contains("please")
        || has(&IMPERATIVE, words)
        || has(&INFINITIVE, words) && !has(&FINITE, words.trim_start_matches("ich "))
}

/// "I do not think that I want to".
fn doubts(before: &str) -> bool {
    [
        "think", "believe", "know", "say", "said", "sure", "mean", "glaube", "denke", "weiss", "sicher",
    ]
    .iter()
    .any(|verb| before.contains(verb))
        && has(&NEGATION, before)
}

/// Whether the word at the front is negated: the clause has no earlier word that cancels the negation.
fn is_denied_word(clause: &Clause, pattern: &Pattern) -> bool {
    clause.stays_denied
        || pattern
            .as_ref()
            .and_then(|pattern| pattern.find(&clause.words))
            .is_some_and(|word| {
                let before = &clause.words[..word.start()];
                ["want", "need", "moechte", "will ", "brauche", "ask", "no "]
                    .iter()
                    .any(|verb| before.contains(verb))
                    && has(&NEGATION, &clause.words)
            })
}

/// What a clause about goods is about: the words after "do you have", "price of" and the like, without the ending of a plural.
fn goods(words: &str) -> Option<String> {
    let opening = GOODS.as_ref()?.find(words)?;
    let rest = &words[opening.end()..];
    if has(&NOT_GOODS, rest) {
        return None;
    }
    let words: Vec<&str> = rest
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .filter(|word| !word.is_empty() && !FILLERS.contains(word))
        .map(singular)
        .take(5)
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Strips a plural ending. This is approximate, because the search also matches parts of words.
pub(super) fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(one) if word.len() > 3 && !one.ends_with('s') => one,
        None if word.len() > 5 && word.ends_with("en") => &word[..word.len() - 1],
        _ => word,
    }
}

/// The calls that answer what is asked for. None for what is answered without a look.
pub(super) fn calls<'a>(
    intents: impl Iterator<Item = &'a DetectedIntent>,
    message: &str,
) -> Vec<(&'static str, Value)> {
    let mut found: Vec<(&'static str, Value)> = Vec::new();
    for detected in intents {
        let by_number = match detected.intent {
            Intent::ReturnState | Intent::Refund => "get_refund_status",
            _ => "get_order",
        };
        let calls: Vec<(&'static str, Value)> = match &detected.intent {
            Intent::AskIfHuman => Vec::new(),
            Intent::Person => vec![("hand_off", json!({ "summary": "Asked for a person." }))],
            Intent::Profile => vec![("get_profile", json!({}))],
            Intent::Goods(goods) => vec![("search_products", json!({ "query": goods }))],
            Intent::Help => vec![("search_help", json!({ "query": short(message) }))],
            _ if detected.numbers.is_empty() => vec![("list_orders", json!({}))],
            _ => {
                let call = |number: &String| (by_number, json!({ "order_number": number }));
                detected.numbers.iter().take(3).map(call).collect()
            }
        };
        for call in calls {
            if !found.contains(&call) {
                found.push(call);
            }
        }
    }
    found
}

/// A question as the help search takes it: one line, 200 characters.
fn short(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|c| !crate::text::is_invisible(*c))
        .take(200)
        .collect()
}
