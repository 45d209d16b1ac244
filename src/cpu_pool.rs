//! Bounded pools for work that keeps a processor busy: password hashes, strength estimates, signatures of large bodies.
//!
//! Nothing that costs more than a millisecond of CPU may run on a runtime thread, where it would hold up every other request of that
//! thread. Work runs on blocking threads, as many at once as there are processors, and a bounded number waits. What comes on top is
//! refused at once, so that a flood is shed and does not pile up. Each kind of work has a pool of its own: a flood of one kind takes
//! no place of another.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

/// Callers that may wait. At 20 ms a hash and two processors the last of them waits about 0.6 s.
const WAITING: usize = 64;

/// Hashes of passwords and codes, and estimates of strength.
pub static PASSWORDS: LazyLock<CpuPool> = LazyLock::new(CpuPool::of_this_machine);
/// Signatures and the parsing of incoming webhooks, which are up to 1 MiB.
pub static WEBHOOKS: LazyLock<CpuPool> = LazyLock::new(CpuPool::of_this_machine);

/// There is no room to wait.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much work is waiting")]
pub struct Busy;

/// One kind of work's threads.
pub struct CpuPool {
    running: Arc<Semaphore>,
    /// Those who run and those who wait.
    places: Arc<Semaphore>,
}

impl CpuPool {
    fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self::new(processors, WAITING)
    }

    fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Runs `work`, after those who wait already.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        // The work holds its place: a caller that hangs up does not make room while it goes on.
        let work = move || {
            let done = work();
            drop((place, turn));
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
            working.push(tokio::spawn(async move { pool.run(move || gate.wait()).await.is_ok() }));
            tokio::task::yield_now().await;
        }
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| ()).await, Err(Busy));
        for _ in 0..3 {
            let gate = gate.clone();
            tokio::task::spawn_blocking(move || gate.wait()).await.expect("passes");
        }
        for work in working {
            assert!(work.await.expect("runs"));
        }
        assert_eq!(pool.run(|| ()).await, Ok(()), "there is room again");
    }
}
