//! The route by which shoppers read a help article that an answer cites.

use axum::{Json, extract::State};

use super::{
    extract::Path,
    problem::Problem,
    responses::{NotFound, Unauthenticated},
};
use crate::{
    identity::Shopper,
    store::help::{self, HelpPage},
    tenancy::{Pool, Reader},
};

/// Reads a published help article.
#[utoipa::path(get, path = "/v1/help/{language}/{slug}", operation_id = "getHelpArticle", tag = "chat", params(("language" = String, Path, example = "en"), ("slug" = String, Path, example = "returns")),
    responses((status = 200, body = HelpPage), NotFound, Unauthenticated))]
pub async fn read(
    shopper: Shopper,
    State(reader): State<Pool<Reader>>,
    Path((language, slug)): Path<(String, String)>,
) -> Result<Json<HelpPage>, Problem> {
    if !help::is_valid_slug(&language, &slug) {
        return Err(Problem::not_found());
    }
    let mut tx = reader.begin(shopper.scope()).await?;
    let page = help::page(&mut tx, &language, &slug).await?;
    page.map(Json).ok_or_else(Problem::not_found)
}
