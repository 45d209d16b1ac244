//! `countersign serve`: puts the rooms together and serves until told to stop.

use std::{sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::{CliError, worker::Worker};
use crate::{
    approvals::{Executor, expire},
    chat::{Chat, Limits},
    clock::Clock,
    config::{ModelSettings, Settings},
    http::{self, App, SessionRules},
    model::{Model, OfflineModel, OpenAiModel},
    telemetry,
    tenancy::{self, Pool, Pools, Role, Web},
    tools::Registry,
};

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), CliError> {
    telemetry::start_logs(settings.log_format);
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| CliError::Listen(settings.listen, error))?;
    let pools = tenancy::connect(&settings.database);
    refuse_powerful_role(&pools).await?;
    tracing::info!(address = %settings.listen, version = env!("CARGO_PKG_VERSION"), "serving");
    let stop = stop_signal()?;
    let model = model(&settings.model);
    serve(listener, &settings, &pools, Clock::system(), model, stop).await
}

/// Serves on `listener` until `stop` is over, then lets running turns finish.
pub async fn serve(
    listener: TcpListener,
    settings: &Settings,
    pools: &Pools,
    clock: Clock,
    model: Arc<dyn Model>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), CliError> {
    let registry = Arc::new(Registry::new(pools.reader.clone(), pools.web.clone()));
    let chat = Chat::new(
        pools.web.clone(),
        registry.clone(),
        model,
        Limits::default(),
        clock.clone(),
    );
    // Ended with this function. An execution that is cut off rolls back, and its job goes to another worker.
    let mut background = JoinSet::new();
    if settings.run_worker {
        let executor = Executor::new(pools.executor.clone(), registry.clone());
        background.spawn(keep_working(pools.executor.clone(), executor, clock.clone()));
        background.spawn(keep_expiring(pools.executor.clone(), clock.clone()));
    }
    let rules = SessionRules {
        clock,
        lifetimes: settings.lifetimes,
        secure_cookies: settings.secure_cookies,
    };
    let router = http::router(App::new(pools, chat.clone(), registry, rules));
    let grace = settings.shutdown_grace;
    // Turns are ended while connections are still open, so that streams hear the end of theirs.
    let stopping = async move {
        stop.await;
        tracing::info!("stopping: running turns may finish");
        tokio::spawn(async move { chat.shut_down(grace).await });
    };
    // Events are small writes: waiting to fill a packet would hold each back by the peer's delayed acknowledgement.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection does not take TCP_NODELAY");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(stopping).await?;
    Ok(())
}

/// The model that the settings name.
pub fn model(settings: &ModelSettings) -> Arc<dyn Model> {
    match settings {
        ModelSettings::Offline => Arc::new(OfflineModel),
        ModelSettings::OpenAi(settings) => Arc::new(OpenAiModel::new(settings.clone())),
    }
}

/// How often overdue proposals are looked for.
const ROUND: Duration = Duration::from_secs(30);

/// Ends overdue proposals, for as long as the process lives.
async fn keep_expiring(pool: Pool<tenancy::Executor>, clock: Clock) {
    let mut rounds = tokio::time::interval(ROUND);
    loop {
        rounds.tick().await;
        if let Err(error) = expire::expire_overdue(&pool, clock.now()).await {
            tracing::warn!(error = %telemetry::cause(&error), "overdue proposals were not ended; the next round tries again");
        }
    }
}

/// Runs the job queue for as long as the process lives; when the database goes away it starts over.
pub(super) async fn keep_working(pool: Pool<tenancy::Executor>, executor: Executor, clock: Clock) {
    loop {
        let ended = match Worker::new(&pool, executor.clone(), clock.clone(), 4).await {
            Ok(worker) => worker.run().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the job worker stopped and starts over");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// `countersign worker`: only the job queue.
pub async fn work(settings: Settings) -> Result<(), CliError> {
    telemetry::start_logs(settings.log_format);
    let pools = tenancy::connect(&settings.database);
    let registry = Arc::new(Registry::new(pools.reader.clone(), pools.web.clone()));
    let executor = Executor::new(pools.executor.clone(), registry);
    let stop = stop_signal()?;
    tokio::select! {
        () = keep_working(pools.executor.clone(), executor, Clock::system()) => {}
        () = keep_expiring(pools.executor, Clock::system()) => {}
        () = stop => {}
    }
    Ok(())
}

/// A web server that could bypass row-level security must not start, whatever the settings say.
async fn refuse_powerful_role(pools: &Pools) -> Result<(), CliError> {
    match pools.web.is_powerful().await {
        Ok(true) => Err(CliError::PowerfulRole(Web::NAME)),
        Ok(false) => Ok(()),
        Err(error) => {
            // Postgres may still be on its way up; `/health` says so until it is there.
            tracing::warn!(error = %telemetry::cause(&error), "the database cannot be reached yet");
            Ok(())
        }
    }
}

/// Over when the process is asked to stop.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
