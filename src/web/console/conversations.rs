//! The page *Conversations*: find one, read it, take it over, answer, give it back.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor,
    approvals::talk,
    done, query,
    view::{Cell, Field, Form as Fields, Section, Table, list, string, when},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/conversations", get(conversations))
        .route("/console/conversations/{id}", get(conversation))
        .route("/console/conversations/{id}/{act}", post(act))
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
