//! Staff log in, set up a second factor, prove themselves again, log out.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    http::{
        extract::Body,
        problem::Problem,
        responses::{BadBody, NotFound, Role, Unauthenticated},
        sign_in::NewPassword,
    },
    identity::{self, Device, Identity, StaffMember, StaffNext, StaffRole, Visit},
    tenancy::{self, Pool, Web},
};

/// A log-in.
// It has no `Debug`, so that what is in it cannot reach a log.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffLogIn {
    #[validate(length(min = 1, max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "kim@shop.example")]
    email: String,
    #[validate(length(min = 1, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
    /// Of the authenticator app, or a recovery code; needed once the second factor is set up.
    #[serde(default)]
    #[validate(length(min = 1, max = 32), custom(function = crate::text::single_line))]
    #[schema(example = "123456")]
    code: Option<String>,
}

/// Password and code, once more.
// It has no `Debug`, so that what is in it cannot reach a log.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reauthentication {
    #[validate(length(min = 1, max = 256))]
    password: String,
    #[serde(default)]
    #[validate(length(min = 1, max = 32), custom(function = crate::text::single_line))]
    code: Option<String>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorCode {
    /// Of the authenticator app.
    #[validate(length(equal = 6), custom(function = crate::text::single_line))]
    #[schema(example = "123456")]
    code: String,
}

/// A staff session that was just opened. The token is shown this once.
#[derive(Serialize, ToSchema)]
pub struct OpenedStaffSession {
    token: String,
    role: StaffRole,
    expires_at: DateTime<Utc>,
    /// What must be done before the token opens what the role may.
    next: StaffNext,
}

impl From<identity::OpenedStaffSession> for OpenedStaffSession {
    fn from(opened: identity::OpenedStaffSession) -> Self {
        Self {
            token: opened.token.expose().to_owned(),
            role: opened.role,
            expires_at: opened.expires_at,
            next: opened.next,
        }
    }
}

/// A second factor to be set up, shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewSecondFactor {
    /// Base 32, to type.
    secret: String,
    /// `otpauth://…`, to scan.
    uri: String,
}

#[derive(Serialize, ToSchema)]
pub struct SecondFactorSetUp {
    session: OpenedStaffSession,
    /// Each opens once what the app would. Shown this once.
    recovery_codes: Vec<String>,
}

/// Logs a member of staff in.
#[utoipa::path(post, path = "/v1/staff/sessions", tag = "staff", security(("store_key" = [])), request_body = StaffLogIn,
    responses((status = 201, body = OpenedStaffSession), Unauthenticated, BadBody))]
pub async fn log_in(
    visit: Visit,
    State(identity): State<Identity>,
    Body(log_in): Body<StaffLogIn>,
) -> Result<(StatusCode, Json<OpenedStaffSession>), Problem> {
    let password = log_in.password.into();
    let opened = identity
        .staff_log_in(&visit, &log_in.email, password, log_in.code.as_deref())
        .await?;
    Ok((StatusCode::CREATED, Json(opened.into())))
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct CurrentStaffSession {
    #[schema(example = "kim@shop.example")]
    email: String,
    role: StaffRole,
    /// The store's name.
    store: String,
    /// What the store's amounts are in: ISO 4217.
    #[schema(example = "USD")]
    currency: String,
}

/// Tells about the caller.
#[utoipa::path(get, path = "/v1/staff/sessions/current", tag = "staff",
    responses((status = 200, body = CurrentStaffSession), NotFound, Role, Unauthenticated))]
pub async fn current(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<CurrentStaffSession>, Problem> {
    let (email, role) = staff.who().ok_or_else(Problem::not_found)?;
    let mut tx = web.begin(staff.scope()).await?;
    let store = tenancy::current(&mut tx).await?;
    Ok(Json(CurrentStaffSession {
        email: email.to_owned(),
        role,
        store: store.name,
        currency: store.currency.to_string(),
    }))
}

/// Logs out.
#[utoipa::path(delete, path = "/v1/staff/sessions/current", tag = "staff", responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn log_out(staff: StaffMember, State(identity): State<Identity>) -> Result<StatusCode, Problem> {
    identity.staff_log_out(&staff).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the secret of a second factor. It counts once a code of it was given. 404 when there is one already.
#[utoipa::path(post, path = "/v1/staff/second-factor", tag = "staff",
    responses((status = 201, body = NewSecondFactor), NotFound, Role, Unauthenticated))]
pub async fn set_up(
    staff: StaffMember,
    State(identity): State<Identity>,
) -> Result<(StatusCode, Json<NewSecondFactor>), Problem> {
    let identity::NewSecondFactor { secret, uri } = identity.set_up_second_factor(&staff).await?;
    Ok((StatusCode::CREATED, Json(NewSecondFactor { secret, uri })))
}

/// Puts the second factor into force. The session is a new one, because it may do more.
#[utoipa::path(post, path = "/v1/staff/second-factor/confirm", tag = "staff", request_body = FactorCode,
    responses((status = 201, body = SecondFactorSetUp), NotFound, Role, Unauthenticated, BadBody))]
pub async fn confirm(
    staff: StaffMember,
    device: Device,
    State(identity): State<Identity>,
    Body(body): Body<FactorCode>,
) -> Result<(StatusCode, Json<SecondFactorSetUp>), Problem> {
    let (opened, recovery_codes) = identity.finish_second_factor(&staff, &body.code, &device).await?;
    let set_up = SecondFactorSetUp {
        session: opened.into(),
        recovery_codes,
    };
    Ok((StatusCode::CREATED, Json(set_up)))
}

/// Gives password and code again, for what needs them fresh.
#[utoipa::path(post, path = "/v1/staff/reauthentication", tag = "staff", request_body = Reauthentication,
    responses((status = 204), NotFound, Role, Unauthenticated, BadBody))]
pub async fn reauthenticate(
    staff: StaffMember,
    device: Device,
    State(identity): State<Identity>,
    Body(body): Body<Reauthentication>,
) -> Result<StatusCode, Problem> {
    let (password, code) = (body.password.into(), body.code.as_deref());
    identity.reauthenticate(&staff, password, code, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Joins the staff with an invitation's link. Log in next.
#[utoipa::path(post, path = "/v1/staff/invitations/accept", tag = "staff", security(("store_key" = [])), request_body = NewPassword,
    responses((status = 204), Unauthenticated, BadBody))]
pub async fn join(
    visit: Visit,
    State(identity): State<Identity>,
    Body(body): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    identity.join(&visit, &body.token, body.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
