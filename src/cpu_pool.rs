//! A bounded pool for work that keeps a processor busy: password hashes and strength estimates.
//!
//! Nothing that costs more than a millisecond of CPU may run on a runtime thread, where it would hold up every other request of that
//! thread. Work runs on blocking threads, as many at once as there are processors, and a bounded number waits. What comes on top is
//! refused at once, so that a flood is shed and does not pile up.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

/// Callers that may wait. At 20 ms a hash and two processors the last of them waits about 0.6 s.
const WAITING: usize = 64;

static POOL: LazyLock<CpuPool> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    CpuPool::new(processors, WAITING)
});

/// There is no room to wait.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much work is waiting")]
pub struct Busy;

struct CpuPool {
    running: Arc<Semaphore>,
    /// Those who run and those who wait.
    places: Arc<Semaphore>,
}

impl CpuPool {
    fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
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

/// Runs `work` in the process's pool.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    POOL.run(work).await
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
