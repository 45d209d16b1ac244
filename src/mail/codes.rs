//! The text of a code: computed from its row's id with the server's key, so that it is stored nowhere and can be computed again when its
//! mail is sent.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Duration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    keyring::{self, Keyring},
    tenancy::{Role, Tx},
};

pub type CodeId = Uuid;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    Register,
    LogIn,
    ResetPassword,
    ProveOrder,
    InviteStaff,
}

impl Purpose {
    pub fn lifetime(self) -> Duration {
        match self {
            Self::InviteStaff => Duration::days(3),
            Self::ResetPassword => Duration::minutes(30),
            _ => Duration::minutes(10),
        }
    }

    /// Whether the code is mailed as a link with 128 random bits, which names its row. Other codes are eight digits and allow few wrong
    /// guesses.
    pub fn is_link(self) -> bool {
        matches!(self, Self::ResetPassword | Self::InviteStaff)
    }
}

/// The code's text under each valid key, the current one first.
pub fn texts(keyring: &Keyring, id: CodeId, link: bool) -> Vec<String> {
    let macs = keyring.macs(keyring::Purpose::Code, id.as_bytes());
    macs.iter()
        .map(|mac| match link {
            true => BASE64_URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &mac[..16]].concat()),
            false => {
                let number = mac
                    .iter()
                    .take(8)
                    .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
                format!("{:08}", number % 100_000_000)
            }
        })
        .collect()
}

/// The content of a code's mail.
// No `Debug`: it holds private data.
pub struct MailedCode {
    pub purpose: Purpose,
    pub email: String,
    pub text: String,
    pub minutes: i64,
    /// Whether the address has an account already, so that the mail says that instead.
    pub known: bool,
}

/// What the mail of a code needs; none when the code has expired or was used.
pub async fn mailed<R: Role>(tx: &mut Tx<R>, keyring: &Keyring, id: CodeId) -> Result<Option<MailedCode>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT purpose AS "purpose: Purpose", email, known FROM codes WHERE id = $1 AND used_at IS NULL"#,
        id
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.and_then(|row| {
        Some(MailedCode {
            text: texts(keyring, id, row.purpose.is_link()).into_iter().next()?,
            minutes: row.purpose.lifetime().num_minutes(),
            purpose: row.purpose,
            email: row.email,
            known: row.known,
        })
    }))
}
