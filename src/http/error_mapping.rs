//! Maps the error type of each module to a [`Problem`].

use axum::http::StatusCode;

use super::problem::Problem;
use crate::{
    approvals::decide::DecideError,
    chat::{ChatError, history::DeleteError},
    identity::{IdentityError, staff::Refusal},
    integrations::webhook_delivery::EndpointError,
    ledger::LedgerError,
    validation::FieldError,
};

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|error| error.constraint()) {
            // The session ended, or its proof grew old, between the check of the route and the change.
            Some("changed_by_a_fresh_admin") => Self::unauthenticated(),
            _ => Self::database(&error),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::OwnOrder => Self::new(
                StatusCode::FORBIDDEN,
                "own_order",
                "This is your own order. A colleague must do this.",
            ),
            LedgerError::NoSession => Self::unauthenticated(),
            LedgerError::NotCovered => Self::new(
                StatusCode::CONFLICT,
                "not_covered",
                "More money would go out of the order than came in.",
            ),
            LedgerError::Database(error) => error.into(),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::NoSession => Self::unauthenticated(),
            IdentityError::NoStoreKey => Self::new(
                StatusCode::UNAUTHORIZED,
                "unknown_store",
                "Send the store's publishable key as `X-Store-Key`.",
            ),
            IdentityError::UnknownStore => Self::new(
                StatusCode::UNAUTHORIZED,
                "unknown_store",
                "There is no store with this key.",
            ),
            IdentityError::WrongCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_credentials",
                "The e-mail address or the password is wrong.",
            ),
            IdentityError::WrongCode => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_code",
                "The code is wrong or has expired. Ask for a new one.",
            ),
            IdentityError::BadAssertion => Self::new(
                StatusCode::UNAUTHORIZED,
                "bad_assertion",
                "The assertion is invalid or has expired; sign a new one.",
            ),
            IdentityError::SecondFactorNeeded => Self::new(
                StatusCode::UNAUTHORIZED,
                "second_factor_needed",
                "Send the code of your authenticator app, or a recovery code, as `code`.",
            ),
            IdentityError::Throttled(seconds) => Self::too_many(seconds),
            IdentityError::Field(field, message) => Self::fields(vec![FieldError {
                field: field.into(),
                code: "unfit".into(),
                message: message.into(),
            }]),
            IdentityError::NotFound => Self::not_found(),
            IdentityError::Busy(_) => Self::busy(),
            IdentityError::Crypto => {
                tracing::error!("cryptography failed; was SECRET_KEY changed without SECRET_KEY_OLD?");
                Self::internal()
            }
            IdentityError::Database(error) => Self::database(&error),
        }
    }
}

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Url(message) => IdentityError::Field("url", message).into(),
            EndpointError::Crypto => IdentityError::Crypto.into(),
            EndpointError::Database(error) => Self::database(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let forbidden = |code, detail: &str| Self::new(StatusCode::FORBIDDEN, code, detail);
        match refusal {
            Refusal::Role => Self::forbidden(),
            Refusal::SecondFactor => forbidden(
                "second_factor_not_set_up",
                "Set up your second factor first: POST /v1/staff/second-factor.",
            ),
            Refusal::Reauthenticate => forbidden(
                "reauthenticate",
                "Give your password again first: POST /v1/staff/reauthentication. It is good for ten minutes.",
            ),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NoConversation | ChatError::NoTurn => Self::not_found(),
            ChatError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another message. Use a new one.",
            ),
            ChatError::TurnInProgress => Self::new(
                StatusCode::CONFLICT,
                "turn_in_progress",
                "The last message of this conversation is still being answered.",
            )
            .retry_after(2),
            ChatError::Busy => Self::busy(),
            ChatError::TooMany(seconds) => Self::too_many(seconds),
            ChatError::ShuttingDown => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service is restarting. Please try again.",
            )
            .retry_after(2),
            ChatError::Database(error) => Self::database(&error),
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::InUse => Self::new(
                StatusCode::CONFLICT,
                "in_use",
                "A proposal came out of this conversation, or it is still being answered.",
            ),
            DeleteError::Database(error) => Self::database(&error),
        }
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        match error {
            DecideError::NotFound => Self::not_found(),
            DecideError::Forbidden => Self::new(
                StatusCode::FORBIDDEN,
                "not_yours_to_decide",
                "This proposal waits for somebody else's decision.",
            ),
            DecideError::Conflict(state) => conflict("not_pending", format!("The proposal is {}.", state.name())),
            DecideError::NotAsShown => conflict(
                "not_as_shown",
                "The proposal is not the one you were shown. Read it again and send its `digest`.".into(),
            ),
            DecideError::SecondPersonNeeded => conflict(
                "second_person_needed",
                "You have decided on this proposal; a second person must.".into(),
            ),
            DecideError::Database(error) => Self::database(&error),
        }
    }
}
