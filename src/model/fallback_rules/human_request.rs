//! Whether a shopper wants a person. It is heard before any model is asked, so that nobody has to talk a model into it.

use super::{
    clauses::clauses,
    vocabulary::{
        NEGATION, PERSON_ACTS, PERSON_ALONE, PERSON_DE, PERSON_TALK, SPEAK_TO_PERSON, WANT_PERSON, WHO_IS_THERE, has,
    },
};

/// Whether a message asks for a person: plainly, and not as a question about who is there.
pub fn wants_person(message: &str) -> bool {
    clauses(message)
        .iter()
        .any(|clause| is_wanted(&clause.words) && !clause.stays_denied && !has(&NEGATION, &clause.words))
}

/// Whether a clause asks for a person, whatever it denies.
pub(super) fn is_wanted(words: &str) -> bool {
    if has(&PERSON_ALONE, words) {
        return true;
    }
    let asks = [&SPEAK_TO_PERSON, &WANT_PERSON, &PERSON_ACTS, &PERSON_DE]
        .iter()
        .any(|pattern| has(pattern, words));
    asks && !has(&PERSON_TALK, words) && (!has(&WHO_IS_THERE, words) || has(&PERSON_ACTS, words))
}

/// Whether a clause asks if a person is there.
pub(super) fn is_asked_about(words: &str) -> bool {
    has(&WHO_IS_THERE, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_wish_for_a_person_is_heard() {
        for text in [
            "I want to talk to a person",
            "person",
            "Human please!",
            "agent",
            "Can I speak with someone from your team?",
            "Connect me to a real human.",
            "I need an agent now",
            "put me through to customer service",
            "Is there a human I can talk to?",
            "Could a person help me?",
            "This is useless, let me speak to your manager",
            "I'd rather talk to a human being",
            "Ich möchte mit einem Menschen sprechen.",
            "Mitarbeiter bitte",
            "Kann ich mit jemandem reden?",
            "Verbinden Sie mich mit einem Mitarbeiter",
            "Ich brauche einen echten Menschen",
            "Bitte mit dem Kundenservice verbinden",
            "Mensch",
            "ich will einen Mitarbeiter sprechen",
            "No bots, I want a human",
        ] {
            assert!(wants_person(text), "{text}");
        }
    }

    #[test]
    fn talk_of_persons_is_no_wish_for_one() {
        for text in [
            "Is a person reading this?",
            "Are you a human?",
            "Am I talking to a person?",
            "Does a person check my return?",
            "I do not want to talk to a person",
            "I talked to an agent yesterday",
            "Why do I have to talk to a person?",
            "Do you have cleaning agents?",
            "How many persons fit in the tent?",
            "Is the lantern safe for a person with asthma?",
            "I ordered for another person",
            "Staff discount?",
            "Liest das ein Mensch?",
            "Bist du ein Mensch?",
            "Ich habe gestern mit einem Mitarbeiter gesprochen",
            "Ich möchte keinen Mitarbeiter sprechen",
            "Wo ist meine Bestellung #1001?",
            "I need a gift for a person who sails",
            "a human hair wig",
            "Could someone help me return #1002?",
            "Please hand the parcel to the person next door",
            "Transfer my gift card to another person",
            "Ich brauche ein Geschenk für eine Person",
            "Bitte schicken Sie es an eine andere Person",
            "Kann mir jemand sagen, wo mein Paket ist?",
            "Hat der Mitarbeiter das Paket geholt?",
        ] {
            assert!(!wants_person(text), "{text}");
        }
    }
}
