//! The page *Help articles* lists what the assistant can quote, and what shoppers asked that no article answers.

use askama::Template;
use axum::{Router, extract::Path, response::Response, routing::get};
use serde::Deserialize;
use serde_json::json;

use super::{Console, Failure, Page, Submitted, Visitor, done, encoded, render};
use crate::{
    language::{Language, TextKey},
    store::help::{Article, Unanswered},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/articles", get(list).post(write))
        .route("/console/articles/{language}/{slug}", get(article))
}

/// The languages that articles can have: each one's tag and its own name.
fn languages() -> Vec<(&'static str, String)> {
    let named = |language: Language| (language.tag(), TextKey("language-name").in_language(language));
    Language::all().map(named).collect()
}

#[derive(Deserialize)]
struct Help {
    articles: Vec<Article>,
    unanswered: Vec<Unanswered>,
}

/// The arguments of a search that the assistant made.
#[derive(Default, Deserialize)]
struct Search {
    #[serde(default)]
    query: String,
}

#[derive(Template)]
#[template(path = "console/help_articles.html")]
struct HelpArticlesPage {
    page: Page,
    articles: Vec<Article>,
    unanswered: Vec<Unanswered>,
    languages: Vec<(&'static str, String)>,
}

impl HelpArticlesPage {
    fn language(&self, article: &Article) -> String {
        let mut languages = self.languages.iter();
        let name = languages.find(|(tag, _)| *tag == article.language);
        name.map_or_else(|| article.language.clone(), |(_, name)| name.clone())
    }

    fn question(&self, asked: &Unanswered) -> String {
        let search: Search = serde_json::from_str(&asked.arguments).unwrap_or_default();
        search.query
    }
}

async fn list(visitor: Visitor) -> Result<Response, Failure> {
    let Help { articles, unanswered } = visitor.get("/v1/staff/help").await?;
    Ok(render(&HelpArticlesPage {
        page: visitor.page("Help articles").await?,
        articles,
        unanswered,
        languages: languages(),
    }))
}

#[derive(Template)]
#[template(path = "console/help_article.html")]
struct HelpArticlePage {
    page: Page,
    article: Article,
    languages: Vec<(&'static str, String)>,
}

async fn article(visitor: Visitor, Path((language, slug)): Path<(String, String)>) -> Result<Response, Failure> {
    let help: Help = visitor.get("/v1/staff/help").await?;
    let mut articles = help.articles.into_iter();
    let Some(article) = articles.find(|it| it.language == language && it.slug == slug) else {
        return Err(visitor.not_found());
    };
    Ok(render(&HelpArticlePage {
        page: visitor.page(&article.title).await?,
        article,
        languages: languages(),
    }))
}

async fn write(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let name = encoded(form.text("slug"));
    let language = form.text("language").parse().unwrap_or(Language::EN).tag();
    let published = form.text("published") == "true";
    let article = json!({ "title": form.text("title"), "body": form.text("body"), "published": published });
    visitor
        .put(&format!("/v1/staff/help/{language}/{name}"), article)
        .await?;
    Ok(done("/console/articles", "saved"))
}
