//! Extractors that read and validate bodies, query strings and path parameters. A refusal names the field that is wrong.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
};

use serde::de::DeserializeOwned;
use validator::Validate;

use super::{body_limits, problem::Problem};
use crate::validation::{self, FieldError};

/// A JSON body that matches its type and passes its validation rules.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Validate> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers().get(header::CONTENT_TYPE)) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "Send the body as `Content-Type: application/json`.",
            ));
        }
        // Compressed bodies are never inflated, so a decompression bomb does nothing here.
        if request.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "encoded",
                "Send the body as it is, without Content-Encoding.",
            ));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| misfit(&error))?;
        deserializer
            .end()
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "bad_json", "Something follows the JSON value."))?;
        if !validation::is_object(&bytes) {
            let message = "must be a JSON object".into();
            return Err(Problem::fields(vec![FieldError {
                field: String::new(),
                code: "shape".into(),
                message,
            }]));
        }
        value
            .validate()
            .map_err(|errors| Problem::fields(validation::fields(&errors)))?;
        Ok(Self(value))
    }
}

/// The bytes of a body, unparsed, once all of it has arrived.
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (request, arriving) = body_limits::admit(request)?;
        let bytes = arriving
            .read(Bytes::from_request(request, state))
            .await
            .ok_or_else(|| {
                Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "slow_body",
                    "The body did not arrive in time.",
                )
            })?;
        bytes.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large.")
            }
            _ => Problem::new(StatusCode::BAD_REQUEST, "bad_request", "The body ended early."),
        })
    }
}

/// A page of a list, newest first.
#[derive(serde::Deserialize, Validate, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NewestFirst {
    /// Rows a page, 1 to 100.
    #[serde(default = "hundred")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 100)]
    pub limit: u32,
    /// The `id` of the last row on the previous page.
    pub before: Option<uuid::Uuid>,
}

pub fn hundred() -> u32 {
    100
}

/// The number of rows on a page when the caller does not ask for one.
pub fn default_page_size() -> u32 {
    50
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let fault = validation::json_fault(error.inner());
    if error.inner().is_data() {
        return Problem::fields(vec![validation::misfit(error)]);
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_json",
        format!("The body is not JSON: {fault}."),
    )
}

/// Whether a content type is `application/json`, with or without `charset=utf-8`. Other types are refused because a page of another
/// site could send a form or plain text without a CORS preflight.
fn is_json(content_type: Option<&header::HeaderValue>) -> bool {
    let Some(text) = content_type.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|mime| mime.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8"))
}

/// A query string that matches its type and passes its validation rules.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Validate> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail);
        let axum::extract::Query(value) = axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                bad(format!(
                    "The query is invalid: {}.",
                    rejection.body_text().chars().take(200).collect::<String>()
                ))
            })?;
        value.validate().map_err(|errors| {
            let (field, message) = validation::first(&errors);
            bad(format!("`{field}` {message}."))
        })?;
        Ok(Self(value))
    }
}

/// A path parameter. One that cannot be parsed names nothing, so it gets a 404.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Problem::not_found())
    }
}
