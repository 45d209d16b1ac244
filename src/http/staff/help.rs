//! Routes by which staff list and write help articles, and see the questions that none of them answers.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::Duration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    clock::Clock,
    http::{
        extract::{Body, Path},
        problem::Problem,
        request_id,
        responses::{BadBody, NotFound, Role, Unauthenticated},
    },
    identity::StaffMember,
    store::help::{self, Article, ArticleText, Unanswered},
    tenancy::{
        Pool, Web,
        audit::{self, Entry},
    },
};

/// How far back unanswered questions are listed.
const UNANSWERED_PERIOD: Duration = Duration::days(30);

#[derive(Serialize, ToSchema)]
pub struct Help {
    articles: Vec<Article>,
    /// Searches of the last 30 days that found no article.
    unanswered: Vec<Unanswered>,
}

/// Lists the store's help articles, and the questions of shoppers that none of them answers.
#[utoipa::path(get, path = "/v1/staff/help", operation_id = "listHelpArticles", tag = "staff", responses((status = 200, body = Help), Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
) -> Result<Json<Help>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(Help {
        articles: help::list(&mut tx).await?,
        unanswered: help::unanswered(&mut tx, clock.now() - UNANSWERED_PERIOD).await?,
    }))
}

/// Creates a help article, or replaces the one with this language and name.
#[utoipa::path(put, path = "/v1/staff/help/{language}/{slug}", operation_id = "putHelpArticle", tag = "staff", params(("language" = String, Path, description = "The tag of a language that the server has, such as `en`"),
        ("slug" = String, Path, description = "Small letters, digits and hyphens")), request_body = ArticleText,
    responses((status = 204), NotFound, Role, Unauthenticated, BadBody))]
pub async fn write(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    Path((language, slug)): Path<(String, String)>,
    headers: HeaderMap,
    Body(text): Body<ArticleText>,
) -> Result<StatusCode, Problem> {
    if !help::is_valid_slug(&language, &slug) {
        return Err(Problem::not_found());
    }
    let (now, actor) = (clock.now(), staff.actor().in_request(request_id(&headers)));
    let mut tx = web.begin(staff.scope()).await?;
    if help::write(&mut tx, &slug, &language, &text, now).await? {
        let target = ("help_article", format!("{language}/{slug}"));
        audit::append(&mut tx, Entry::new(&actor, "help_article.write", target, now)).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
