//! The queue's database driver.
//!
//! The library retries at once after a failure, thousands of times a second, and stops listening when its connection is lost. That would
//! keep a database down that is coming up, and every later job would wait for a poll. This driver delays errors and listens again.

use std::{any::Any, time::Duration};

use futures::{StreamExt, stream};
use graphile_worker::{
    BoxFuture, DatabaseDriver, DbError, DbExecutor, DbParams, DbRow, DbTransaction, Notification, NotificationStream,
    sqlx::SqlxDatabase,
};
use sqlx::PgPool;

/// How long an error is held back before the library sees it.
const ERROR_DELAY: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct RetryingDriver(SqlxDatabase);

impl From<PgPool> for RetryingDriver {
    fn from(pool: PgPool) -> Self {
        Self(pool.into())
    }
}

async fn delay_errors<T>(asked: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let answer = asked.await;
    if answer.is_err() {
        tokio::time::sleep(ERROR_DELAY).await;
    }
    answer
}

impl DbExecutor for RetryingDriver {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(delay_errors(self.0.execute(sql, params)))
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(delay_errors(self.0.fetch_all(sql, params)))
    }
}

impl DatabaseDriver for RetryingDriver {
    /// The library looks for its own driver type here.
    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn begin<'a>(&'a self) -> BoxFuture<'a, Result<DbTransaction, DbError>> {
        Box::pin(delay_errors(self.0.begin()))
    }

    fn listen<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<Option<NotificationStream>, DbError>> {
        Box::pin(async move {
            let Some(first) = delay_errors(self.0.listen(channel)).await? else {
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

/// The next notification, from this stream or, when its connection is lost, from the stream that replaces it.
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
            tokio::time::sleep(ERROR_DELAY).await;
            match database.listen(channel).await {
                Ok(Some(again)) => break again,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the queue cannot listen yet"),
            }
        };
    }
}
