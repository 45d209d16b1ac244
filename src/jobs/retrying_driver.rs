//! The queue's way to the database.
//!
//! The library asks again at once after a failure, thousands of times a second, and listens no more once its connection was lost:
//! a database that comes up would be held down by us, and every job after it would wait for a poll.

use std::{any::Any, time::Duration};

use futures::{StreamExt, stream};
use graphile_worker::{
    BoxFuture, DatabaseDriver, DbError, DbExecutor, DbParams, DbRow, DbTransaction, Notification, NotificationStream,
    sqlx::SqlxDatabase,
};
use sqlx::PgPool;

/// How long a failure takes to be told.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct RetryingDriver(SqlxDatabase);

impl From<PgPool> for RetryingDriver {
    fn from(pool: PgPool) -> Self {
        Self(pool.into())
    }
}

async fn patiently<T>(asked: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let answer = asked.await;
    if answer.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
    answer
}

impl DbExecutor for RetryingDriver {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(patiently(self.0.execute(sql, params)))
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(patiently(self.0.fetch_all(sql, params)))
    }
}

impl DatabaseDriver for RetryingDriver {
    /// The library looks for its own kind here.
    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn begin<'a>(&'a self) -> BoxFuture<'a, Result<DbTransaction, DbError>> {
        Box::pin(patiently(self.0.begin()))
    }

    fn listen<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<Option<NotificationStream>, DbError>> {
        Box::pin(async move {
            let Some(first) = patiently(self.0.listen(channel)).await? else {
                return Ok(None);
            };
            let (database, channel) = (self.0.clone(), channel.to_owned());
            let heard = stream::unfold(first, move |listening| {
                let (database, channel) = (database.clone(), channel.clone());
                async move { Some(next(listening, &database, &channel).await) }
            });
            Ok(Some(Box::pin(heard.map(Ok)) as NotificationStream))
        })
    }
}

/// The next notification, from this stream or from the one that takes its place when the connection is lost.
async fn next(
    mut listening: NotificationStream,
    database: &SqlxDatabase,
    channel: &str,
) -> (Notification, NotificationStream) {
    loop {
        if let Some(Ok(heard)) = listening.next().await {
            return (heard, listening);
        }
        listening = loop {
            tokio::time::sleep(PAUSE).await;
            match database.listen(channel).await {
                Ok(Some(again)) => break again,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the queue cannot listen yet"),
            }
        };
    }
}
