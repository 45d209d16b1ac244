//! `countersign demo`: the service with a demo store. It needs no settings and no API key.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use tokio::{net::TcpListener, sync::watch};

use super::{
    CliError,
    control::{self, Control},
    demo_store::{PASSWORD, seed, storefront},
    migrate,
    private_postgres::PrivatePostgres,
    serve::{bind, model as model_of, serve, stop_signal},
    terminal::say,
};
use crate::{
    clock::Clock,
    config::{ConfigError, Fault, Limits, ModelSettings, Settings, environment},
    mail::MailSettings,
    model::{Model, TestControl},
    telemetry,
    tenancy::{self, DatabaseSettings, Pooler, StoreKey},
};

#[derive(clap::Args)]
pub struct Options {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Listen on this address instead of loopback. The demo prints everybody's password, so never use an address that strangers can reach.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Also serve a control API here, for integration tests: reset, clock, scripted model, mails. See docs/integration-target.md.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The URL of an OpenAI-compatible server whose model answers, such as http://127.0.0.1:11434/v1. Without it: OpenAI if OPENAI_API_KEY
    /// is set, else the fixed rules.
    #[arg(long, requires = "model", conflicts_with = "control")]
    model_url: Option<String>,
    /// The model's name on that server, such as qwen3.
    #[arg(long, requires = "model_url")]
    model: Option<String>,
    /// Turn the rate limits off, for fuzzers and load tests.
    #[arg(long)]
    no_limits: bool,
}

pub async fn run(options: Options) -> Result<(), CliError> {
    let _telemetry = telemetry::start(&Settings::demo_telemetry(&environment)?);
    // With the control API the test scripts the model.
    let answers = match options.control {
        Some(_) => ModelSettings::Offline,
        None => {
            let given = options.model_url.as_deref().zip(options.model.as_deref());
            Settings::demo_model(&environment, given)?
        }
    };
    let address = options.listen.unwrap_or((Ipv4Addr::LOCALHOST, options.port).into());
    let listener = bind(address).await.map_err(|error| match error {
        CliError::Listen(address, cause) if cause.kind() == std::io::ErrorKind::AddrInUse => {
            let mend =
                "is taken by another program; choose another port, such as `--port 8090`, or `--port 0` for a free one";
            CliError::Argument(format!("{address} {mend}"))
        }
        error => error,
    })?;
    // This is kept until the end, because dropping it stops Postgres.
    #[allow(clippy::disallowed_methods, reason = "the demo has no other setting")]
    let postgres = match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => Err(parse_url(&url)?),
        _ => Ok(PrivatePostgres::start(true).await?),
    };
    let (admin, address) = match &postgres {
        Ok(private) => (private.admin("postgres"), private.address("postgres")),
        Err(given) => (given.clone(), given.clone()),
    };
    let mut settings = settings(&listener, address, answers)?;
    if options.no_limits || options.control.is_some() {
        settings.limits = Limits::wide();
    }
    migrate(&admin, &settings.database).await?;
    let pools = tenancy::connect(&settings.database);
    let key = seed(&pools).await?;
    let (shown, shop) = watch::channel(storefront(&pools, &settings.keyring, &key).await?);
    settings.storefront = Some(shop);
    let (model, clock) = (TestControl::default(), Clock::system());
    if let (Some(address), MailSettings::Inbox(inbox)) = (options.control, &settings.mail) {
        let control = Control {
            admin,
            pools: pools.clone(),
            model: model.clone(),
            inbox: inbox.clone(),
            clock: clock.clone(),
            keyring: settings.keyring.clone(),
            storefront: Arc::new(shown),
            reset_lock: Arc::default(),
        };
        let listener = bind(address).await?;
        say(format_args!("Control: http://{}", listener.local_addr()?))?;
        #[allow(clippy::disallowed_methods, reason = "it ends with the demo")]
        tokio::spawn(control::serve(listener, control));
    }
    let url = format!("http://{}", settings.listen);
    say(welcome(&url, &key, &who_answers(&settings.model)))?;
    let model: Arc<dyn Model> = match &settings.model {
        ModelSettings::Offline => Arc::new(model),
        endpoint => model_of(endpoint),
    };
    serve(listener, &settings, &pools, clock, model, stop_signal()?).await
}

fn parse_url(url: &str) -> Result<PgConnectOptions, CliError> {
    let mend =
        "must be a URL such as postgres://USER:PASSWORD@HOST/DATABASE whose user may create roles, or unset".into();
    url.parse().map_err(|_| {
        ConfigError(vec![Fault {
            variable: "DATABASE_URL",
            mend,
        }])
        .into()
    })
}

fn settings(listener: &TcpListener, address: PgConnectOptions, model: ModelSettings) -> Result<Settings, CliError> {
    let password = || SecretString::from(hex::encode(rand::random::<[u8; 24]>()));
    let database = DatabaseSettings {
        address,
        reader_password: password(),
        web_password: password(),
        executor_password: password(),
        connections: 16,
        deadline: Duration::from_secs(3),
        pooler: Pooler::None,
    };
    Ok(Settings {
        shutdown_grace: Duration::from_secs(3),
        model_check: Some(Duration::from_secs(60)),
        ..Settings::on_loopback(listener.local_addr()?, database, model)
    })
}

fn who_answers(model: &ModelSettings) -> String {
    match model {
        ModelSettings::Offline => "the fallback rules, no language model".to_owned(),
        ModelSettings::Endpoint(endpoint) => format!("the model {} at {}", endpoint.model, endpoint.base_url),
    }
}

fn welcome(url: &str, key: &StoreKey, answers: &str) -> String {
    let key = key.as_str();
    format!(
        r#"
Countersign demo. Stop with Ctrl-C.
The shop, with the chat in it:  {url}
The staff console:              {url}/console?store={key}   staff@example.com
Mail that would have left:      {url}/inbox
The API:                        {url}/docs
Store "Harbour Goods". Shoppers mia@example.com (order #1001) and noah@example.com (order #2001). Staff staff@example.com (admin),
approver@example.com and viewer@example.com. Everybody's password: {PASSWORD}
Answers come from {answers}. The same by curl:

1. Log in as Mia:
TOKEN=$(curl -s {url}/v1/sessions -H 'X-Store-Key: {key}' -H 'Content-Type: application/json' -d '{{"email":"mia@example.com","password":"{PASSWORD}"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
2. Ask:
curl -s {url}/v1/chat/send -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"text":"Where is my order #1001?"}}'
3. Ask for somebody else's order, streamed:
curl -sN {url}/v1/chat/send -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -d '{{"text":"Where is my order #2001?"}}'
"#
    )
}
