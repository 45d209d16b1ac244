//! What mails say: a subject, paragraphs and small print of the catalogues (`locales/*/mail.ftl`).

use crate::language::{Language, TextKey, Value};

/// A subject, and the paragraphs under it.
pub(super) struct Said {
    pub subject: String,
    pub paragraphs: Vec<String>,
    pub notes: Vec<String>,
}

/// A mail's text: the message itself is the subject, `.p1`, `.p2`, … are its paragraphs and `.note1`, … its small print. A paragraph that is
/// empty is left out.
pub(super) fn say(key: TextKey, language: Language, values: &[(&str, Value<'_>)]) -> Said {
    let parts = |name: &str| {
        let part = |number| key.attribute(language, &format!("{name}{number}"), values);
        (1..).map_while(part).filter(|text| !text.is_empty()).collect()
    };
    Said {
        subject: key.with(language, values),
        paragraphs: parts("p"),
        notes: parts("note"),
    }
}
