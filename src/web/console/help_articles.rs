//! The page *Help articles*: what the assistant can quote, and what it was asked in vain.

use axum::{Router, extract::Path, response::Response, routing::get};
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done,
    view::{Cell, Field, Form as Fields, Section, Table, list, string, when},
};
use crate::language::Language;

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/articles", get(articles).post(write))
        .route("/console/articles/{language}/{slug}", get(article))
}

async fn articles(visitor: Visitor) -> Result<Response, Failure> {
    let help: Value = visitor.get("/v1/staff/help").await?;
    let row = |article: &Value| {
        let (language, slug) = (string(article, "language"), string(article, "slug"));
        let published = article["published"] == true;
        vec![
            Cell::link(format!("/console/articles/{language}/{slug}"), string(article, "title")),
            Cell::text(language),
            Cell::tone(
                if published { "good" } else { "plain" },
                if published { "published" } else { "draft" },
            ),
            Cell::text(when(&article["updated_at"])),
        ]
    };
    let asked = |question: &Value| {
        let arguments: Value = serde_json::from_str(&string(question, "arguments")).unwrap_or_default();
        vec![
            Cell::text(string(&arguments, "query")),
            Cell::text(question["times"].as_i64().unwrap_or_default()),
            Cell::text(when(&question["last_at"])),
        ]
    };
    let sections = vec![
        Section::Table(Table {
            caption: "What the assistant can quote",
            head: vec!["Article", "Language", "State", "Changed"],
            rows: list(&help, "articles").iter().map(row).collect(),
            empty: "None yet. Write one below, or: countersign import-help --tenant STORE FOLDER",
        }),
        Section::Table(Table {
            caption: "Asked in the last thirty days, and not answered by any",
            head: vec!["Question", "Times", "Last"],
            rows: list(&help, "unanswered").iter().map(asked).collect(),
            empty: "Every question found an article.",
        }),
        article_form(&Value::Null),
    ];
    visitor.page("Help articles", sections).await
}

async fn article(visitor: Visitor, Path((language, slug)): Path<(String, String)>) -> Result<Response, Failure> {
    let help: Value = visitor.get("/v1/staff/help").await?;
    let found = list(&help, "articles")
        .iter()
        .find(|it| it["language"] == *language && it["slug"] == *slug);
    let article = found.cloned().unwrap_or_default();
    visitor
        .page(&string(&article, "title"), vec![article_form(&article)])
        .await
}

fn article_form(article: &Value) -> Section {
    let published = if article["published"] == false { "false" } else { "true" };
    let languages: Vec<_> = Language::all()
        .map(|language| (language.tag(), language.tag()))
        .collect();
    let legend = if article.is_null() { "Write an article" } else { "Edit" };
    let form = Fields::post(
        legend,
        "/console/articles",
        "Save",
        vec![
            Field::new("slug", "Short name: small letters, digits, hyphens", "text").of(string(article, "slug")),
            Field::select("language", "Language", &languages, &string(article, "language")),
            Field::new("title", "Title", "text").of(string(article, "title")),
            Field::new("body", "Text", "textarea").of(string(article, "body")),
            Field::select(
                "published",
                "State",
                &[("true", "Published"), ("false", "Draft")],
                published,
            ),
        ],
    );
    Section::Form(form.calling("PUT", "/v1/staff/help/{language}/{slug}"))
}

async fn write(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let name: String = url::form_urlencoded::byte_serialize(form.text("slug").as_bytes()).collect();
    let language: String = url::form_urlencoded::byte_serialize(form.text("language").as_bytes()).collect();
    let text = json!({ "title": form.text("title"), "body": form.text("body"), "published": form.text("published") == "true" });
    visitor
        .change(
            axum::http::Method::PUT,
            &format!("/v1/staff/help/{language}/{name}"),
            Some(text),
        )
        .await?;
    Ok(done("/console/articles", "saved"))
}
