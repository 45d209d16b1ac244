//! `countersign serve`: puts the rooms together and serves until told to stop.

use std::{sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::{
    CliError,
    worker::{Tools, Worker},
};
use crate::{
    approvals::Executor,
    chat::{Chat, Limits},
    clock::Clock,
    config::{ModelSettings, Settings},
    http::{self, App},
    identity::Identity,
    integrations::Outgoing,
    mail::{MailSettings, PostOffice},
    model::{Model, OfflineModel, OpenAiModel, budget::Meter},
    telemetry,
    tenancy::{self, Pools, Role, Web},
    tools::Registry,
    web,
};

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), CliError> {
    telemetry::start_logs(settings.log_format);
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| CliError::Listen(settings.listen, error))?;
    let pools = tenancy::connect(&settings.database);
    refuse_powerful_role(&pools).await?;
    tracing::info!(listen = %settings.listen, version = env!("CARGO_PKG_VERSION"), "serving");
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
    let meter = meter(&settings.model, pools);
    let chat = Chat::new(
        pools.web.clone(),
        registry.clone(),
        (model, meter),
        Limits::default(),
        clock.clone(),
    );
    // Ended with this function. An execution that is cut off rolls back, and its job goes to another worker.
    let mut background = JoinSet::new();
    if settings.run_worker {
        background.spawn(keep_working(tools(settings, pools, registry.clone(), clock.clone())?));
    }
    let identity = Identity::new(
        pools.web.clone(),
        settings.keyring.clone(),
        clock.clone(),
        settings.lifetimes,
        settings.staff_second_factor,
    );
    // Only the demo catches mail; a server that sends it has no such page.
    let pages = match &settings.mail {
        MailSettings::Inbox(inbox) => web::inbox::page(inbox.clone()),
        MailSettings::Smtp(_) => axum::Router::new(),
    };
    let outside = http::Outside::new(settings.keyring.clone(), settings.outside.allow_loopback);
    let app = App::new(
        pools,
        identity,
        chat.clone(),
        registry,
        clock,
        settings.secure_cookies,
        outside,
    );
    let router = http::router(app, settings.limits, settings.connections.proxies.clone(), pages);
    let grace = settings.shutdown_grace;
    // Turns are ended while connections are still open, so that streams hear the end of theirs.
    let stopping = async move {
        stop.await;
        tracing::info!("stopping: running turns may finish");
        tokio::spawn(async move { chat.shut_down(grace).await });
    };
    http::listen::serve(listener, router, settings.connections.clone(), stopping).await;
    Ok(())
}

/// What the job queue works with.
fn tools(settings: &Settings, pools: &Pools, registry: Arc<Registry>, clock: Clock) -> Result<Tools, CliError> {
    let post = PostOffice::new(&settings.mail, settings.keyring.clone(), settings.public_url.clone())?;
    Ok(Tools {
        executor: Executor::new(pools.executor.clone(), registry),
        outgoing: Outgoing::new(post, settings.keyring.clone(), settings.outside.clone())
            .map_err(|error| CliError::Argument(error.to_string()))?,
        keyring: settings.keyring.clone(),
        pool: pools.executor.clone(),
        retention: settings.retention,
        clock,
    })
}

/// Counts what the model costs; none for one that costs nothing.
fn meter(settings: &ModelSettings, pools: &Pools) -> Option<Meter> {
    match settings {
        ModelSettings::Offline => None,
        ModelSettings::OpenAi(settings) => Some(Meter::new(pools.web.clone(), settings.model.clone(), settings.price)),
    }
}

/// The model that the settings name.
pub fn model(settings: &ModelSettings) -> Arc<dyn Model> {
    match settings {
        ModelSettings::Offline => Arc::new(OfflineModel),
        ModelSettings::OpenAi(settings) => Arc::new(OpenAiModel::new(settings.clone())),
    }
}

/// Runs the job queue for as long as the process lives; when the database goes away it starts over.
pub(super) async fn keep_working(tools: Tools) {
    loop {
        let ended = match Worker::new(tools.clone(), 4).await {
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
    let tools = tools(&settings, &pools, registry, Clock::system())?;
    let stop = stop_signal()?;
    tokio::select! {
        () = keep_working(tools) => {}
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
