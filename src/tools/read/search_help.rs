//! `search_help`: searches the store's help articles.

use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    identity::Shopper,
    language::{Language, TextKey},
    store::help::{self, Citation, FoundArticle},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct SearchHelp;

#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What the shopper wants to know, in its own words.
    #[validate(length(min = 1, max = 200), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    query: String,
    /// The language the shopper writes.
    #[serde(default)]
    language: Option<Language>,
}

#[derive(Serialize)]
pub struct Articles {
    articles: Vec<FoundArticle>,
    /// Tells the model to name the articles as its source.
    cite: &'static str,
}

impl ReadTool for SearchHelp {
    const CONTRACT: Contract = Contract::read(
        "search_help",
        "Searches the store's help articles: shipping, returns, payment, opening hours, care. Name the article you quote by its title.",
        "the store's help articles",
        r#"{"query": "how long may I return something", "language": "en"}"#,
        TextKey("activity-search-help"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = Arguments;
    type Answer = Articles;

    async fn run(arguments: Arguments, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Articles, ToolError> {
        let articles = help::search(tx, &arguments.query, arguments.language.map(Language::tag)).await?;
        match articles.is_empty() {
            true => Err(ToolError::NotFound("help article")),
            false => Ok(Articles {
                articles,
                cite: "Name the title of each article you quote.",
            }),
        }
    }

    fn citations(answer: &Articles) -> Vec<Citation> {
        let cite = |article: &FoundArticle| Citation {
            title: article.title.clone(),
            language: article.language.clone(),
            slug: article.slug.clone(),
        };
        answer.articles.iter().map(cite).collect()
    }
}
