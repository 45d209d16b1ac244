//! The budget: what a model call may cost is reserved before it is made, against every cap at once, in Postgres, and
//! settled to what it did cost. Guests have a share of the store's caps, each of their networks a share of that. All of it holds whatever
//! happens at the same time and on however many replicas.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json;
use uuid::Uuid;

use super::{PricedModel, Prompt, Usage};
use crate::{
    identity::Shopper,
    ids::{ConversationId, TenantId},
    integrations::webhook_delivery,
    keyring::{Keyring, Purpose},
    ledger::Statement,
    mail::{self, Mail},
    network::Network,
    tenancy::{self, Executor, Pool, Role, Scope, Tx, Web},
};

/// What a store may spend, in millionths of the price table's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, validator::Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    #[validate(range(min = 0, max = 1_000_000_000_000_i64))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 500_000)]
    pub conversation_micros: i64,
    #[validate(range(min = 0, max = 1_000_000_000_000_i64))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1_000_000)]
    pub shopper_day_micros: i64,
    #[validate(range(min = 0, max = 1_000_000_000_000_i64))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 20_000_000)]
    pub store_day_micros: i64,
    #[validate(range(min = 0, max = 1_000_000_000_000_i64))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 300_000_000)]
    pub store_month_micros: i64,
    /// What guests together may spend of the store's day and of its month.
    #[serde(default = "guests_percent")]
    #[validate(range(min = 0, max = 100))]
    #[schema(minimum = 0, maximum = 100, example = 30)]
    pub guests_percent: i32,
    /// What guests of one network (an IPv4 address or IPv6 /64) may spend of the guests' day.
    #[serde(default = "network_percent")]
    #[validate(range(min = 0, max = 100))]
    #[schema(minimum = 0, maximum = 100, example = 25)]
    pub network_percent: i32,
}

fn guests_percent() -> i32 {
    30
}

fn network_percent() -> i32 {
    25
}

impl Default for Caps {
    /// 0.50 for a conversation, 1 for a shopper and day, 20 for a store and day, 300 for a store and month, in the price table's currency.
    fn default() -> Self {
        Self {
            conversation_micros: 500_000,
            shopper_day_micros: 1_000_000,
            store_day_micros: 20_000_000,
            store_month_micros: 300_000_000,
            guests_percent: guests_percent(),
            network_percent: network_percent(),
        }
    }
}

impl Caps {
    /// The caps in the order in which the database function takes them.
    fn in_order(self) -> [i64; 6] {
        [
            self.conversation_micros,
            self.shopper_day_micros,
            self.store_day_micros,
            self.store_month_micros,
            self.guests_percent.into(),
            self.network_percent.into(),
        ]
    }
}

/// How long a call may hold its reservation; longer than any turn.
const HELD_FOR: Duration = Duration::minutes(10);
/// Staff are alerted when this percentage of a store's daily or monthly cap is spent.
const ALERT_AT: [i64; 2] = [80, 100];

/// Why a call may not be made.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// A cap would be passed.
    #[error("the budget {0} is used up")]
    UsedUp(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Budget reserved for one call. The call settles it; `sweep` releases it if the process dies.
pub struct Reservation {
    id: Uuid,
    tenant: TenantId,
    shopper: Uuid,
    /// What is asked, and at which price.
    model: PricedModel,
    keys: Keys,
    /// The caps in force when the reservation was made, in the order of `keys`.
    caps: Vec<i64>,
    micros: i64,
}

impl Reservation {
    /// What an answer costs, in millionths.
    pub fn cost(&self, usage: Usage) -> i64 {
        self.model.price.of(usage)
    }
}

/// What a call counts under, in the order of `spend_scopes` in the database. None where it does not count.
type Keys = [Option<String>; 8];
const STORE_DAY: usize = 6;
const STORE_MONTH: usize = 7;

/// The networks that a guest's calls count under, as keyed hashes. They change daily, so that they link no two days.
#[derive(Clone)]
pub struct GuestNetworks {
    address: IpAddr,
    keyring: std::sync::Arc<Keyring>,
}

impl GuestNetworks {
    pub fn new(address: IpAddr, keyring: std::sync::Arc<Keyring>) -> Self {
        Self { address, keyring }
    }

    fn key(&self, network: Network, day: &str) -> String {
        let mac = self
            .keyring
            .mac(Purpose::Throttle, format!("spend\0{network}\0{day}").as_bytes());
        format!("{day} {}", hex::encode(&mac[..16]))
    }
}

/// How a call ended.
pub enum End {
    /// It answered, and says what it used.
    Used(Usage),
    /// It answered, or began to, and does not say: all that was held is spent.
    Unknown,
    /// It never answered.
    Failed,
}

/// Counts the calls of one endpoint, each at the price of the model that it asks.
#[derive(Clone)]
pub struct Meter {
    web: Pool<Web>,
    /// Asked where the prompt names no other.
    model: PricedModel,
}

impl Meter {
    pub fn new(web: Pool<Web>, model: PricedModel) -> Self {
        Self { web, model }
    }

    /// Holds the most that the answer to `prompt` can cost.
    pub async fn reserve(
        &self,
        (shopper, guest): (&Shopper, Option<&GuestNetworks>),
        conversation: ConversationId,
        prompt: &Prompt,
        now: DateTime<Utc>,
    ) -> Result<Reservation, BudgetError> {
        let (day, month) = (now.format("%Y-%m-%d").to_string(), now.format("%Y-%m").to_string());
        let network = guest.map(|guest| guest.key(Network::of(guest.address), &day));
        let site = guest.and_then(|guest| Some(guest.key(Network::site(guest.address)?, &day)));
        let keys = [
            Some(conversation.to_string()),
            Some(format!("{} {day}", shopper.id())),
            network,
            site,
            guest.map(|_| day.clone()),
            guest.map(|_| month.clone()),
            Some(day),
            Some(month),
        ];
        let model = prompt.model.as_ref().unwrap_or(&self.model);
        let (id, micros) = (Uuid::now_v7(), model.price.worst_case(prompt));
        let hold = |pool| {
            let keys = keys.clone();
            async move {
                sqlx::query!(
                    r#"SELECT over, caps AS "caps!" FROM reserve_spend($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
                    shopper.tenant().as_uuid(),
                    id,
                    micros,
                    &keys as &[Option<String>],
                    &Caps::default().in_order(),
                    shopper.id().as_uuid(),
                    &model.name,
                    now,
                    now + HELD_FOR
                )
                .fetch_one(&pool)
                .await
            }
        };
        let held = self.web.unscoped(hold).await?;
        let reservation = Reservation {
            id,
            tenant: shopper.tenant(),
            shopper: shopper.id().as_uuid(),
            model: model.clone(),
            keys,
            caps: held.caps,
            micros,
        };
        match held.over {
            None => Ok(reservation),
            Some(scope) => {
                self.alert_used_up(&reservation, &scope, now).await?;
                Err(BudgetError::UsedUp(scope.replace('_', " ")))
            }
        }
    }

    /// Gives back what was held and books what was spent. `tools` are those that the answer called.
    pub async fn settle(
        &self,
        reservation: Reservation,
        end: End,
        tools: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let (how, spent, usage) = match end {
            End::Used(usage) if usage != Usage::default() => ("settled", reservation.cost(usage), usage),
            End::Used(_) | End::Unknown => ("settled", reservation.micros, Usage::default()),
            End::Failed => ("released", 0, Usage::default()),
        };
        let (id, keys, shopper) = (reservation.id, &reservation.keys, reservation.shopper);
        let model: &str = &reservation.model.name;
        let book = |pool| async move {
            sqlx::query!(
                r#"SELECT scope AS "scope!", key AS "key!", spent_micros AS "spent!" FROM record_spend($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"#,
                reservation.tenant.as_uuid(),
                id,
                keys as &[Option<String>],
                shopper,
                model,
                how,
                spent,
                i32::try_from(usage.input_tokens).unwrap_or(i32::MAX),
                i32::try_from(usage.cached_tokens).unwrap_or(i32::MAX),
                i32::try_from(usage.output_tokens).unwrap_or(i32::MAX),
                tools,
                now
            )
            .fetch_all(&pool)
            .await
        };
        let rows = self.web.unscoped(book).await?;
        let mut passed = Vec::new();
        for row in &rows {
            let cap = match row.scope.as_str() {
                "store_day" => reservation.caps[STORE_DAY],
                "store_month" => reservation.caps[STORE_MONTH],
                _ => continue,
            };
            let reached = |mark: &i64| row.spent.saturating_mul(100) >= cap.saturating_mul(*mark);
            let marks = ALERT_AT.into_iter().filter(reached);
            passed.extend(marks.map(|mark| (row.scope.as_str(), row.key.as_str(), mark)));
        }
        // Lost with its process an alert is made again by the next call; the outbox takes each mark once.
        self.alert(reservation.tenant, &passed, now).await
    }

    /// Alerts staff that a cap refused a call, even if a little of it is left.
    async fn alert_used_up(
        &self,
        reservation: &Reservation,
        scope: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let key = match scope {
            "store_day" => &reservation.keys[STORE_DAY],
            "store_month" => &reservation.keys[STORE_MONTH],
            _ => return Ok(()),
        };
        let Some(key) = key else { return Ok(()) };
        self.alert(reservation.tenant, &[(scope, key, 100)], now).await
    }

    /// Tells staff of caps, periods and marks, if there are any.
    async fn alert(
        &self,
        tenant: TenantId,
        passed: &[(&str, &str, i64)],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        if passed.is_empty() {
            return Ok(());
        }
        let mut tx = self.web.begin(Scope::tenant(tenant)).await?;
        for (scope, period, mark) in passed {
            alert(&mut tx, scope, period, *mark, now).await?;
        }
        tx.commit().await
    }
}

/// Tells staff, once for each cap, period and mark.
async fn alert(
    tx: &mut Tx<Web>,
    scope: &str,
    period: &str,
    hundredths: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let key = format!("budget:{scope}:{period}:{hundredths}");
    let data = json!({ "scope": scope, "period": period, "percent": hundredths });
    webhook_delivery::announce(tx, "budget.alert", &key, data, now).await?;
    let told = Mail::BudgetAlert {
        scope: scope.to_owned(),
        period: period.to_owned(),
        percent: hundredths,
    };
    mail::queue(tx, &told, "budget_alert", &key, now).await
}

/// The bound tenant's caps.
pub async fn caps<R: Role>(tx: &mut Tx<R>) -> Result<Caps, sqlx::Error> {
    let set = sqlx::query_as!(
        Caps,
        "SELECT conversation_micros, shopper_day_micros, store_day_micros, store_month_micros, guests_percent, network_percent FROM budgets"
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(set.unwrap_or_default())
}

/// Sets the bound tenant's caps. The database demands the session of an admin who has just proved who it is, and notes the change in the
/// audit.
pub async fn set_caps(tx: &mut Tx<Web>, new: Caps, said: Statement<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT set_budget($1, $2, $3, $4, $5)",
        Json(new) as _,
        Json(Caps::default()) as _,
        said.session,
        said.request,
        said.at
    )
    .fetch_one(&mut **tx)
    .await
    .map(drop)
}

/// Releases the reservations of processes that died. Returns how many.
pub async fn sweep(pool: &Pool<Executor>, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut swept = 0;
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let lost = sqlx::query!(
            r#"SELECT id, keys AS "keys: Vec<Option<String>>", shopper_id, model FROM reservations WHERE expires_at <= $1 ORDER BY id LIMIT 100"#,
            now
        )
        .fetch_all(&mut *tx)
        .await?;
        for lost in &lost {
            sqlx::query_scalar!(
                "SELECT count(*) FROM settle_spend($1, $2, $3, $4, 'swept', 0, 0, 0, 0, '{}', $5)",
                lost.id,
                &lost.keys as &[Option<String>],
                lost.shopper_id,
                lost.model,
                now
            )
            .fetch_one(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        swept += lost.len();
    }
    Ok(swept)
}
