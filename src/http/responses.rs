//! Documentation of the problems that routes share.

use super::problem::ProblemDetails;

/// Without a live session.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Unauthenticated {
    /// No session, or not a live one.
    #[response(status = 401, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// Somebody else's or nobody's.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum NotFound {
    /// It does not exist, or it is not the caller's.
    #[response(status = 404, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// With a role that is not enough, or none.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Role {
    /// The caller's role does not allow it.
    #[response(status = 403, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// With a cookie, from another site.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum CrossSite {
    /// A cookie does not authorise requests from other sites.
    #[response(status = 403, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// A decision that cannot be made.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Decision {
    /// It is not the caller's to decide.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// It is not pending any more, or not as it was shown.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// A query that does not fit.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum BadQuery {
    /// The query does not fit.
    #[response(status = 400, content_type = "application/problem+json")]
    Status(ProblemDetails),
}

/// A body that does not fit.
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
    /// It is not application/json, or it is compressed.
    #[response(status = 415, content_type = "application/problem+json")]
    ContentType(ProblemDetails),
    /// Fields do not fit; `errors` names them.
    #[response(status = 422, content_type = "application/problem+json")]
    Fields(ProblemDetails),
}
