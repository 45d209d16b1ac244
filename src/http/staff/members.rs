//! Routes for members of staff, invitations and API keys.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    http::{
        extract::{self, Body, NewestFirst, Path, Query},
        problem::Problem,
        request_id,
        responses::{BadBody, BadQuery, NotFound, Role, Unauthenticated},
    },
    identity::{ApiScope, Device, Identity, StaffMember, StaffRole, api_keys::ApiKey, members::Member},
    ids::StaffId,
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemberPage {
    /// Members a page, 1 to 100.
    #[serde(default = "extract::hundred")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: u32,
    /// The `id` of the last member on the previous page.
    after: Option<StaffId>,
}

#[derive(Serialize, ToSchema)]
pub struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "kim@shop.example")]
    email: String,
    role: StaffRole,
}

#[derive(Serialize, ToSchema)]
pub struct ApiKeys {
    api_keys: Vec<ApiKey>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "night report")]
    name: String,
    #[validate(length(min = 1, max = 5))]
    scopes: Vec<ApiScope>,
    /// How many days the key is valid, 1 to 366.
    #[validate(range(min = 1, max = 366))]
    #[schema(minimum = 1, maximum = 366, example = 90)]
    days: u32,
}

/// A new API key. The token is shown only once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    token: String,
    key: ApiKey,
}

/// Lists the staff.
#[utoipa::path(get, path = "/v1/staff/members", operation_id = "listMembers", tag = "staff", params(MemberPage),
    responses((status = 200, body = Members), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(identity): State<Identity>,
    Query(page): Query<MemberPage>,
) -> Result<Json<Members>, Problem> {
    let members = identity.members(&staff, (page.limit, page.after)).await?;
    Ok(Json(Members { members }))
}

/// Disables a member of staff. Their next request is refused.
#[utoipa::path(delete, path = "/v1/staff/members/{id}", operation_id = "disableMember", tag = "staff", params(("id" = StaffId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn disable(
    staff: StaffMember,
    State(identity): State<Identity>,
    Path(id): Path<StaffId>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let actor = staff.actor().in_request(request_id(&headers));
    identity.disable(&staff, id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mails an invitation to join the staff.
#[utoipa::path(post, path = "/v1/staff/invitations", operation_id = "inviteMember", tag = "staff", request_body = Invitation,
    responses((status = 202, description = "A mail is on its way"), Role, Unauthenticated, BadBody))]
pub async fn invite(
    staff: StaffMember,
    device: Device,
    State(identity): State<Identity>,
    headers: HeaderMap,
    Body(invitation): Body<Invitation>,
) -> Result<StatusCode, Problem> {
    let actor = staff.actor().in_request(request_id(&headers));
    identity
        .invite(&staff, &invitation.email, invitation.role, &device, &actor)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Lists the API keys.
#[utoipa::path(get, path = "/v1/staff/api-keys", operation_id = "listApiKeys", tag = "staff", params(NewestFirst),
    responses((status = 200, body = ApiKeys), BadQuery, Role, Unauthenticated))]
pub async fn api_keys(
    staff: StaffMember,
    State(identity): State<Identity>,
    Query(page): Query<NewestFirst>,
) -> Result<Json<ApiKeys>, Problem> {
    let api_keys = identity.api_keys(&staff, (page.limit, page.before)).await?;
    Ok(Json(ApiKeys { api_keys }))
}

/// Creates an API key.
#[utoipa::path(post, path = "/v1/staff/api-keys", operation_id = "createApiKey", tag = "staff", request_body = NewApiKey,
    responses((status = 201, body = CreatedApiKey), Role, Unauthenticated, BadBody))]
pub async fn add_api_key(
    staff: StaffMember,
    State(identity): State<Identity>,
    headers: HeaderMap,
    Body(new): Body<NewApiKey>,
) -> Result<(StatusCode, Json<CreatedApiKey>), Problem> {
    let actor = staff.actor().in_request(request_id(&headers));
    let (token, key) = identity
        .add_api_key(&staff, &new.name, &new.scopes, new.days, &actor)
        .await?;
    let token = token.expose().to_owned();
    Ok((StatusCode::CREATED, Json(CreatedApiKey { token, key })))
}

/// Revokes an API key.
#[utoipa::path(delete, path = "/v1/staff/api-keys/{id}", operation_id = "revokeApiKey", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn revoke_api_key(
    staff: StaffMember,
    State(identity): State<Identity>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let actor = staff.actor().in_request(request_id(&headers));
    identity.revoke_api_key(&staff, id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
