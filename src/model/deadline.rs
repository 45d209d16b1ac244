//! The deadlines of an answer: how long a model may take for its first chunk, and for all of it.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{ChunkStream, ModelError};

#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// To the first sign of an answer; reasoning is one.
    pub first_chunk: Duration,
    /// To the last chunk.
    pub total: Duration,
}

impl Default for Deadlines {
    /// Ten seconds to the first token, half a minute in all: longer than good providers take, and shorter than people wait.
    fn default() -> Self {
        Self {
            first_chunk: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

impl Deadlines {
    /// Ends `chunks` with [`ModelError::TooSlow`] at whichever deadline comes first.
    pub fn guard(self, chunks: ChunkStream) -> ChunkStream {
        let start = Instant::now();
        let first = start + self.first_chunk.min(self.total);
        stream::unfold(Some((chunks, first)), move |state| async move {
            let (mut chunks, deadline) = state?;
            match timeout_at(deadline, chunks.next()).await {
                Ok(Some(chunk)) => Some((chunk, Some((chunks, start + self.total)))),
                Ok(None) => None,
                Err(_) => Some((Err(ModelError::TooSlow), None)),
            }
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Chunk;

    #[tokio::test(start_paused = true)]
    async fn a_silent_model_and_an_endless_one_are_both_cut() {
        let deadlines = Deadlines {
            first_chunk: Duration::from_secs(2),
            total: Duration::from_secs(5),
        };
        let silent: Vec<_> = deadlines.guard(stream::pending().boxed()).collect().await;
        assert!(matches!(silent[..], [Err(ModelError::TooSlow)]));
        let endless = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Chunk::Text("a".into())), ()))
        });
        let endless: Vec<_> = deadlines.guard(endless.boxed()).collect().await;
        assert!(matches!(endless.last(), Some(Err(ModelError::TooSlow))));
        assert!((4..=6).contains(&endless.len()));
    }
}
