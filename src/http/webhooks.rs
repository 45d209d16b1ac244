//! The route that receives webhooks of other systems. It checks the signature and stores the event once; the job queue processes it.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::{
    WebhookState,
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
        incoming_webhooks::{self, IncomingError, Received},
    },
    tenancy::{Pool, Web},
};

/// Receives an event from another system. `store` is the store's publishable key.
#[utoipa::path(post, path = "/v1/webhooks/{store}/{source}", operation_id = "receiveWebhook", tag = "webhooks", security(()),
    params(("store" = String, Path, example = "pk_…"), ("source" = inline(Source), Path)),
    request_body(content = serde_json::Value, description = "The event as its sender documents it; at most 1 MiB"),
    responses((status = 200, description = "The sender's test that the address answers (WooCommerce); nothing is stored"),
        (status = 202, description = "The event is stored, now or by an earlier request"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "The body is signed but is not a JSON object"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "The signature is not valid"),
        (status = 408, body = ProblemDetails, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json", description = "The body is too large"), NotFound))]
#[allow(clippy::too_many_arguments, reason = "each is an extractor of the request")]
pub async fn receive(
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    State(identity): State<Identity>,
    State(webhooks): State<WebhookState>,
    Extension(ClientAddress(caller)): Extension<ClientAddress>,
    Path((store, source)): Path<(String, Source)>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    // The place is taken after the whole body has arrived, so that a slow sender does not hold one.
    let _place = webhooks.places.acquire().await.map_err(|_| Problem::internal())?;
    let store = identity
        .store(Some(&store))
        .await
        .map_err(|error| match Problem::from(error) {
            fault if fault.is_server_fault() => fault,
            _ => Problem::not_found(),
        })?;
    let taken = incoming_webhooks::take(
        &web,
        &webhooks.keyring,
        store.id,
        source,
        (caller, &headers),
        body,
        clock.now(),
    );
    match taken.await {
        // WooCommerce takes nothing but 200 as an answer to its test.
        Ok(Received::Test) => Ok(StatusCode::OK),
        Ok(Received::New | Received::Known) => Ok(StatusCode::ACCEPTED),
        Err(IncomingError::Signature) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad_signature",
            "The signature is invalid or too old; check the secret and the clock.",
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
