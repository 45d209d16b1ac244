//! Back-off: how long to wait before something that failed is tried again.

use chrono::Duration;
use rand::RngExt;

/// The wait after so many attempts: `first`, doubled each time, at most `longest`. Half of it is random, so that what failed together is
/// not retried together.
pub fn backoff(attempts: i32, first: Duration, longest: Duration) -> Duration {
    let most = most(attempts, first, longest).num_milliseconds();
    Duration::milliseconds(rand::rng().random_range(most / 2..=most))
}

fn most(attempts: i32, first: Duration, longest: Duration) -> Duration {
    (first * 2i32.pow(attempts.clamp(1, 12) as u32 - 1)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_never_alike() {
        let (first, longest) = (Duration::seconds(15), Duration::hours(6));
        for attempts in 1..=20 {
            let most = most(attempts, first, longest);
            let waits: Vec<Duration> = (0..20).map(|_| backoff(attempts, first, longest)).collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| *wait <= most && *wait >= most / 2 - Duration::milliseconds(1))
            );
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }
}
