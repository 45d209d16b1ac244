//! The texts of mails: subject, paragraphs and small print from the catalogues (`locales/*/mail.ftl`).

use crate::language::{Language, TextKey, Value};

/// A mail's subject, paragraphs and small print.
pub(super) struct MailText {
    pub subject: String,
    pub paragraphs: Vec<String>,
    pub notes: Vec<String>,
}

/// The text of a mail: the message itself is the subject, its attributes `.p1`, `.p2`, … are the paragraphs and `.note1`, … the small
/// print. An empty paragraph is left out.
pub(super) fn mail_text(key: TextKey, language: Language, values: &[(&str, Value<'_>)]) -> MailText {
    let parts = |name: &str| {
        let part = |number| key.attribute(language, &format!("{name}{number}"), values);
        (1..).map_while(part).filter(|text| !text.is_empty()).collect()
    };
    MailText {
        subject: key.with(language, values),
        paragraphs: parts("p"),
        notes: parts("note"),
    }
}
