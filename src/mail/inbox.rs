//! The demo's inbox: mails that would have left, kept in memory for a page.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// Mails that are kept; the oldest go first.
const MOST: usize = 100;

#[derive(Clone, Debug, Default)]
pub struct Inbox {
    mails: Arc<Mutex<VecDeque<Caught>>>,
}

/// A mail that was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    pub at: DateTime<Utc>,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Inbox {
    pub(super) fn catch(&self, mail: Caught) {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(mail);
        mails.truncate(MOST);
    }

    /// The newest first.
    pub fn mails(&self) -> Vec<Caught> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().cloned().collect()
    }
}
