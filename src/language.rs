//! The languages of the service: one for each folder of `locales/`. Adding a folder adds a language.

mod catalogue;

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sqlx::{Decode, Encode, Postgres, encode::IsNull, error::BoxDynError, postgres::PgTypeInfo};

pub use catalogue::Value;

use crate::money::Money;

/// A language that the service has texts for. It is written as its BCP 47 tag everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(usize);

impl Language {
    /// English, the language that every text is written in first.
    pub const EN: Self = Self(0);

    /// Every language, English first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..catalogue::ALL.len()).map(Self)
    }

    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        catalogue::ALL[self.0].tag
    }

    /// The language that an `Accept-Language` header (RFC 9110, 12.5.4) prefers; none where it names none that we have.
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
        // Of equal weights the first counts: `max_by` would take the last.
        header
            .split(',')
            .filter_map(liked)
            .rev()
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map(|(liked, _)| liked)
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        Self::all()
            .find(|language| language.tag() == tag)
            .ok_or(UnknownLanguage)
    }
}

/// The service has no texts in this language.
#[derive(Debug, thiserror::Error)]
#[error("this language is not spoken here")]
pub struct UnknownLanguage;

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = Cow::<'de, str>::deserialize(deserializer)?;
        tag.parse().map_err(|_| {
            let spoken: Vec<&str> = Self::all().map(Self::tag).collect();
            D::Error::custom(format!("unknown language, expected one of {}", spoken.join(", ")))
        })
    }
}

impl sqlx::Type<Postgres> for Language {
    fn type_info() -> PgTypeInfo {
        <str as sqlx::Type<Postgres>>::type_info()
    }

    fn compatible(known: &PgTypeInfo) -> bool {
        <str as sqlx::Type<Postgres>>::compatible(known)
    }
}

impl<'q> Encode<'q, Postgres> for Language {
    fn encode_by_ref(&self, buffer: &mut sqlx::postgres::PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<'_, Postgres>>::encode_by_ref(&self.tag(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Language {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(<&str as Decode<'r, Postgres>>::decode(value)?.parse()?)
    }
}

impl schemars::JsonSchema for Language {
    fn schema_name() -> Cow<'static, str> {
        "Language".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let tags: Vec<&str> = Self::all().map(Self::tag).collect();
        schemars::json_schema!({ "type": "string", "enum": tags })
    }
}

impl utoipa::PartialSchema for Language {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Self::all().map(Self::tag)))
            .description(Some("The same tags are checked in the database."))
            .into()
    }
}

impl utoipa::ToSchema for Language {
    fn name() -> Cow<'static, str> {
        "Language".into()
    }
}

/// The key of a text in the catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextKey(pub &'static str);

/// A key is serialised as its text in each language.
impl Serialize for TextKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.everywhere().serialize(serializer)
    }
}

impl TextKey {
    /// The text in one language.
    pub fn in_language(self, language: Language) -> String {
        self.with(language, &[])
    }

    /// The text in one language, with its placeholders filled in.
    pub fn with(self, language: Language, values: &[(&str, Value<'_>)]) -> String {
        text(language, self.0, values)
    }

    /// An attribute of the text; none where it has no such attribute.
    pub fn attribute(self, language: Language, name: &str, values: &[(&str, Value<'_>)]) -> Option<String> {
        catalogue::ALL[language.0].text(self.0, Some(name), values)
    }

    /// The text in every language.
    pub fn everywhere(self) -> LocalizedText {
        LocalizedText::from_fn(|language| self.in_language(language))
    }

    /// The text in every language, with its placeholders filled in.
    pub fn everywhere_with(self, values: &[(&str, Value<'_>)]) -> LocalizedText {
        LocalizedText::from_fn(|language| self.with(language, values))
    }
}

/// A text whose key is put together at run time, such as a state's. A key that no catalogue has is a bug: then the key itself is returned.
pub fn text(language: Language, key: &str, values: &[(&str, Value<'_>)]) -> String {
    catalogue::ALL[language.0].text(key, None, values).unwrap_or_else(|| {
        tracing::error!(key, "there is no such message");
        key.to_owned()
    })
}

/// Every text of one file of a language's folder, such as `widget.ftl`, by its key.
pub fn file(language: Language, name: &str, values: &[(&str, Value<'_>)]) -> Vec<(&'static str, String)> {
    let keys = catalogue::ALL[language.0].keys(name).into_iter();
    keys.map(|key| (key, text(language, key, values))).collect()
}

/// A text in every language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalizedText(BTreeMap<Language, String>);

impl LocalizedText {
    pub fn from_fn(say: impl Fn(Language) -> String) -> Self {
        Self(Language::all().map(|language| (language, say(language))).collect())
    }

    pub fn in_language(&self, language: Language) -> &str {
        self.0.get(&language).map(String::as_str).unwrap_or_default()
    }
}

impl Money {
    /// The amount as people write it in this language.
    pub fn in_language(self, language: Language) -> String {
        let amount = self
            .amount()
            .replace('.', &TextKey("decimal-separator").in_language(language));
        let currency = self.currency.to_string();
        TextKey("money").with(language, &[("amount", amount.into()), ("currency", currency.into())])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_language_a_browser_likes_best_is_taken_if_it_is_one_of_ours() {
        let (de, en) = ("de".parse().ok(), Some(Language::EN));
        for (header, language) in [
            ("de", de),
            ("de-CH, de;q=0.9, en;q=0.8", de),
            ("fr, en;q=0.5, de;q=0.7", de),
            ("EN-us", en),
            ("en, de", en),
            ("de;q=0, en;q=0.1", en),
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
