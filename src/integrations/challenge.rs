//! A challenge that a browser solves before it becomes a guest, as Cloudflare Turnstile, hCaptcha and reCAPTCHA have it: the page
//! gets a token, and the provider's `siteverify` says whether it is good.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    OutsideSettings,
    outbound_http::{self, OutsideError},
};

/// The longest token that is sent on; Turnstile's have at most 2,048 characters.
const LONGEST_TOKEN: usize = 2048;

/// Where tokens are verified, and with what.
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

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    #[error("the challenge was not solved")]
    NotSolved,
    /// The provider does not say. Whoever cannot be verified is not let in.
    #[error("the challenge could not be verified: {0}")]
    Unverified(String),
}

#[derive(Deserialize)]
struct Verdict {
    success: bool,
}

impl Challenge {
    pub fn new(settings: ChallengeSettings, outside: &OutsideSettings) -> Result<Self, OutsideError> {
        let client = outbound_http::client(None, outside)?;
        Ok(Self { settings, client })
    }

    /// Whether the provider says that `token` is of a challenge solved at this address.
    pub async fn verify(&self, token: Option<&str>, address: IpAddr) -> Result<(), ChallengeError> {
        let token = token
            .filter(|token| (1..=LONGEST_TOKEN).contains(&token.len()))
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
