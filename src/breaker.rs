//! A circuit breaker: what keeps failing is left alone for a while, so that nobody waits for it in vain.

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

/// Failures in a row that open it.
pub const FAILURES: u32 = 5;
/// How long it stays open at first and, when it fails on, at most.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Clones share their state. After its rest the next calls try: one that succeeds closes it, one that fails opens it again.
#[derive(Clone)]
pub struct Breaker {
    machine: StateMachine<ConsecutiveFailures<EqualJittered>, Light>,
    light: Light,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(FIRST_REST)
    }
}

impl Breaker {
    fn new(rest: Duration) -> Self {
        let light = Light::default();
        let policy = failure_policy::consecutive_failures(FAILURES, backoff::equal_jittered(rest, LONGEST_REST));
        let machine = Config::new().failure_policy(policy).instrument(light.clone()).build();
        Self { machine, light }
    }

    /// Whether the other side may be asked now. Whoever asks then says how it went.
    pub fn lets_through(&self) -> bool {
        self.machine.is_call_permitted()
    }

    pub fn note(&self, went_well: bool) {
        match went_well {
            true => self.machine.on_success(),
            false => self.machine.on_error(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.light.0.load(Ordering::Relaxed)
    }
}

/// Lit while calls are turned away.
#[derive(Clone, Default)]
struct Light(Arc<AtomicBool>);

impl Instrument for Light {
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
        // Whole seconds, of which chance takes up to half.
        let breaker = Breaker::new(Duration::from_secs(4));
        for _ in 0..FAILURES - 1 {
            breaker.note(false);
        }
        breaker.note(true);
        for _ in 0..FAILURES - 1 {
            breaker.note(false);
            assert!(breaker.lets_through());
        }
        breaker.note(false);
        assert!(!breaker.lets_through() && breaker.is_open());
        std::thread::sleep(Duration::from_millis(4_100));
        assert!(breaker.lets_through());
        breaker.note(true);
        assert!(breaker.lets_through() && !breaker.is_open());
    }
}
