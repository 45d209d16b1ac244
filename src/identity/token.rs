//! Tokens: opaque, 256 random bits, stored only as a hash under the server's key.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    ids::TenantId,
    keyring::{Keyring, Purpose},
};

const ENCODED: usize = 64;

/// The token of a shopper's session.
pub type SessionToken = Token<'c'>;
/// The token of a staff session.
pub type StaffToken = Token<'s'>;
/// The token of a machine's API key.
pub type ApiKeyToken = Token<'k'>;

/// `cs_` (shoppers), `st_` (staff) or `ck_` (machines) + tenant id + 256 random bits, base64url. The kinds cannot be confused: they differ
/// in type, in prefix and in table. The tenant id is a routing hint, so that the lookup runs inside that tenant's row-level security; it
/// proves nothing, because the stored hash covers the whole token.
#[derive(Clone)]
pub struct Token<const KIND: char> {
    tenant: TenantId,
    text: String,
}

impl<const KIND: char> Token<KIND> {
    const PREFIX: &str = match KIND {
        's' => "st_",
        'k' => "ck_",
        _ => "cs_",
    };

    pub fn generate(tenant: TenantId) -> Self {
        let mut bytes = tenant.as_uuid().into_bytes().to_vec();
        bytes.extend(rand::random::<[u8; 32]>());
        Self {
            tenant,
            text: format!("{}{}", Self::PREFIX, BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        }
    }

    /// Parses a token from a header. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(Self::PREFIX).filter(|rest| rest.len() == ENCODED)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let tenant = Uuid::from_slice(bytes.get(..16)?).ok()?;
        Some(Self {
            tenant: tenant.into(),
            text: text.to_owned(),
        })
    }

    /// The token's text, for the answer to a login; it is shown only this once.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The store that the token names, which is not proved yet.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The hash that is stored for it.
    pub(super) fn hash(&self, keyring: &Keyring) -> [u8; 32] {
        keyring.mac(Purpose::Token, self.text.as_bytes())
    }

    /// The hashes that may be stored for it, one under each valid key.
    pub(super) fn hashes(&self, keyring: &Keyring) -> Vec<Vec<u8>> {
        keyring.macs(Purpose::Token, self.text.as_bytes())
    }
}

impl<const KIND: char> fmt::Debug for Token<KIND> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_reads_back_and_never_prints() {
        let tenant = TenantId::new();
        let token = SessionToken::generate(tenant);
        let read = SessionToken::parse(token.expose()).expect("reads back");
        assert_eq!((read.tenant(), read.expose()), (tenant, token.expose()));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_token(text in ".{0,100}") {
            prop_assert!(SessionToken::parse(&text).is_none());
        }

        #[test]
        fn a_changed_token_has_another_hash(at in 3usize..67, letter in "[A-Za-z0-9_-]") {
            let token = SessionToken::generate(TenantId::new());
            let mut changed = token.expose().to_owned();
            changed.replace_range(at..=at, &letter);
            if changed != token.expose() && let Some(other) = SessionToken::parse(&changed) {
                let keyring = Keyring::new(&"key".into(), None);
                prop_assert_ne!(other.hash(&keyring), token.hash(&keyring));
            }
        }
    }
}
