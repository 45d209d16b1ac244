//! The message catalogues: every text that people read in the chat, in mails and on pages. They are [Fluent](https://projectfluent.org)
//! files in `locales/`, one folder a language, and are compiled into the program. A test checks that every language has the same messages.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use include_dir::{Dir, include_dir};
use unic_langid::LanguageIdentifier;

static LOCALES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/locales");

/// One language's messages.
pub(super) struct Catalogue {
    /// Its BCP 47 tag, which is its folder's name.
    pub tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

/// The languages, English first, the others by their tags.
pub(super) static ALL: LazyLock<Vec<Catalogue>> = LazyLock::new(|| {
    let mut all: Vec<Catalogue> = LOCALES.dirs().filter_map(read).collect();
    all.sort_by_key(|catalogue| (catalogue.tag != "en", catalogue.tag));
    all
});

fn read(folder: &'static Dir<'static>) -> Option<Catalogue> {
    let tag = folder.path().to_str()?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag.parse::<LanguageIdentifier>().ok()?]);
    // Without Unicode isolation marks around values, which would get in the way of comparing and copying text.
    bundle.set_use_isolating(false);
    for file in folder.files() {
        // A file with an error is read as far as possible; a test finds the error.
        let resource = match FluentResource::try_new(file.contents_utf8()?.to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        bundle.add_resource(resource).ok()?;
    }
    Some(Catalogue { tag, bundle })
}

/// A value for a placeholder of a message.
pub type Value<'a> = FluentValue<'a>;

impl Catalogue {
    /// A message, or one of its attributes, with its placeholders filled in. None where there is no such text.
    pub fn text(&self, key: &str, attribute: Option<&str>, values: &[(&str, Value<'_>)]) -> Option<String> {
        let message = self.bundle.get_message(key)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let arguments: FluentArgs<'_> = values.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut faults = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&arguments), &mut faults);
        for fault in faults {
            tracing::error!(key, language = self.tag, %fault, "a message lacks a value");
        }
        Some(text.into_owned())
    }
}

impl Catalogue {
    /// The keys of the messages in one of its files.
    pub fn keys(&self, file: &str) -> Vec<&'static str> {
        let text = LOCALES
            .get_file(format!("{}/{file}", self.tag))
            .and_then(|file| file.contents_utf8());
        let lines = text.unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .filter(|key| key.starts_with(|c: char| c.is_ascii_alphabetic()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fluent_bundle::FluentResource;
    use regex::Regex;

    use super::*;

    /// Each message and attribute of a language, with the placeholders that it uses.
    fn messages(tag: &str) -> BTreeMap<String, BTreeSet<String>> {
        let folder = LOCALES.get_dir(tag).expect("a folder");
        let mut found = BTreeMap::new();
        let start = Regex::new(r"^(?:([a-zA-Z][a-zA-Z0-9-]*)|    \.([a-z0-9]+)) =").expect("a pattern");
        let values = Regex::new(r"\$([a-z_]+)").expect("a pattern");
        for file in folder.files() {
            let (name, text) = (file.path().display().to_string(), file.contents_utf8().expect("UTF-8"));
            if let Err((_, faults)) = FluentResource::try_new(text.to_owned()) {
                panic!("{name}: {faults:?}");
            }
            let (mut message, mut key) = (String::new(), String::new());
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                if let Some(begins) = start.captures(line) {
                    if let Some(name) = begins.get(1) {
                        message = name.as_str().to_owned();
                    }
                    key = begins
                        .get(2)
                        .map_or(message.clone(), |name| format!("{message}.{}", name.as_str()));
                    let is_new = found.insert(key.clone(), BTreeSet::new()).is_none();
                    assert!(is_new, "{name}: {key} is there twice");
                }
                let named = values.captures_iter(line).map(|value| value[1].to_owned());
                found.entry(key.clone()).or_default().extend(named);
            }
            found.remove("");
        }
        found
    }

    /// Every language has the same keys, and the same placeholders in each.
    #[test]
    fn every_language_says_the_same_messages_with_the_same_values() {
        let english = messages("en");
        assert!(ALL.len() > 1 && english.len() > 150);
        for catalogue in ALL.iter() {
            let (there, mut faults) = (messages(catalogue.tag), Vec::new());
            for key in english.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
                match (english.get(key), there.get(key)) {
                    (Some(one), Some(other)) if one == other => {}
                    // Each language writes a date in its own way, with or without every part.
                    (Some(one), Some(other)) if key == "day" && other.is_subset(one) => {}
                    (one, other) => faults.push(format!("{key}: {one:?} in English, {other:?} in {}", catalogue.tag)),
                }
                let (message, attribute) = key
                    .split_once('.')
                    .map_or((&key[..], None), |(it, name)| (it, Some(name)));
                if catalogue.text(message, attribute, &[]).is_none() {
                    faults.push(format!("{key} cannot be read in {}", catalogue.tag));
                }
            }
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }

    /// Every key that the code uses exists, and every key that exists is used.
    #[test]
    fn the_code_and_the_catalogues_name_the_same_messages() {
        fn sources(folder: &std::path::Path, found: &mut String) {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                match entry.path() {
                    path if path.is_dir() => sources(&path, found),
                    path => found.push_str(&std::fs::read_to_string(path).unwrap_or_default()),
                }
            }
        }
        let mut code = String::new();
        for folder in ["src", "templates"] {
            sources(
                &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
                &mut code,
            );
        }
        let named = Regex::new(r#"TextKey\(\s*"([a-z0-9-]+)"\s*\)"#).expect("a pattern");
        let named: BTreeSet<&str> = named
            .captures_iter(&code)
            .filter_map(|key| Some(key.get(1)?.as_str()))
            .collect();
        let there: BTreeSet<String> = messages("en").into_keys().filter(|key| !key.contains('.')).collect();
        let missing: Vec<_> = named.iter().filter(|key| !there.contains(**key)).collect();
        assert!(missing.is_empty(), "locales/en lacks {missing:?}");
        // These keys are put together at run time, from a state, a tool, or the widget's own names.
        let families = ["widget-", "order-status-", "activity-"];
        let is_family = |key: &&String| families.iter().any(|family| key.starts_with(family));
        let unused: Vec<_> = there
            .iter()
            .filter(|key| !named.contains(&key[..]) && !is_family(key))
            .collect();
        assert!(unused.is_empty(), "nothing says {unused:?}");
    }
}
