//! Routes for the store's publishable keys.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{
        extract::Path,
        problem::{Problem, ProblemDetails},
        responses::{NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    tenancy::{
        Pool, Web,
        store_keys::{self, ListedKey, Revoked},
    },
};

#[derive(Serialize, ToSchema)]
pub struct StoreKeys {
    store_keys: Vec<ListedKey>,
}

#[derive(Serialize, ToSchema)]
pub struct NewStoreKey {
    #[schema(example = "pk_AZq…")]
    key: String,
}

/// Lists the store's publishable keys, newest first.
#[utoipa::path(get, path = "/v1/staff/store-keys", operation_id = "listStoreKeys", tag = "staff", responses((status = 200, body = StoreKeys), Role, Unauthenticated))]
pub async fn list(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<StoreKeys>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let store_keys = store_keys::list(&mut tx).await?;
    Ok(Json(StoreKeys { store_keys }))
}

/// Creates another publishable key.
#[utoipa::path(post, path = "/v1/staff/store-keys", operation_id = "createStoreKey", tag = "staff", responses((status = 201, body = NewStoreKey), Role, Unauthenticated))]
pub async fn add(change: StaffChange) -> Result<(StatusCode, Json<NewStoreKey>), Problem> {
    let mut tx = change.begin().await?;
    let key = store_keys::add(&mut tx).await?.as_str().to_owned();
    change.finish(tx, true, "store_key.create", ("store_key", &key)).await?;
    Ok((StatusCode::CREATED, Json(NewStoreKey { key })))
}

/// Revokes a publishable key at once. The last one cannot be revoked.
#[utoipa::path(delete, path = "/v1/staff/store-keys/{id}", operation_id = "revokeStoreKey", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 204),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "It is the only one"),
        NotFound, Role, Unauthenticated))]
pub async fn revoke(change: StaffChange, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let revoked = store_keys::revoke(&mut tx, id, now).await?;
    if revoked == Revoked::Last {
        let mend = "It is the store's only key, and nobody could sign in without one. Make another first.";
        return Err(Problem::new(StatusCode::CONFLICT, "last_store_key", mend));
    }
    let found = revoked == Revoked::Done;
    change.finish(tx, found, "store_key.revoke", ("store_key", id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
