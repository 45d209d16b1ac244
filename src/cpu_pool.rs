//! Bounded pools for CPU-heavy work: password hashes, strength estimates, signatures of large bodies, reading of long messages.
//!
//! Nothing that costs more than a millisecond of CPU may run on a runtime thread, where it would hold up every other request on that
//! thread. Work runs on blocking threads, as many at once as there are processors, and a bounded number of callers waits. Further callers
//! are refused at once, so that a flood is shed and does not pile up. Each kind of work has its own pool, so that a flood of one kind takes
//! no capacity from another.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use tokio::sync::Semaphore;

use crate::network::{self, Network, Places};

/// The pool for password hashes. At 20 ms a hash and two processors the last caller waits for about 1.3 s.
pub static PASSWORDS: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(128));
/// The pool for password strength estimates. The slowest takes 15 ms, so the last of 32 callers waits for about a quarter of a second.
pub static ESTIMATES: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(32));
/// The pool for signatures and parsing of incoming webhooks, which are up to 1 MiB.
pub static WEBHOOKS: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(64));

/// The pool for reading messages by rules. The longest takes 2 ms, so the last of 128 callers waits for about 130 ms.
pub static MESSAGES: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(128));

/// The pool is full: as many callers wait as may.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much work is waiting")]
pub struct Busy;

/// A bounded pool for one kind of CPU-heavy work.
pub struct CpuPool {
    running: Arc<Semaphore>,
    /// One permit for each caller that runs or waits.
    places: Arc<Semaphore>,
    /// The places held by each network, and by each IPv6 /48.
    shares: Places<Network>,
    most: usize,
}

impl CpuPool {
    /// Creates a pool that runs as many jobs at once as there are processors and lets `waiting` callers queue.
    fn of_this_machine(waiting: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self::new(processors, waiting)
    }

    fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running + waiting)),
            shares: Places::default(),
            most: running + waiting,
        }
    }

    /// Runs `work` after the callers that wait already. The callers of one network hold at most a quarter of the places, those of an IPv6
    /// /48 at most half. Work that the service starts itself has no caller address.
    pub async fn run<T: Send + 'static>(
        &self,
        caller: Option<IpAddr>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let part = |of: usize| (self.most / of).max(1);
        let shares = caller
            .into_iter()
            .flat_map(|address| network::shares(address, part(4), part(2)));
        let share = self.shares.take(shares).map_err(|_| Busy)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        // The work holds its place until it ends: a caller that disconnects does not free it early.
        let work = move || {
            let done = work();
            drop((share, place, turn));
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn so_many_run_so_many_wait_and_the_rest_is_refused_at_once() {
        let pool = Arc::new(CpuPool::new(1, 2));
        let gate = Arc::new(Barrier::new(2));
        let mut working = Vec::new();
        for _ in 0..3 {
            let (pool, gate) = (pool.clone(), gate.clone());
            working.push(tokio::spawn(async move {
                pool.run(None, move || gate.wait()).await.is_ok()
            }));
            tokio::task::yield_now().await;
        }
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(None, || ()).await, Err(Busy));
        for _ in 0..3 {
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.expect("passes");
        }
        for work in working {
            assert!(work.await.expect("runs"));
        }
        assert_eq!(pool.run(None, || ()).await, Ok(()), "there is room again");
    }

    #[tokio::test]
    async fn callers_of_one_network_leave_places_for_others() {
        let pool = Arc::new(CpuPool::new(2, 6));
        // Two jobs run at once, until the test releases them.
        let gate = Arc::new(Barrier::new(3));
        let address = |text: &str| Some(text.parse().expect("an address"));
        let mut working = Vec::new();
        // Of eight places, a network may hold a quarter and the /48 above it half.
        for from in [
            "2001:db8:1:1::1",
            "2001:db8:1:1::2",
            "2001:db8:1:2::1",
            "2001:db8:1:3::1",
        ] {
            let (pool, gate, caller) = (pool.clone(), gate.clone(), address(from));
            working.push(tokio::spawn(async move {
                pool.run(caller, move || gate.wait()).await.is_ok()
            }));
        }
        while pool.places.available_permits() > 4 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            pool.run(address("2001:db8:1:1::3"), || ()).await,
            Err(Busy),
            "its network"
        );
        assert_eq!(pool.run(address("2001:db8:1:4::1"), || ()).await, Err(Busy), "its site");
        let (other, caller) = (pool.clone(), address("192.0.2.1"));
        working.push(tokio::spawn(async move { other.run(caller, || ()).await.is_ok() }));
        for _ in 0..2 {
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.expect("passes");
        }
        for work in working {
            assert!(work.await.expect("runs"));
        }
    }
}
