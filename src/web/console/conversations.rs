//! Conversations: find one, read it, take it over, answer, give it back. And the help articles that would have answered.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done, query,
    queue::talk,
    view::{Cell, Field, Form as Fields, Section, Table, list, string, when},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/conversations", get(conversations))
        .route("/console/conversations/{id}", get(conversation))
        .route("/console/conversations/{id}/{act}", post(act))
        .route("/console/articles", get(articles).post(write))
        .route("/console/articles/{language}/{slug}", get(article))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    search: String,
    #[serde(default)]
    open: String,
    #[serde(default)]
    after: String,
}

async fn conversations(visitor: Visitor, Query(search): Query<Search>) -> Result<Response, Failure> {
    let open = if search.open == "true" { "true" } else { "" };
    let query = query(&[
        ("limit", "50"),
        ("search", search.search.trim()),
        ("open", open),
        ("after", search.after.trim()),
    ]);
    let found: Value = visitor.get(&format!("/v1/staff/conversations?{query}")).await?;
    let row = |conversation: &Value| {
        let shopper = string(conversation, "shopper");
        let state = match (conversation["held_by"].as_str(), conversation.get("waiting_since")) {
            (Some(person), _) => Cell::tone("good", format!("with {person}")),
            (None, Some(_)) => Cell::tone("warn", "waits for a person"),
            _ => Cell::tone("plain", "with the assistant"),
        };
        vec![
            Cell::link(
                format!("/console/conversations/{}", string(conversation, "id")),
                if shopper.is_empty() { "A guest" } else { &shopper },
            ),
            state,
            Cell::text(string(conversation, "last_message")),
            Cell::text(when(&conversation["updated_at"])),
        ]
    };
    let table = Table {
        caption: "Those that wait for a person first, then the newest",
        head: vec!["Shopper", "State", "Last message", "When"],
        rows: list(&found, "conversations").iter().map(row).collect(),
        empty: "There is none.",
    };
    let last = list(&found, "conversations")
        .last()
        .filter(|_| list(&found, "conversations").len() == 50);
    let more = last.map(|last| {
        let after = string(last, "id");
        let query = self::query(&[("search", search.search.trim()), ("open", open), ("after", &after)]);
        vec![(format!("/console/conversations?{query}"), "More".to_owned())]
    });
    let form = Fields {
        method: "get",
        ..Fields::post(
            "Find",
            "/console/conversations",
            "Find",
            vec![
                Field::new("search", "In a message, a name or an address", "search")
                    .optional()
                    .of(&search.search),
                Field::select(
                    "open",
                    "Filter",
                    &[("", "All"), ("true", "Waiting for a person, or with one")],
                    &search.open,
                ),
            ],
        )
    };
    let mut sections = vec![Section::Form(form), Section::Table(table)];
    sections.extend(more.map(Section::Links));
    visitor.page("Conversations", sections).await
}

async fn conversation(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    let found: Value = visitor.get(&format!("/v1/staff/conversations/{id}")).await?;
    let conversation = &found["conversation"];
    let (held, shopper) = (conversation["held_by"].as_str(), string(conversation, "shopper"));
    let state = match held {
        Some(person) => format!("{person} has it; the assistant says nothing."),
        None if conversation.get("waiting_since").is_some() => {
            "A person is asked for; the assistant answers until one comes.".into()
        }
        None => "The assistant answers.".into(),
    };
    let to = |act: &str| format!("/console/conversations/{id}/{act}");
    let mut sections = vec![
        Section::note("plain", state),
        Section::Talk(talk(list(&found, "messages"))),
    ];
    let answer = Fields {
        help: if held.is_none() {
            "When you answer, you take over from the assistant."
        } else {
            ""
        },
        key: "r",
        ..Fields::post(
            "Answer",
            to("messages"),
            "Send",
            vec![Field::new("text", "Your answer", "textarea")],
        )
        .calling("POST", "/v1/staff/conversations/{id}/messages")
    };
    sections.push(Section::Form(answer));
    sections.push(Section::Form(match held {
        Some(_) => Fields::post("Done?", to("give-back"), "Give back to the assistant", vec![])
            .calling("POST", "/v1/staff/conversations/{id}/give-back"),
        None => Fields::post("Answer yourself", to("take"), "Take over", vec![])
            .calling("POST", "/v1/staff/conversations/{id}/take"),
    }));
    visitor
        .page(if shopper.is_empty() { "A guest" } else { &shopper }, sections)
        .await
}

async fn act(
    visitor: Visitor,
    Path((id, act)): Path<(uuid::Uuid, String)>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let (act, body, word) = match act.as_str() {
        "messages" => ("messages", json!({ "text": form.text("text") }), "sent"),
        "take" => ("take", Value::Null, "taken-over"),
        _ => ("give-back", Value::Null, "given-back"),
    };
    visitor
        .post(&format!("/v1/staff/conversations/{id}/{act}"), body)
        .await?;
    Ok(done(&format!("/console/conversations/{id}"), word))
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
    let legend = if article.is_null() { "Write an article" } else { "Edit" };
    let form = Fields::post(
        legend,
        "/console/articles",
        "Save",
        vec![
            Field::new("slug", "Short name: small letters, digits, hyphens", "text").of(string(article, "slug")),
            Field::select(
                "language",
                "Language",
                &[("en", "English"), ("de", "German")],
                &string(article, "language"),
            ),
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
    let language = if form.text("language") == "de" { "de" } else { "en" };
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
