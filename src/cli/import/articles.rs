//! `countersign import-help`: imports help articles from a folder of Markdown files.

use std::path::Path;

use validator::Validate;

use super::CliError;
use crate::{
    language::Language,
    store::help::{self, ArticleText},
    tenancy::{Executor, Pool, Scope, Tenant},
};

/// Imports every `NAME.md` (English) and `NAME.de.md` (in the language of that tag) of a folder, all or none. The first line of a file, `# Title`, is the title.
/// Returns how many articles have changed.
pub async fn from_folder(executor: &Pool<Executor>, store: &Tenant, folder: &Path) -> Result<usize, CliError> {
    let unreadable = |error| CliError::Unreadable(folder.to_owned(), error);
    let mut changed = 0;
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".md")) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).map_err(|error| CliError::Unreadable(path.clone(), error))?;
        let (slug, language, text) =
            article(name, &text).map_err(|mend| CliError::Argument(format!("{}: {mend}", path.display())))?;
        changed += usize::from(help::write(&mut tx, slug, language, &text, crate::clock::now()).await?);
    }
    tx.commit().await?;
    Ok(changed)
}

/// Parses a file as an article: its slug, language and text. The error says how to fix the file.
pub fn article<'a>(name: &'a str, text: &str) -> Result<(&'a str, &'static str, ArticleText), String> {
    let with_tag = |language: Language| {
        let slug = name.strip_suffix(language.tag())?.strip_suffix('.')?;
        Some((slug, language.tag()))
    };
    let (slug, language) = Language::all().find_map(with_tag).unwrap_or((name, Language::EN.tag()));
    if !help::is_valid_slug(language, slug) {
        return Err("the name must be small letters, digits and hyphens".into());
    }
    let (title, body) = text.trim_start().split_once('\n').unwrap_or((text, ""));
    let title = title.strip_prefix("# ").ok_or("the first line must be `# Title`")?;
    let text = ArticleText {
        title: title.trim().into(),
        body: body.trim().into(),
        published: true,
    };
    text.validate()
        .map_err(|faults| faults.to_string().replace('\n', "; "))?;
    Ok((slug, language, text))
}

#[cfg(test)]
mod tests {
    use super::article;

    #[test]
    fn a_file_is_an_article_or_says_why_not() {
        let (slug, language, text) =
            article("returns.de", "# Rückgabe\n\nDreißig Tage.").unwrap_or_else(|mend| panic!("{mend}"));
        assert_eq!(
            (slug, language, text.title.as_str(), text.body.as_str()),
            ("returns", "de", "Rückgabe", "Dreißig Tage.")
        );
        for (name, text) in [
            ("Returns", "# A\nb"),
            ("returns", "no title\nb"),
            ("returns", "# Only a title"),
            ("a/b", "# A\nb"),
        ] {
            assert!(article(name, text).is_err(), "{name}: {text}");
        }
    }
}
