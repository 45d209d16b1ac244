//! A circuit breaker: a dependency that keeps failing is not called for a while, so that nobody waits for it in vain.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use failsafe::{
    Config, Instrument, StateMachine,
    backoff::{self, EqualJittered},
    failure_policy::{self, ConsecutiveFailures},
};

/// How many failures in a row open the breaker.
pub const FAILURE_THRESHOLD: u32 = 5;
/// How long the breaker stays open at first, and at most when the failures go on.
const FIRST_OPEN_TIME: Duration = Duration::from_secs(10);
const MAX_OPEN_TIME: Duration = Duration::from_secs(60);

/// A circuit breaker. Clones share their state. When the open time is over, calls are tried again: a success closes the breaker, a failure
/// opens it again.
#[derive(Clone)]
pub struct Breaker {
    machine: StateMachine<ConsecutiveFailures<EqualJittered>, OpenFlag>,
    open_flag: OpenFlag,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(FIRST_OPEN_TIME)
    }
}

impl Breaker {
    fn new(rest: Duration) -> Self {
        let open_flag = OpenFlag::default();
        let policy =
            failure_policy::consecutive_failures(FAILURE_THRESHOLD, backoff::equal_jittered(rest, MAX_OPEN_TIME));
        let machine = Config::new()
            .failure_policy(policy)
            .instrument(open_flag.clone())
            .build();
        Self { machine, open_flag }
    }

    /// Whether a call is allowed now. Whoever makes the call then reports its result with [`record`](Self::record).
    pub fn allows_call(&self) -> bool {
        self.machine.is_call_permitted()
    }

    /// Records the result of a call.
    pub fn record(&self, went_well: bool) {
        match went_well {
            true => self.machine.on_success(),
            false => self.machine.on_error(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.open_flag.0.load(Ordering::Relaxed)
    }
}

/// Whether the breaker is open.
#[derive(Clone, Default)]
struct OpenFlag(Arc<AtomicBool>);

impl Instrument for OpenFlag {
    fn on_call_rejected(&self) {}
    fn on_open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn on_half_open(&self) {}
    fn on_closed(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_one_success_after_its_rest_closes_it() {
        // Whole seconds, because the jitter may take off up to half.
        let breaker = Breaker::new(Duration::from_secs(4));
        for _ in 0..FAILURE_THRESHOLD - 1 {
            breaker.record(false);
        }
        breaker.record(true);
        for _ in 0..FAILURE_THRESHOLD - 1 {
            breaker.record(false);
            assert!(breaker.allows_call());
        }
        breaker.record(false);
        assert!(!breaker.allows_call() && breaker.is_open());
        std::thread::sleep(Duration::from_millis(4_100));
        assert!(breaker.allows_call());
        breaker.record(true);
        assert!(breaker.allows_call() && !breaker.is_open());
    }
}
