//! Where other systems say what happened: checked, stored once, answered; the work is the queue's.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::{
    Outside,
    client_ip::ClientAddress,
    extract::{Path, RawBody},
    problem::{Problem, ProblemDetails},
    responses::NotFound,
};
use crate::{
    clock::Clock,
    identity::Identity,
    integrations::{
        event_source::Source,
        incoming_webhooks::{self, IncomingError},
    },
    tenancy::{Pool, Web},
};

/// Takes an event of another system's. `store` is the store's publishable key.
#[utoipa::path(post, path = "/v1/webhooks/{store}/{source}", tag = "webhooks", security(()),
    params(("store" = String, Path, example = "pk_…"), ("source" = inline(Source), Path)),
    request_body(content = serde_json::Value, description = "As its sender documents it; at most 1 MiB"),
    responses((status = 202, description = "Stored, now or before"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "Signed, and not a JSON object"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "The signature does not hold"),
        (status = 408, body = ProblemDetails, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json", description = "The body is too large"), NotFound))]
pub async fn take(
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    State(identity): State<Identity>,
    State(outside): State<Outside>,
    Extension(ClientAddress(caller)): Extension<ClientAddress>,
    Path((store, source)): Path<(String, Source)>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    // Only now that all of it is here: whoever sends slowly must not hold a place.
    let _place = outside.places.acquire().await.map_err(|_| Problem::internal())?;
    let store = identity
        .store(Some(&store))
        .await
        .map_err(|error| match Problem::from(error) {
            fault if fault.is_server_fault() => fault,
            _ => Problem::not_found(),
        })?;
    let taken = incoming_webhooks::take(
        &web,
        &outside.keyring,
        store.id,
        source,
        (caller, &headers),
        body,
        clock.now(),
    );
    match taken.await {
        Ok(_) => Ok(StatusCode::ACCEPTED),
        Err(IncomingError::Signature) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad_signature",
            "The signature does not hold; check the secret and the clock.",
        )),
        Err(IncomingError::Body) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_json",
            "The body is not a JSON object.",
        )),
        Err(IncomingError::Busy(_)) => Err(Problem::busy()),
        Err(IncomingError::Database(error)) => Err(error.into()),
    }
}
