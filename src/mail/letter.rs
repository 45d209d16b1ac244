//! A letter: the content of a mail, apart from its layout. Templates are checked at compile time, and HTML escapes whatever comes from
//! people.

use askama::Template;

use super::MailError;
use crate::language::Language;

/// The content of a mail.
// No `Debug`: it holds private data.
#[derive(Clone, Default)]
pub(super) struct Letter {
    pub subject: String,
    pub greeting: String,
    pub paragraphs: Vec<String>,
    /// A code to type, shown set apart.
    pub highlight: Option<String>,
    pub link: Option<String>,
    /// Names and values, one line each.
    pub facts: Vec<(String, String)>,
    /// Small print.
    pub notes: Vec<String>,
    pub closing: String,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    language: Language,
    letter: &'a Letter,
}

impl Letter {
    /// Renders the letter as plain text and as HTML.
    pub fn render(&self, language: Language) -> Result<(String, String), MailError> {
        let (text, html) = (Text { letter: self }, Html { language, letter: self });
        let unwritable = |error: askama::Error| MailError::Unwritable(error.to_string());
        Ok((text.render().map_err(unwritable)?, html.render().map_err(unwritable)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_shows_what_people_wrote_as_text() {
        for nasty in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "{{7*7}}",
            "{% include \"x\" %}",
            "javascript:alert(1)",
        ] {
            let letter = Letter {
                subject: nasty.into(),
                greeting: nasty.into(),
                paragraphs: vec![nasty.into()],
                facts: vec![(nasty.into(), nasty.into())],
                notes: vec![nasty.into()],
                closing: nasty.into(),
                ..Letter::default()
            };
            let (text, html) = letter.render(Language::EN).expect("renders");
            assert!(text.contains(nasty), "plain text says it as it is");
            assert!(
                !html.contains("<script>") && !html.contains("<img") && !html.contains("49"),
                "{html}"
            );
        }
    }
}
