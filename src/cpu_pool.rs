//! Bounded pools for work that keeps a processor busy: password hashes, strength estimates, signatures of large bodies.
//!
//! Nothing that costs more than a millisecond of CPU may run on a runtime thread, where it would hold up every other request of that
//! thread. Work runs on blocking threads, as many at once as there are processors, and a bounded number waits. What comes on top is
//! refused at once, so that a flood is shed and does not pile up. Each kind of work has a pool of its own: a flood of one kind takes
//! no place of another.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use tokio::sync::Semaphore;

use crate::network::{self, Network, Places};

/// Hashes of passwords. At 20 ms a hash and two processors the last who waits does so for about 1.3 s.
pub static PASSWORDS: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(128));
/// Estimates of how strong a password is. The dearest takes 15 ms, so that the last of 32 who wait does so for a quarter of a second.
pub static ESTIMATES: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(32));
/// Signatures and the parsing of incoming webhooks, which are up to 1 MiB.
pub static WEBHOOKS: LazyLock<CpuPool> = LazyLock::new(|| CpuPool::of_this_machine(64));

/// There is no room to wait.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much work is waiting")]
pub struct Busy;

/// One kind of work's threads.
pub struct CpuPool {
    running: Arc<Semaphore>,
    /// Those who run and those who wait.
    places: Arc<Semaphore>,
    /// The places that callers of one network hold, and of one IPv6 /48.
    shares: Places<Network>,
    most: usize,
}

impl CpuPool {
    /// Runs as much at once as there are processors, and lets so many callers wait.
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

    /// Runs `work`, after those who wait already. Callers of one network hold a quarter of the places at most, and those of an IPv6 /48 a
    /// half; work that no stranger asked for has no address.
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
        // The work holds its place: a caller that hangs up does not make room while it goes on.
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
        // Two run at once, and the test lets them go on.
        let gate = Arc::new(Barrier::new(3));
        let address = |text: &str| Some(text.parse().expect("an address"));
        let mut working = Vec::new();
        // A quarter of eight places for a network, a half for the /48 above.
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
