//! A challenge that a browser solves before it becomes a guest, such as Cloudflare Turnstile, hCaptcha or reCAPTCHA: the page gets a token,
//! and the provider's `siteverify` says whether it is valid.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    OutboundSettings,
    outbound_http::{self, OutboundError},
};

/// The longest token that is verified; Turnstile's have at most 2,048 characters.
const MAX_TOKEN_BYTES: usize = 2048;

/// Where tokens are verified, and with which secret.
#[derive(Clone, Debug)]
pub struct ChallengeSettings {
    pub verify_url: String,
    pub secret: SecretString,
}

/// Verifies tokens.
#[derive(Clone)]
pub struct Challenge {
    settings: ChallengeSettings,
    client: reqwest::Client,
}

/// Why a visitor is not let in.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    #[error("the challenge was not solved")]
    NotSolved,
    /// The provider gave no answer. A visitor who cannot be verified is not let in.
    #[error("the challenge could not be verified: {0}")]
    Unverified(String),
}

#[derive(Deserialize)]
struct Verdict {
    success: bool,
}

impl Challenge {
    pub fn new(settings: ChallengeSettings, outbound: &OutboundSettings) -> Result<Self, OutboundError> {
        let client = outbound_http::client(None, outbound)?;
        Ok(Self { settings, client })
    }

    /// Whether the provider confirms that `token` belongs to a challenge solved at this address.
    pub async fn verify(&self, token: Option<&str>, address: IpAddr) -> Result<(), ChallengeError> {
        let token = token
            .filter(|token| (1..=MAX_TOKEN_BYTES).contains(&token.len()))
            .ok_or(ChallengeError::NotSolved)?;
        let unverified = |error: reqwest::Error| ChallengeError::Unverified(error.without_url().to_string());
        let form = [
            ("secret", self.settings.secret.expose_secret()),
            ("response", token),
            ("remoteip", &address.to_canonical().to_string()),
        ];
        let request = self.client.post(&self.settings.verify_url).form(&form);
        let response = request.send().await.map_err(unverified)?;
        let status = response.status();
        if !status.is_success() {
            return Err(ChallengeError::Unverified(format!("answered {}", status.as_u16())));
        }
        let body = outbound_http::body(response).await.map_err(unverified)?;
        match serde_json::from_slice(&body) {
            Ok(Verdict { success: true }) => Ok(()),
            Ok(Verdict { success: false }) => Err(ChallengeError::NotSolved),
            Err(_) => Err(ChallengeError::Unverified("the answer is no verdict".into())),
        }
    }
}
