//! The time, as a value that is passed to whatever decides by it. Tests move their clock; the running service never does.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// The machine's time, for commands and pages that have no [`Clock`]. In whole microseconds, because Postgres stores no finer time.
#[allow(
    clippy::disallowed_methods,
    reason = "every other module asks this function or a `Clock`"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A clock that tests can move or stop.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_millis: Arc<AtomicI64>,
    /// The time at which the clock is stopped, in microseconds since 1970; 0 while it runs.
    stopped_at: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The current time in whole microseconds, so that Postgres returns exactly what was stored.
    pub fn now(&self) -> DateTime<Utc> {
        if let micros @ 1.. = self.stopped_at.load(Ordering::Relaxed)
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

    /// Stops this clock and all its clones at a time, for tests whose output shows the time.
    pub fn stop_at(&self, time: DateTime<Utc>) {
        self.stopped_at.store(time.timestamp_micros().max(1), Ordering::Relaxed);
    }

    /// Lets this clock and all its clones run again.
    pub fn resume(&self) {
        self.stopped_at.store(0, Ordering::Relaxed);
    }
}
