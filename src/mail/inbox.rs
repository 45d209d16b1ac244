//! The demo's inbox: keeps outgoing mails in memory for a page, instead of sending them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use quoted_printable::ParseMode;

/// How many mails are kept; the oldest are dropped first.
const MAX_MAILS: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct Inbox {
    mails: Arc<Mutex<VecDeque<CaughtMail>>>,
}

/// A caught mail.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CaughtMail {
    pub at: DateTime<Utc>,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Inbox {
    pub fn catch(&self, mail: CaughtMail) {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(mail);
        mails.truncate(MAX_MAILS);
    }

    pub fn forget(&self) {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All mails, newest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().cloned().collect()
    }
}

impl CaughtMail {
    /// Parses a mail as it is sent: its subject and its plain text. Lenient, because it is only displayed.
    pub fn parse(to: String, raw: &str) -> Self {
        let (head, _) = raw.split_once("\r\n\r\n").unwrap_or((raw, ""));
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let subject = unfolded.lines().find_map(|line| line.strip_prefix("Subject: "));
        let part = |kind: &str| {
            let (_, part) = raw.split_once(&format!("Content-Type: {kind}"))?;
            let (head, body) = part.split_once("\r\n\r\n")?;
            let body = body.split("\r\n--").next().unwrap_or(body);
            Some(decode(head, body))
        };
        Self {
            at: crate::clock::now(),
            to,
            subject: decode_words(subject.unwrap_or_default()),
            text: part("text/plain").unwrap_or_default(),
            html: part("text/html").unwrap_or_default(),
        }
    }
}

/// A part's body, by its Content-Transfer-Encoding.
fn decode(head: &str, body: &str) -> String {
    let encoding = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Transfer-Encoding: "));
    match encoding.map(str::trim) {
        Some("base64") => {
            let joined: String = body.split_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(joined).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Some("quoted-printable") => {
            let bytes = quoted_printable::decode(body, ParseMode::Robust).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => body.to_owned(),
    }
}

/// Decodes the encoded words of a header (RFC 2047), in base64 as our mails have them.
fn decode_words(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
        match encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok()) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
