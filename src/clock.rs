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

/// A time as people of a place read it, with the name of its time zone: `2026-11-02 10:42 (Europe/Berlin)`. It is in UTC if the zone is
/// unknown.
pub fn local_text(at: DateTime<Utc>, time_zone: &str) -> String {
    let zone: chrono_tz::Tz = time_zone.parse().unwrap_or(chrono_tz::UTC);
    format!("{} ({})", at.with_timezone(&zone).format("%Y-%m-%d %H:%M"), zone.name())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_text_names_the_zone_and_follows_its_summer_time() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        for (time, zone, text) in [
            (
                "2026-11-02T09:42:00Z",
                "Europe/Berlin",
                "2026-11-02 10:42 (Europe/Berlin)",
            ),
            (
                "2026-07-02T23:42:00Z",
                "Europe/Berlin",
                "2026-07-03 01:42 (Europe/Berlin)",
            ),
            ("2026-11-02T09:42:00Z", "UTC", "2026-11-02 09:42 (UTC)"),
            ("2026-11-02T09:42:00Z", "Nowhere/Else", "2026-11-02 09:42 (UTC)"),
        ] {
            assert_eq!(local_text(at(time), zone), text);
        }
    }
}
