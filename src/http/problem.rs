//! Errors as RFC 9457 problem details, and the middleware that renders them. `error_mapping` maps the errors of the other modules to
//! problems.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::REQUEST_ID;
use crate::{
    telemetry::{self, Metrics},
    validation::FieldError,
};

/// Whether the store has reached the limit of things that it may have in use, which the database trigger `enforce_row_limit` enforces.
fn is_full(error: &sqlx::Error) -> bool {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    constraint == Some("row_limit")
}

/// An error for the client. Its text is public, so it must not contain internals.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u32>,
}

/// RFC 9457 problem details, `application/problem+json`.
#[derive(Serialize, ToSchema)]
pub struct ProblemDetails {
    /// The kind of problem. This name is stable.
    #[schema(example = "urn:countersign:problem:not_found")]
    r#type: String,
    #[schema(example = "Not Found")]
    title: String,
    #[schema(example = 404)]
    status: u16,
    /// What is wrong, and how to correct it.
    detail: String,
    /// The request's id. Quote it when you ask for help.
    request_id: String,
    /// The invalid fields, if that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Log in and send the session token as `Authorization: Bearer …`.",
        )
    }

    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not allow this.")
    }

    /// A guest asks for something that needs an account.
    pub fn sign_in_first() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "sign_in_first",
            "Guests may not do this. Sign in first.",
        )
    }

    pub fn cross_site() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "A cookie does not authorise requests from other sites.",
        )
    }

    pub fn too_many(seconds: u32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many",
            "Too many requests. Wait as long as Retry-After says.",
        )
        .retry_after(seconds)
    }

    /// The store has as many of these in use as it is allowed.
    pub fn full() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "too_many_in_use",
            "The store has as many of these as it may. Take one out of use first.",
        )
    }

    /// The request has no Host header, or several, of which a proxy could read another one (RFC 9112, section 3.2).
    pub fn bad_host() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_host", "Send exactly one Host header.")
    }

    /// The request's line and headers are too large.
    pub fn head_too_large() -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            "The request's headers are larger than 32 KiB.",
        )
    }

    /// This process has as many requests as it can handle at once.
    pub fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "The server is busy. Try again in a few seconds.",
        )
        .retry_after(5)
    }

    pub fn is_server_fault(&self) -> bool {
        self.status.is_server_error()
    }

    /// Not found, or it belongs to somebody else. The caller is not told which.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    pub fn fields(errors: Vec<FieldError>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("Some fields are invalid: {}.", names.join(", "));
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", detail)
        }
    }

    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// A database error. The cause is logged, and the client gets the request id.
    pub(super) fn database(error: &sqlx::Error) -> Self {
        if is_full(error) {
            return Self::full();
        }
        tracing::error!(error = %telemetry::cause(error), "the database failed");
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service is not available right now. Please try again.",
            )
            .retry_after(5),
            _ => Self::internal(),
        }
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side.",
        )
    }
}

impl IntoResponse for Problem {
    /// Only marks the response: [`render`] writes the body, where the request id is known.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns every error response into problem details, including those of the framework and of other layers.
pub async fn render(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let request_id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut response = next.run(request).await;
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // An HTML page explains its error itself.
        None if is_page(&response) => return response,
        None if response.status().is_client_error() || response.status().is_server_error() => {
            of_status(response.status())
        }
        None => return response,
    };
    metrics.problem(problem.code);
    let details = ProblemDetails {
        r#type: format!("urn:countersign:problem:{}", problem.code),
        title: problem.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: problem.status.as_u16(),
        detail: problem.detail,
        request_id,
        errors: problem.errors,
    };
    // Headers such as Allow and Retry-After stay; those that describe the old body do not.
    for old in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
    ] {
        response.headers_mut().remove(old);
    }
    let headers = std::mem::take(response.headers_mut());
    let extensions = std::mem::take(response.extensions_mut());
    let mut rendered = (problem.status, Json(details)).into_response();
    rendered.extensions_mut().extend(extensions);
    rendered.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    rendered.headers_mut().extend(headers);
    rendered
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "method_not_allowed",
            "This path does not take that method; see the Allow header.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "too_large", "The body is too large."),
        StatusCode::SERVICE_UNAVAILABLE => Problem::new(
            status,
            "unavailable",
            "The service did not answer in time. Please try again.",
        ),
        status if status.is_client_error() => Problem::new(status, "bad_request", "The request cannot be read."),
        _ => Problem::internal(),
    }
}

/// Answers a request whose handler panicked. The panic's text is not repeated, because it may contain anything.
pub fn on_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
