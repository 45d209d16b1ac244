//! `countersign serve` and `countersign worker`: put the modules together and run until they are told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::CliError;
use crate::{
    approvals::ProposalExecutor,
    chat::{Chat, Engine, Limits},
    clock::Clock,
    config::{ModelSettings, Settings},
    http::{
        self, App, Drain, HealthCheck, SecureCookies,
        operations::{self, Dependency, Internal},
    },
    identity::Identity,
    integrations::{Outgoing, challenge::Challenge, order_look_up::OrderLookUp},
    mail::Mailer,
    model::{
        Chain, Endpoint, EndpointSettings, FallbackRules, Model, ModelHealth, PricedModel, StoreModels, Watch,
        budget::Meter,
    },
    telemetry::{self, Metrics},
    tenancy::{self, Pooler, Pools, Role, Web},
    tools::Registry,
    web,
    worker::{JobContext, Stop, Worker},
};

/// How long a stopping replica keeps event streams open if the grace period of turns is longer. Most answers are finished by then, and the
/// other clients go on at another replica.
const STREAM_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may take to receive the end of its stream.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), CliError> {
    let _telemetry = telemetry::start(&settings.telemetry);
    let listener = bind(settings.listen).await?;
    let pools = tenancy::connect(&settings.database);
    refuse_powerful_role(&pools).await?;
    refuse_restored(&pools).await?;
    tracing::info!(listen = %settings.listen, version = crate::VERSION, "serving");
    let stop = stop_signal()?;
    let model = model(&settings.model);
    serve(listener, &settings, &pools, Clock::system(), model, stop).await
}

/// How long a turn may take: its model's whole time and half a minute for tools and a second round, and a minute at least.
fn turn_deadline(model: &ModelSettings) -> Duration {
    let of_model = match model {
        ModelSettings::Offline => Duration::ZERO,
        ModelSettings::Endpoint(endpoint) => endpoint.deadlines.total + Duration::from_secs(30),
    };
    of_model.max(Limits::default().deadline)
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
    let metrics = Metrics::default();
    let look_up = OrderLookUp::new(pools.web.clone(), settings.keyring.clone(), &settings.outbound)
        .map_err(|error| CliError::Argument(error.to_string()))?;
    let registry = Arc::new(Registry::new(pools.reader.clone(), pools.web.clone()).with_look_up(look_up));
    let store_models = store_models(settings);
    let chain = chain(settings, model, pools, &clock);
    let model_health = model_health(settings, &chain);
    let chat = Chat::new(Engine {
        web: pools.web.clone(),
        registry: registry.clone(),
        chain,
        store_models: store_models.clone(),
        keyring: settings.keyring.clone(),
        metrics: metrics.clone(),
        limits: Limits {
            turns: settings.max_turns,
            output_tokens: settings.output_tokens,
            deadline: turn_deadline(&settings.model),
            ..Limits::default()
        },
        clock: clock.clone(),
    });
    let mut dependencies: Vec<Arc<dyn Dependency>> = vec![Arc::new(chat.clone())];
    // Both sets of tasks are aborted when this function ends. An execution that is cut off rolls back, and its job goes to another worker.
    let mut background = JoinSet::new();
    let (stopped, grace) = (CancellationToken::new(), settings.shutdown_grace);
    let mut working = JoinSet::new();
    if settings.run_worker {
        let tools = tools(settings, pools, registry.clone(), (clock.clone(), metrics.clone()))?;
        dependencies.push(Arc::new(tools.outgoing.clone()));
        let asked = stopped.clone();
        working.spawn(keep_working(tools, Stop { asked, grace }));
    }
    let (health_check, drain) = (HealthCheck::new(pools.web.clone()), Drain::default());
    let internal = Internal {
        metrics: metrics.clone(),
        pools: pools.clone(),
        health_check: health_check.clone(),
        dependencies: dependencies.into(),
        model_health: model_health.clone(),
        clock: clock.clone(),
    };
    if let Some(address) = settings.internal_listen {
        background.spawn(operations::serve(bind(address).await?, internal.clone()));
    }
    if let (Some(health), Some(every)) = (model_health, settings.model_check) {
        let (pool, clock) = (pools.executor.clone(), clock.clone());
        let watch = Watch {
            health,
            pool,
            clock,
            every,
        };
        background.spawn(watch.run());
    }
    let identity = Identity::new(
        pools.web.clone(),
        settings.keyring.clone(),
        clock.clone(),
        settings.lifetimes,
        settings.staff_second_factor,
    );
    let api = web::Api::default();
    let pages = web::pages(
        api.clone(),
        settings.secure_cookies,
        &settings.public_url,
        &settings.mail,
        settings.storefront.clone(),
    );
    let pages = match &settings.trial[..] {
        [] => pages,
        reasons => {
            let banner: Arc<str> = web::trial::banner(reasons).into();
            pages.layer(axum::middleware::map_response(move |response| {
                web::trial::mark(banner.clone(), response)
            }))
        }
    };
    let challenge = settings
        .challenge
        .clone()
        .map(|challenge| Challenge::new(challenge, &settings.outbound))
        .transpose()
        .map_err(|error| CliError::Argument(error.to_string()))?;
    let app = App {
        reader: pools.reader.clone(),
        web: pools.web.clone(),
        identity,
        chat: chat.clone(),
        registry,
        store_models,
        clock,
        secure_cookies: SecureCookies(settings.secure_cookies),
        webhooks: http::WebhookState::new(settings.keyring.clone(), settings.outbound.allow_loopback),
        challenge,
        health_check,
        drain: drain.clone(),
        doctor: crate::doctor::of_this_process(settings.operator_store.as_deref()),
        internal,
        limits: settings.limits,
    };
    let router = Arc::new(http::router(app, settings.connections.proxies.clone(), pages));
    api.set_router(&router);
    let serving = http::server::serve(
        listener,
        Router::clone(&router),
        settings.connections.clone(),
        stopped.clone().cancelled_owned(),
    );
    let turns = async {
        stopped.cancelled().await;
        chat.shut_down(grace).await;
    };
    let stopping = async {
        stop.await;
        tracing::info!("stopping: running turns may finish");
        drain.begin();
        tokio::time::sleep(settings.shutdown_drain).await;
        stopped.cancel();
        tokio::time::sleep(match grace > STREAM_DRAIN_TIMEOUT {
            true => STREAM_DRAIN_TIMEOUT,
            false => grace + FLUSH_TIMEOUT,
        })
        .await;
        drain.hand_over();
        tokio::time::sleep(grace.saturating_sub(STREAM_DRAIN_TIMEOUT) + 2 * FLUSH_TIMEOUT).await;
        tracing::warn!("something was still going on at the end");
    };
    tokio::select! {
        _ = async { tokio::join!(serving, turns, working.join_all()) } => {}
        () = stopping => {}
    }
    Ok(())
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| CliError::Listen(address, error))
}

/// Builds what job handlers work with.
fn tools(
    settings: &Settings,
    pools: &Pools,
    registry: Arc<Registry>,
    (clock, metrics): (Clock, Metrics),
) -> Result<JobContext, CliError> {
    let post = Mailer::new(&settings.mail, settings.keyring.clone(), settings.public_url.clone())?;
    Ok(JobContext {
        executor: ProposalExecutor::new(pools.executor.clone(), registry, settings.keyring.clone()),
        outgoing: Outgoing::new(
            post,
            settings.keyring.clone(),
            settings.outbound.clone(),
            settings.public_url.clone(),
            metrics,
        )
        .map_err(|error| CliError::Argument(error.to_string()))?,
        keyring: settings.keyring.clone(),
        pool: pools.executor.clone(),
        retention: settings.retention,
        clock,
    })
}

/// The models in the order that they are asked: `model`, the second model if one is set, then the fallback rules.
fn chain(settings: &Settings, model: Arc<dyn Model>, pools: &Pools, clock: &Clock) -> Chain {
    let ModelSettings::Endpoint(first) = &settings.model else {
        return Chain::of(model);
    };
    let meter = |settings: &EndpointSettings| Meter::new(pools.web.clone(), priced(settings));
    let second = settings.second_model.iter().map(|settings| {
        let model: Arc<dyn Model> = Arc::new(Endpoint::new(settings.clone()));
        (model, meter(settings))
    });
    Chain::with_rules(std::iter::once((model, meter(first))).chain(second), clock)
}

/// Whether the language model answers; none where there is none.
fn model_health(settings: &Settings, chain: &Chain) -> Option<ModelHealth> {
    match &settings.model {
        ModelSettings::Offline => None,
        ModelSettings::Endpoint(first) => Some(ModelHealth::new(chain.clone(), first.wire)),
    }
}

/// An endpoint's own model, with its price.
fn priced(settings: &EndpointSettings) -> PricedModel {
    PricedModel {
        name: settings.model.as_str().into(),
        price: settings.price,
    }
}

/// The models that stores can choose among.
fn store_models(settings: &Settings) -> StoreModels {
    match &settings.model {
        ModelSettings::Offline => StoreModels::default(),
        ModelSettings::Endpoint(first) => StoreModels::new(priced(first), &settings.priced_models),
    }
}

/// The model that the settings name.
pub fn model(settings: &ModelSettings) -> Arc<dyn Model> {
    match settings {
        ModelSettings::Offline => Arc::new(FallbackRules),
        ModelSettings::Endpoint(settings) => Arc::new(Endpoint::new(settings.clone())),
    }
}

/// Runs the job queue until it is stopped. When it fails, for instance because the database is away, it starts again.
async fn keep_working(tools: JobContext, stop: Stop) {
    while !stop.asked.is_cancelled() {
        let ended = match Worker::new(tools.clone(), 4, &stop).await {
            Ok(worker) => worker.run().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the job worker stopped and starts over");
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), stop.asked.cancelled()).await;
    }
}

/// `countersign worker`: runs only the job queue.
pub async fn work(settings: Settings) -> Result<(), CliError> {
    if settings.database.pooler == Pooler::Transaction {
        let mend =
            "DATABASE_POOLER must be `none` for a worker: it listens for jobs, so let it connect past the pooler";
        return Err(CliError::Argument(mend.into()));
    }
    let _telemetry = telemetry::start(&settings.telemetry);
    let pools = tenancy::connect(&settings.database);
    let registry = Arc::new(Registry::new(pools.reader.clone(), pools.web.clone()));
    let (clock, metrics) = (Clock::system(), Metrics::default());
    let tools = tools(&settings, &pools, registry, (clock.clone(), metrics.clone()))?;
    let internal = Internal {
        metrics,
        health_check: HealthCheck::new(pools.web.clone()),
        pools,
        dependencies: Arc::new([Arc::new(tools.outgoing.clone()) as Arc<dyn Dependency>]),
        model_health: None,
        clock,
    };
    let mut background = JoinSet::new();
    if let Some(address) = settings.internal_listen {
        background.spawn(operations::serve(bind(address).await?, internal));
    }
    let (asked, grace) = (CancellationToken::new(), settings.shutdown_grace);
    let working = keep_working(
        tools,
        Stop {
            asked: asked.clone(),
            grace,
        },
    );
    let stop = stop_signal()?;
    let stopping = async {
        stop.await;
        tracing::info!("stopping: running jobs may finish");
        asked.cancel();
        tokio::time::sleep(grace + FLUSH_TIMEOUT).await;
    };
    tokio::select! {
        () = working => {}
        () = stopping => {}
    }
    Ok(())
}

/// Refuses to start if the web role can bypass row-level security.
async fn refuse_powerful_role(pools: &Pools) -> Result<(), CliError> {
    match pools.web.can_bypass_row_security().await {
        Ok(true) => Err(CliError::PowerfulRole(Web::NAME)),
        Ok(false) => Ok(()),
        Err(error) => {
            // Postgres may still be starting; `/health` reports that until it answers.
            tracing::warn!(error = %telemetry::cause(&error), "the database cannot be reached yet");
            Ok(())
        }
    }
}

/// Refuses to start on a restored database before its proofs were ended.
async fn refuse_restored(pools: &Pools) -> Result<(), CliError> {
    match pools.web.is_restored().await {
        Ok(true) => Err(CliError::Restored),
        // Postgres may still be starting.
        Ok(false) | Err(_) => Ok(()),
    }
}

/// Completes when the process receives SIGTERM or SIGINT.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
