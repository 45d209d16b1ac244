//! The OpenAPI documentation of problems that several routes can answer.

use super::problem::ProblemDetails;

/// The answer without a valid session.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Unauthenticated {
    /// There is no session, or it is not valid any more.
    #[response(status = 401, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// The answer for what does not exist or belongs to somebody else.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum NotFound {
    /// It does not exist, or it belongs to somebody else.
    #[response(status = 404, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// The answer when the caller's role is not enough.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Role {
    /// The caller's role does not allow it.
    #[response(status = 403, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// The answer to a cookie from another site.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum CrossSite {
    /// A cookie does not authorise requests from other sites.
    #[response(status = 403, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// The answers when a decision cannot be made.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Decision {
    /// The caller may not decide on this proposal.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// The proposal is not pending any more, or it is not the one that was shown.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// The answer to an invalid query string.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum BadQuery {
    /// The query string is invalid.
    #[response(status = 400, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// The answers to an invalid body.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum BadBody {
    /// The body is not JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    Syntax(ProblemDetails),
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(ProblemDetails),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    Size(ProblemDetails),
    /// The body is not `application/json`, or it is compressed.
    #[response(status = 415, content_type = "application/problem+json")]
    ContentType(ProblemDetails),
    /// Fields are invalid; `errors` names them.
    #[response(status = 422, content_type = "application/problem+json")]
    Fields(ProblemDetails),
}
