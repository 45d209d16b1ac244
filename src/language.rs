//! The languages that the service itself speaks.
//!
//! To add one: a variant and a tag here, a field of [`LocalizedText`], a file in `mail/words`, and a migration that allows it. The
//! compiler names every sentence that is missing then.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The same tags are checked in the database.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Language {
    En,
    De,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The one that an `Accept-Language` (RFC 9110, 12.5.4) likes best; none where it names none of ours.
    pub fn accepted(header: &str) -> Option<Self> {
        let liked = |entry: &str| {
            let (range, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let primary = range.trim().split('-').next()?.to_ascii_lowercase();
            let quality = match parameters.trim().strip_prefix("q=") {
                Some(quality) => quality.trim().parse::<f32>().ok()?,
                None => 1.0,
            };
            Some((primary.parse::<Self>().ok()?, quality)).filter(|(_, quality)| *quality > 0.0)
        };
        // Of equals the first: `max_by` would take the last.
        header
            .split(',')
            .filter_map(liked)
            .rev()
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map(|(liked, _)| liked)
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(tag: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|language| language.tag() == tag).ok_or(())
    }
}

/// One thing, said in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LocalizedText<T = &'static str> {
    pub en: T,
    pub de: T,
}

impl<T> LocalizedText<T> {
    pub fn from_fn(say: impl Fn(Language) -> T) -> Self {
        Self {
            en: say(Language::En),
            de: say(Language::De),
        }
    }

    pub fn in_language(&self, language: Language) -> &T {
        match language {
            Language::En => &self.en,
            Language::De => &self.de,
        }
    }

    /// What is made of it in each language.
    pub fn each<U>(&self, make: impl Fn(Language, &T) -> U) -> LocalizedText<U> {
        LocalizedText::from_fn(|language| make(language, self.in_language(language)))
    }
}

impl LocalizedText<&'static str> {
    pub fn owned(self) -> LocalizedText<String> {
        self.each(|_, text| (*text).to_owned())
    }
}

impl Money {
    /// As people write it in this language.
    pub fn in_language(self, language: Language) -> String {
        match language {
            Language::En => self.to_string(),
            Language::De => format!("{} {}", self.amount().replace('.', ","), self.currency),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_language_a_browser_likes_best_is_taken_if_it_is_one_of_ours() {
        for (header, language) in [
            ("de", Some(Language::De)),
            ("de-CH, de;q=0.9, en;q=0.8", Some(Language::De)),
            ("fr, en;q=0.5, de;q=0.7", Some(Language::De)),
            ("EN-us", Some(Language::En)),
            ("en, de", Some(Language::En)),
            ("de;q=0, en;q=0.1", Some(Language::En)),
            ("fr-FR", None),
            ("*", None),
            ("", None),
            ("de;q=much", None),
            ("den", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(header in "\\PC{0,80}", quality in "[-0-9.eNaif]{0,8}") {
            Language::accepted(&header);
            Language::accepted(&format!("de;q={quality}, {header}"));
        }
    }
}
