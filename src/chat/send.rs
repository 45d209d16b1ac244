//! Accepts a message: starts its turn, or finds the turn that the same request has already started.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    ChatError, CurrentPage, business_hours,
    engine::Engine,
    event_hub::{EventHub, EventStream},
    events::Numbered,
    history,
    output_guard::OutputGuard,
    prompt,
    turn::Turn,
    turn_slots::TurnSlots,
    turn_store::{self, Ending, NewTurn, Orphan},
};
use crate::{
    identity::{self, IdentityError, Shopper},
    ids::{ConversationId, MessageId, TurnId},
    keyring::Keyring,
    language::Language,
    model::{Link, PromptMessage, ToolDefinition, budget::GuestNetworks, summary},
    telemetry,
    tenancy::{Tx, Web},
};

/// How often the database is asked about a turn that runs in another process.
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// The number of the first event that closes an orphaned turn: higher than any that its process may have sent.
const FIRST_ORPHAN_EVENT: u32 = 1_000_000;

/// The turn engine.
#[derive(Clone)]
pub struct Chat {
    engine: Arc<Engine>,
    tools: Arc<[ToolDefinition]>,
    guest_tools: Arc<[ToolDefinition]>,
    live: Arc<EventHub>,
    running: TaskTracker,
    /// The slots for turns that run.
    places: TurnSlots,
    /// Cancelled when turns that still run are to end now.
    stopping: CancellationToken,
}

/// A shopper's message.
// No `Debug`: it holds private data.
pub struct NewMessage {
    /// None begins a new conversation.
    pub conversation: Option<ConversationId>,
    pub text: String,
    /// The language that the shopper asks for; none keeps the conversation's.
    pub language: Option<Language>,
    /// Whether the fallback rules answer, even where there are models.
    pub by_rules: bool,
    /// The page that the shopper is on, if the client says it.
    pub page: Option<CurrentPage>,
    /// The address that it was sent from.
    pub address: IpAddr,
    /// The Idempotency-Key, if one was sent: the same key again leads to the same turn.
    pub key: Option<String>,
}

impl Chat {
    pub fn new(engine: Engine) -> Self {
        Self {
            tools: prompt::definitions(&engine.registry, false),
            guest_tools: prompt::definitions(&engine.registry, true),
            live: Arc::default(),
            running: TaskTracker::new(),
            places: TurnSlots::new(engine.limits.turns),
            stopping: CancellationToken::new(),
            engine: Arc::new(engine),
        }
    }

    /// Stores the message and starts its turn; a repeated key returns the turn that it started before. The events are those after number
    /// `after`.
    pub async fn send(&self, shopper: &Shopper, message: NewMessage, after: u32) -> Result<EventStream, ChatError> {
        match self.try_send(shopper, &message, after).await {
            // The turn that is in progress may belong to a process that died.
            Err(ChatError::TurnInProgress) if self.close_orphan(shopper, message.conversation).await? => {
                self.try_send(shopper, &message, after).await
            }
            // It was deleted while the message was on its way into it.
            Err(ChatError::Database(error)) if is_gone(&error) => Err(ChatError::NoConversation),
            result => result,
        }
    }

    async fn try_send(&self, shopper: &Shopper, message: &NewMessage, after: u32) -> Result<EventStream, ChatError> {
        let engine = &self.engine;
        if self.stopping.is_cancelled() {
            return Err(ChatError::ShuttingDown);
        }
        let request_hash = request_hash(message);
        let mut tx = engine.web.begin(shopper.scope()).await?;
        if let Some(key) = &message.key
            && let Some(known) = turn_store::find_by_key(&mut tx, key).await?
        {
            drop(tx);
            return self.repeat(shopper, known, &request_hash, after).await;
        }
        let Ok(place) = self.places.take(shopper, message.address) else {
            engine.metrics.shed();
            return Err(ChatError::Busy);
        };
        let now = engine.clock.now();
        let Opened {
            conversation,
            store,
            language,
            held,
            is_customer,
        } = open_conversation(&mut tx, (shopper, &engine.keyring), message, now).await?;
        let choice = engine.store_models.choice(&mut tx).await?;
        let history = match message.conversation {
            Some(conversation) => {
                // What is beyond the limit is read for the summary alone.
                let beyond = if choice.summarizes { summary::MAX_LINES } else { 0 };
                let limit = engine.limits.history_messages as usize + beyond;
                history::for_prompt(&mut tx, conversation, limit).await?
            }
            None => Vec::new(),
        };
        let (facts, hosts) = history::facts(&mut tx, conversation).await?;
        let clock = business_hours::store_clock(&mut tx, now).await?;
        let new = NewTurn {
            id: TurnId::new(),
            conversation,
            message: MessageId::new(),
            text: &message.text,
            key: message.key.as_deref(),
            request_hash,
            now,
        };
        if !turn_store::start(&mut tx, shopper.id(), &new).await? {
            // Another request with this key was first. Its conversation is kept, ours is rolled back.
            let known = match &message.key {
                Some(key) => turn_store::find_by_key(&mut tx, key).await?,
                None => None,
            };
            drop(tx);
            return self
                .repeat(shopper, known.ok_or(ChatError::NoTurn)?, &request_hash, after)
                .await;
        }
        // Opened before the commit, so that nobody finds a running turn in the database that is not here yet.
        let log = self.live.open(new.id);
        tx.commit().await?;
        let events = log.follow(after);
        let canary = prompt::canary(&engine.keyring, conversation);
        let system = prompt::system_text(&store, shopper.is_guest());
        let context = prompt::turn_context(&clock, language, message.page.as_ref(), &canary);
        let mut guard = OutputGuard::new(&system, &canary).for_language(language, hosts);
        let tools = match shopper.is_guest() {
            true => self.guest_tools.clone(),
            false => self.tools.clone(),
        };
        history
            .iter()
            .filter_map(PromptMessage::known_text)
            .for_each(|text| guard.allow(text));
        guard.allow(&message.text);
        let prompt = prompt::opening(
            (system, context),
            history,
            message.text.clone(),
            language,
            tools,
            &engine.limits,
            choice,
        );
        facts.iter().for_each(|fact| guard.add_fact(fact));
        let turn = Turn {
            engine: engine.clone(),
            shopper: shopper.clone(),
            // Anybody can register: an account without an order costs the share of those whom the store does not know.
            guest: (shopper.is_guest() || !is_customer)
                .then(|| GuestNetworks::new(message.address, engine.keyring.clone())),
            id: new.id,
            conversation,
            language,
            message: new.message,
            log,
            guard,
            address: message.address,
            by_rules: message.by_rules,
            held,
            stopping: self.stopping.clone(),
        };
        let span = tracing::info_span!("turn", turn = %new.id);
        self.running.spawn(
            telemetry::with_current_request(async move {
                turn.run(prompt).await;
                drop(place);
            })
            .instrument(span),
        );
        Ok(events)
    }

    async fn repeat(
        &self,
        shopper: &Shopper,
        known: turn_store::KnownTurn,
        request_hash: &[u8; 32],
        after: u32,
    ) -> Result<EventStream, ChatError> {
        if known.request_hash != request_hash {
            return Err(ChatError::KeyReused);
        }
        self.follow(shopper, known.id, after).await
    }

    /// The events of one of the shopper's turns after number `after`, wherever it runs or ran.
    pub async fn follow(&self, shopper: &Shopper, turn: TurnId, after: u32) -> Result<EventStream, ChatError> {
        let mut tx = self.engine.web.begin(shopper.scope()).await?;
        // Ownership is checked first: the event hub holds every shopper's turns.
        turn_store::load(&mut tx, turn).await?.ok_or(ChatError::NoTurn)?;
        drop(tx);
        if let Some(events) = self.live.follow(turn, after) {
            return Ok(events);
        }
        let (chat, shopper) = (self.clone(), shopper.clone());
        let stored = stream::once(async move {
            chat.stored_events(&shopper, turn).await.unwrap_or_else(|error| {
                tracing::error!(%turn, %error, "a stored turn could not be followed");
                Vec::new()
            })
        });
        Ok(stored
            .flat_map(stream::iter)
            .filter(move |numbered| std::future::ready(numbered.id > after))
            .boxed())
    }

    /// Waits until a turn of another process is over, and returns its stored events.
    async fn stored_events(&self, shopper: &Shopper, turn: TurnId) -> Result<Vec<Numbered>, ChatError> {
        loop {
            let mut tx = self.engine.web.begin(shopper.scope()).await?;
            let stored = turn_store::load(&mut tx, turn).await?.ok_or(ChatError::NoTurn)?;
            drop(tx);
            if stored.status != "running" {
                return Ok(stored.events.0);
            }
            if stored.lease_until < self.engine.clock.now() {
                self.close_orphan(shopper, Some(stored.conversation)).await?;
                continue;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Closes the conversation's turn if its process is gone. True when it closed one.
    async fn close_orphan(&self, shopper: &Shopper, conversation: Option<ConversationId>) -> Result<bool, ChatError> {
        let Some(conversation) = conversation else {
            return Ok(false);
        };
        let now = self.engine.clock.now();
        let mut tx = self.engine.web.begin(shopper.scope()).await?;
        let Some(Orphan { turn, language }) = turn_store::find_orphan(&mut tx, conversation, now).await? else {
            return Ok(false);
        };
        let (message, events) = turn_store::interruption(turn, language, now);
        let events: Vec<_> = (FIRST_ORPHAN_EVENT..)
            .zip(events)
            .map(|(id, event)| Numbered { id, event })
            .collect();
        let ending = Ending {
            turn,
            conversation,
            message: &message,
            calls: &[],
            events: &events,
            interrupted: true,
        };
        turn_store::end(&mut tx, shopper.id(), &ending).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The models, and whether the circuit breaker of each is open.
    pub fn open_circuits(&self) -> Vec<(&'static str, bool)> {
        let models = self.engine.chain.links().filter(|link| link.meter.is_some());
        let name = |link: &Link| if link.name == "first" { "model" } else { "second_model" };
        models.map(|link| (name(link), link.is_circuit_open())).collect()
    }

    /// Accepts no more messages, gives running turns `grace` to finish, then interrupts them.
    pub async fn shut_down(&self, grace: Duration) {
        self.running.close();
        if tokio::time::timeout(grace, self.running.wait()).await.is_err() {
            self.stopping.cancel();
            self.running.wait().await;
        }
    }
}

/// Whether a foreign key failed because its row was deleted.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// The conversation that a message is added to.
struct Opened {
    conversation: ConversationId,
    /// The store's name.
    store: String,
    language: Language,
    /// Whether a person answers in it.
    held: bool,
    /// Whether the shopper has an order here.
    is_customer: bool,
}

/// Opens the conversation, which must be the shopper's. It continues in the language that is asked for.
async fn open_conversation(
    tx: &mut Tx<Web>,
    (shopper, keyring): (&Shopper, &Keyring),
    message: &NewMessage,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Opened, ChatError> {
    let asked = message.language;
    let Some(id) = message.conversation else {
        let from = match shopper.is_guest() {
            true => match identity::take_conversation(tx, keyring, message.address, now).await {
                Ok(from) => Some(from),
                Err(IdentityError::Throttled(seconds)) => return Err(ChatError::TooMany(seconds)),
                Err(IdentityError::Database(error)) => return Err(error.into()),
                Err(_) => return Err(ChatError::NoConversation),
            },
            false => None,
        };
        return Ok(begin_conversation(tx, shopper, (asked, from), now).await?);
    };
    let found = sqlx::query_as!(
        Opened,
        r#"SELECT c.id AS "conversation: ConversationId", t.name AS store, c.language AS "language: Language", c.held_by IS NOT NULL AS "held!",
            EXISTS (SELECT FROM orders o WHERE (o.tenant_id, o.shopper_id) = (c.tenant_id, c.shopper_id)) AS "is_customer!"
        FROM conversations c JOIN tenants t USING (tenant_id) WHERE c.id = $1"#,
        id.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let mut opened = found.ok_or(ChatError::NoConversation)?;
    if let Some(language) = asked.filter(|asked| *asked != opened.language) {
        sqlx::query!(
            "UPDATE conversations SET language = $2 WHERE id = $1",
            id.as_uuid(),
            language as Language as _
        )
        .execute(&mut **tx)
        .await?;
        opened.language = language;
    }
    Ok(opened)
}

async fn begin_conversation(
    tx: &mut Tx<Web>,
    shopper: &Shopper,
    (asked, from): (Option<Language>, Option<identity::GuestOrigin>),
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Opened, sqlx::Error> {
    sqlx::query_as!(
        Opened,
        r#"INSERT INTO conversations (tenant_id, shopper_id, id, created_at, updated_at, language, network, site)
        SELECT s.tenant_id, s.shopper_id, $3, $4, $4, coalesce($5, s.language, t.language), $6, $7
        FROM shoppers s JOIN tenants t USING (tenant_id) WHERE (s.tenant_id, s.shopper_id) = ($1, $2)
        RETURNING id AS "conversation: ConversationId", (SELECT name FROM tenants WHERE tenant_id = $1) AS "store!",
            language AS "language: Language", false AS "held!",
            EXISTS (SELECT FROM orders o WHERE (o.tenant_id, o.shopper_id) = ($1, $2)) AS "is_customer!""#,
        shopper.tenant().as_uuid(),
        shopper.id().as_uuid(),
        ConversationId::new().as_uuid(),
        now,
        asked as Option<Language> as _,
        from.as_ref().map(|from| &from.network[..]),
        from.as_ref().and_then(|from| from.site.as_ref()).map(|hash| &hash[..])
    )
    .fetch_one(&mut **tx)
    .await
}

fn request_hash(message: &NewMessage) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(message.conversation.map(|id| id.to_string()).unwrap_or_default());
    hash.update([0]);
    hash.update([message.by_rules.into()]);
    hash.update(&message.text);
    hash.finalize().into()
}
