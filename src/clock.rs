//! The time, as a value that is passed to whatever decides by it. Tests move their clock; the process never does.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// The machine's time, for commands and for pages, which have no [`Clock`] to ask. Whole microseconds, as Postgres keeps them.
#[allow(clippy::disallowed_methods, reason = "its home")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A clock that tests can move.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_millis: Arc<AtomicI64>,
    /// Microseconds since 1970 where it stands still; 0 while it goes.
    stands_at: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// Whole microseconds, as Postgres keeps them: a time reads back as it was written.
    pub fn now(&self) -> DateTime<Utc> {
        if let micros @ 1.. = self.stands_at.load(Ordering::Relaxed)
            && let Some(time) = DateTime::from_timestamp_micros(micros)
        {
            return time;
        }
        now() + Duration::milliseconds(self.ahead_millis.load(Ordering::Relaxed))
    }

    /// Moves this clock and all its clones, for tests of expiry.
    pub fn advance(&self, by: Duration) {
        self.ahead_millis.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// Stops this clock and all its clones, for tests of what is shown.
    pub fn stand_at(&self, time: DateTime<Utc>) {
        self.stands_at.store(time.timestamp_micros().max(1), Ordering::Relaxed);
    }

    /// Lets this clock and all its clones run again.
    pub fn go_on(&self) {
        self.stands_at.store(0, Ordering::Relaxed);
    }
}
