//! Routes by which staff log in, set up a second factor, reauthenticate and log out.

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
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffLogIn {
    #[validate(length(min = 1, max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "kim@shop.example")]
    email: String,
    #[validate(length(min = 1, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
    /// The code of the authenticator app, or a recovery code. Required once the second factor is set up.
    #[serde(default)]
    #[validate(length(min = 1, max = 32), custom(function = crate::text::single_line))]
    #[schema(example = "123456")]
    code: Option<String>,
}

/// Password and code, once more.
// No `Debug`: it holds private data.
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
    /// The code of the authenticator app.
    #[validate(length(equal = 6), custom(function = crate::text::single_line))]
    #[schema(example = "123456")]
    code: String,
}

/// A new staff session. The token is shown only once.
#[derive(Serialize, ToSchema)]
pub struct OpenedStaffSession {
    token: String,
    role: StaffRole,
    expires_at: DateTime<Utc>,
    /// What the member must do before the token gives access to what the role allows.
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

/// A second factor to set up. It is shown only once.
#[derive(Serialize, ToSchema)]
pub struct NewSecondFactor {
    /// The secret in base 32, to type into an app.
    secret: String,
    /// The `otpauth://…` address, to scan as a QR code.
    uri: String,
}

#[derive(Serialize, ToSchema)]
pub struct SecondFactorSetUp {
    session: OpenedStaffSession,
    /// Each recovery code works once instead of a code of the app. They are shown only once.
    recovery_codes: Vec<String>,
}

/// Logs a member of staff in.
#[utoipa::path(post, path = "/v1/staff/sessions", operation_id = "staffLogIn", tag = "staff", security(("store_key" = [])), request_body = StaffLogIn,
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

/// The member of staff who is logged in.
#[derive(Serialize, ToSchema)]
pub struct CurrentStaffSession {
    #[schema(example = "kim@shop.example")]
    email: String,
    role: StaffRole,
    /// The store's name.
    store: String,
    /// The ISO 4217 code of the store's currency.
    #[schema(example = "USD")]
    currency: String,
    /// The IANA name of the store's time zone; `UTC` if its business hours set none.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
}

/// Shows who is logged in.
#[utoipa::path(get, path = "/v1/staff/sessions/current", operation_id = "getCurrentStaffSession", tag = "staff",
    responses((status = 200, body = CurrentStaffSession), NotFound, Role, Unauthenticated))]
pub async fn current(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<CurrentStaffSession>, Problem> {
    let (email, role) = staff.email_and_role().ok_or_else(Problem::not_found)?;
    let mut tx = web.begin(staff.scope()).await?;
    let store = tenancy::current(&mut tx).await?;
    Ok(Json(CurrentStaffSession {
        email: email.to_owned(),
        role,
        store: store.name,
        currency: store.currency.to_string(),
        time_zone: tenancy::time_zone(&mut tx).await?,
    }))
}

/// Logs out.
#[utoipa::path(delete, path = "/v1/staff/sessions/current", operation_id = "staffLogOut", tag = "staff", responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn log_out(staff: StaffMember, State(identity): State<Identity>) -> Result<StatusCode, Problem> {
    identity.staff_log_out(&staff).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Creates the secret of a second factor. It takes effect once a code is confirmed. 404 if there is a second factor already.
#[utoipa::path(post, path = "/v1/staff/second-factor", operation_id = "setUpSecondFactor", tag = "staff",
    responses((status = 201, body = NewSecondFactor), NotFound, Role, Unauthenticated))]
pub async fn set_up(
    staff: StaffMember,
    State(identity): State<Identity>,
) -> Result<(StatusCode, Json<NewSecondFactor>), Problem> {
    let identity::NewSecondFactor { secret, uri } = identity.set_up_second_factor(&staff).await?;
    Ok((StatusCode::CREATED, Json(NewSecondFactor { secret, uri })))
}

/// Confirms the second factor with a code. The answer has a new session, because it may do more.
#[utoipa::path(post, path = "/v1/staff/second-factor/confirm", operation_id = "confirmSecondFactor", tag = "staff", request_body = FactorCode,
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

/// Reauthenticates with password and code, for routes that require it.
#[utoipa::path(post, path = "/v1/staff/reauthentication", operation_id = "reauthenticate", tag = "staff", request_body = Reauthentication,
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

/// Accepts an invitation to the staff and sets a password. Log in afterwards.
#[utoipa::path(post, path = "/v1/staff/invitations/accept", operation_id = "acceptInvitation", tag = "staff", security(("store_key" = [])), request_body = NewPassword,
    responses((status = 204), Unauthenticated, BadBody))]
pub async fn join(
    visit: Visit,
    State(identity): State<Identity>,
    Body(body): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    identity.join(&visit, &body.token, body.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
