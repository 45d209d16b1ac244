//! Routes by which a shopper signs in: by password, by a mailed code, by the store's assertion or as a guest. Also registration, password
//! changes and order proofs.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    SecureCookies,
    credentials::SESSION_COOKIE,
    extract::Body,
    problem::Problem,
    responses::{BadBody, Role, Unauthenticated},
};
use crate::{
    identity::{self, Device, Identity, LoggedIn, Shopper, Visit},
    ids::ShopperId,
    integrations::challenge::{Challenge, ChallengeError},
};

/// A new session. The token is shown only once.
#[derive(Serialize, ToSchema)]
pub struct OpenedSession {
    token: String,
    shopper_id: ShopperId,
    /// Whether the shopper is a guest, who has not signed in.
    guest: bool,
    expires_at: DateTime<Utc>,
}

type Opened = (StatusCode, HeaderMap, Json<OpenedSession>);

/// A new account.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
    /// 10 to 256 characters. A password that is easy to guess is refused.
    #[validate(length(min = 10, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "Mia")]
    first_name: String,
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "Jones")]
    last_name: String,
}

/// A log-in.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    #[validate(length(min = 1, max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
    #[validate(length(min = 1, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
}

/// An e-mail address to mail something to.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailAddress {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    pub(super) email: String,
}

/// A code that was mailed.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailedCode {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    pub(super) email: String,
    /// Eight digits.
    #[validate(length(equal = 8), custom(function = crate::text::single_line))]
    #[schema(example = "12345678")]
    pub(super) code: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// A JWT that the store's site has signed; see docs/assertions.md.
    #[validate(length(min = 1, max = 4096), custom(function = crate::text::single_line))]
    assertion: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The last part of the mailed link.
    #[validate(length(equal = 43), custom(function = crate::text::single_line))]
    pub(super) token: String,
    /// 10 to 256 characters. A password that is easy to guess is refused.
    #[validate(length(min = 10, max = 256))]
    pub(super) password: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedPassword {
    #[validate(length(min = 1, max = 256))]
    current_password: String,
    /// 10 to 256 characters. A password that is easy to guess is refused.
    #[validate(length(min = 10, max = 256))]
    password: String,
}

/// A code that proves the address of a registration.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
    /// Eight digits.
    #[validate(length(equal = 8), custom(function = crate::text::single_line))]
    #[schema(example = "12345678")]
    code: String,
    /// What the registration answered: its code works for whoever has this, and for nobody else.
    #[serde(default)]
    #[validate(length(max = 64), custom(function = crate::text::single_line))]
    attempt: Option<String>,
}

/// A registration that waits for its code. The secret is shown only once.
#[derive(Serialize, ToSchema)]
pub struct PendingRegistration {
    /// Send it along with the code: without it no code works, and with it that of this registration alone.
    attempt: String,
}

/// Requests an account and mails a code that proves the address. An address that has an account already gets a mail that says so.
#[utoipa::path(post, path = "/v1/registrations", operation_id = "register", tag = "sign-in", security(("store_key" = [])), request_body = Registration, responses(
    (status = 202, body = PendingRegistration, description = "A mail is on its way, whatever the address"), Unauthenticated, BadBody))]
pub async fn register(
    visit: Visit,
    State(identity): State<Identity>,
    Body(new): Body<Registration>,
) -> Result<(StatusCode, Json<PendingRegistration>), Problem> {
    let new = identity::Registration {
        email: new.email,
        password: new.password.into(),
        first_name: new.first_name,
        last_name: new.last_name,
    };
    let attempt = identity.register(&visit, new).await?.expose().to_owned();
    Ok((StatusCode::ACCEPTED, Json(PendingRegistration { attempt })))
}

/// Creates the account with the mailed code, and logs it in.
#[utoipa::path(post, path = "/v1/registrations/verify", operation_id = "verifyRegistration", tag = "sign-in", security(("store_key" = [])), request_body = Verification, responses(
    (status = 201, body = OpenedSession), Unauthenticated, BadBody))]
pub async fn verify(
    visit: Visit,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(code): Body<Verification>,
) -> Result<Opened, Problem> {
    let proof = (code.code.as_str(), code.attempt.as_deref());
    let opened = identity.verify_registration(&visit, &code.email, proof).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// Logs a shopper in by password. If a guest's token is sent along, the guest's conversations become the shopper's.
#[utoipa::path(post, path = "/v1/sessions", operation_id = "logIn", tag = "sign-in", security(("store_key" = [])), request_body = LogIn, responses(
    (status = 201, body = OpenedSession), Unauthenticated, BadBody))]
pub async fn log_in(
    visit: Visit,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(log_in): Body<LogIn>,
) -> Result<Opened, Problem> {
    let password = SecretString::from(log_in.password);
    let opened = identity.log_in(&visit, &log_in.email, password).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// Mails a code that logs in, if the address has an account.
#[utoipa::path(post, path = "/v1/sessions/code-requests", operation_id = "requestLogInCode", tag = "sign-in", security(("store_key" = [])), request_body = EmailAddress, responses(
    (status = 202, description = "If the address has an account, a mail is on its way"), Unauthenticated, BadBody))]
pub async fn ask_for_code(
    visit: Visit,
    State(identity): State<Identity>,
    Body(to): Body<EmailAddress>,
) -> Result<StatusCode, Problem> {
    identity.ask_for_code(&visit, &to.email).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Logs a shopper in by a mailed code.
#[utoipa::path(post, path = "/v1/sessions/code", operation_id = "logInWithCode", tag = "sign-in", security(("store_key" = [])), request_body = MailedCode, responses(
    (status = 201, body = OpenedSession), Unauthenticated, BadBody))]
pub async fn log_in_with_code(
    visit: Visit,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(code): Body<MailedCode>,
) -> Result<Opened, Problem> {
    let opened = identity.log_in_with_code(&visit, &code.email, &code.code).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// Logs a shopper in by an assertion, which the store's own site has signed.
#[utoipa::path(post, path = "/v1/sessions/assertion", operation_id = "logInWithAssertion", tag = "sign-in", security(("store_key" = [])), request_body = Assertion, responses(
    (status = 201, body = OpenedSession), Unauthenticated, BadBody))]
pub async fn assert(
    visit: Visit,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(body): Body<Assertion>,
) -> Result<Opened, Problem> {
    let opened = identity.assert(&visit, &body.assertion).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// Opens a session for a guest, who may chat but sees no personal data. If the server requires a challenge, send its token.
#[utoipa::path(post, path = "/v1/sessions/guest", operation_id = "openGuestSession", tag = "sign-in", security(("store_key" = [])),
    params(("Challenge-Token" = Option<String>, Header, description = "The token of the solved challenge, where the server requires one")),
    responses((status = 201, body = OpenedSession), Unauthenticated,
    (status = 403, body = super::problem::ProblemDetails, content_type = "application/problem+json", description = "The challenge is not solved"),
    (status = 503, body = super::problem::ProblemDetails, content_type = "application/problem+json", description = "The challenge cannot be verified just now")))]
pub async fn guest(
    visit: Visit,
    State(challenge): State<Option<Challenge>>,
    headers: HeaderMap,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
) -> Result<Opened, Problem> {
    if let Some(challenge) = challenge {
        let token = headers.get("challenge-token").and_then(|token| token.to_str().ok());
        challenge
            .verify(token, visit.device.address)
            .await
            .map_err(|error| match error {
                ChallengeError::NotSolved => Problem::new(
                    StatusCode::FORBIDDEN,
                    "challenge",
                    "Solve the page's challenge first, and send its token as `Challenge-Token`.",
                ),
                ChallengeError::Unverified(reason) => {
                    tracing::error!(reason, "a challenge could not be verified");
                    Problem::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "challenge_unverified",
                        "The challenge cannot be verified just now. Please try again.",
                    )
                    .retry_after(5)
                }
            })?;
    }
    let opened = identity.guest(&visit).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// Mails a link to set a new password, if the address has an account.
#[utoipa::path(post, path = "/v1/password-resets", operation_id = "requestPasswordReset", tag = "sign-in", security(("store_key" = [])), request_body = EmailAddress, responses(
    (status = 202, description = "If the address has an account, a mail is on its way"), Unauthenticated, BadBody))]
pub async fn ask_for_reset(
    visit: Visit,
    State(identity): State<Identity>,
    Body(to): Body<EmailAddress>,
) -> Result<StatusCode, Problem> {
    identity.ask_for_reset(&visit, &to.email).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password with a mailed link. Every session of the account ends.
#[utoipa::path(post, path = "/v1/password-resets/complete", operation_id = "completePasswordReset", tag = "sign-in", security(("store_key" = [])), request_body = NewPassword, responses(
    (status = 204, description = "Set; log in with it"), Unauthenticated, BadBody))]
pub async fn reset(
    visit: Visit,
    State(identity): State<Identity>,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    identity.reset_password(&visit, &new.token, new.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the password. Every session ends, and a new one begins.
#[utoipa::path(put, path = "/v1/password", operation_id = "changePassword", tag = "sign-in", request_body = ChangedPassword, responses(
    (status = 201, body = OpenedSession), Role, Unauthenticated, BadBody))]
pub async fn change_password(
    shopper: Shopper,
    device: Device,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(body): Body<ChangedPassword>,
) -> Result<Opened, Problem> {
    let (current, new) = (body.current_password.into(), body.password.into());
    let opened = identity.change_password(&shopper, &device, current, new).await?;
    Ok(opened_session(opened, &identity, cookies))
}

/// An order to prove.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderProof {
    #[serde(deserialize_with = "crate::text::cleaned")]
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    #[schema(example = "#1001")]
    order_number: String,
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
}

/// Mails a guest a code for one order, if the order was made with this address.
#[utoipa::path(post, path = "/v1/order-proofs", operation_id = "requestOrderProof", tag = "sign-in", request_body = OrderProof, responses(
    (status = 202, description = "If the order was made with this address, a mail is on its way"), Role, Unauthenticated, BadBody))]
pub async fn ask_to_prove_order(
    guest: Shopper,
    device: Device,
    State(identity): State<Identity>,
    Body(proof): Body<OrderProof>,
) -> Result<StatusCode, Problem> {
    identity
        .ask_to_prove_order(&guest, &device, &proof.order_number, &proof.email)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Gives a guest access to an order, by the mailed code. The session gets a new token.
#[utoipa::path(post, path = "/v1/order-proofs/verify", operation_id = "verifyOrderProof", tag = "sign-in", request_body = MailedCode, responses(
    (status = 201, body = OpenedSession), Role, Unauthenticated, BadBody))]
pub async fn prove_order(
    guest: Shopper,
    device: Device,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
    Body(code): Body<MailedCode>,
) -> Result<Opened, Problem> {
    let opened = identity.prove_order(&guest, &device, &code.email, &code.code).await?;
    Ok(opened_session(opened, &identity, cookies))
}

fn opened_session(opened: LoggedIn, identity: &Identity, cookies: SecureCookies) -> Opened {
    let token = opened.token.expose().to_owned();
    let cookie = set_cookie(cookies, &token, identity.lifetimes().absolute.num_seconds());
    let body = OpenedSession {
        token,
        shopper_id: opened.shopper,
        guest: opened.guest,
        expires_at: opened.expires_at,
    };
    (StatusCode::CREATED, cookie, Json(body))
}

pub(super) fn set_cookie(cookies: SecureCookies, value: &str, max_age: i64) -> HeaderMap {
    let cookie = SESSION_COOKIE.set(cookies.0, value, max_age);
    cookie.map(|cookie| (header::SET_COOKIE, cookie)).into_iter().collect()
}
