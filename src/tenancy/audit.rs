//! The audit: append-only, hash-chained within a tenant, written in the same transaction as the action.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Role, Tx};

/// Who acted.
#[derive(Clone, Debug)]
pub struct Actor {
    kind: &'static str,
    id: Option<Uuid>,
    /// The id of the HTTP request, if there was one.
    request_id: Option<String>,
}

impl Actor {
    pub fn shopper(id: crate::ids::ShopperId) -> Self {
        Self {
            kind: "shopper",
            id: Some(id.as_uuid()),
            request_id: None,
        }
    }
    pub fn staff(id: crate::ids::StaffId) -> Self {
        Self {
            kind: "staff",
            id: Some(id.as_uuid()),
            request_id: None,
        }
    }
    /// A machine, by its key's id.
    pub fn machine(id: Uuid) -> Self {
        Self {
            kind: "machine",
            id: Some(id),
            request_id: None,
        }
    }
    /// The model, acting in a turn.
    pub fn model(turn: crate::ids::TurnId) -> Self {
        Self {
            kind: "model",
            id: Some(turn.as_uuid()),
            request_id: None,
        }
    }
    pub fn policy() -> Self {
        Self {
            kind: "policy",
            id: None,
            request_id: None,
        }
    }
    pub fn system() -> Self {
        Self {
            kind: "system",
            id: None,
            request_id: None,
        }
    }
    pub fn in_request(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }
}

/// An audit entry. Holds states, amounts and ids; no personal text.
pub struct Entry<'a> {
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    /// The action, such as `proposal.approve`.
    pub action: &'a str,
    pub target_kind: &'a str,
    pub target_id: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl<'a> Entry<'a> {
    /// An entry without the values before and after.
    pub fn new(actor: &'a Actor, action: &'a str, target: (&'a str, impl ToString), at: DateTime<Utc>) -> Self {
        Self {
            at,
            actor,
            action,
            target_kind: target.0,
            target_id: target.1.to_string(),
            before: None,
            after: None,
        }
    }

    pub fn after(self, after: Value) -> Self {
        Self {
            after: Some(after),
            ..self
        }
    }
}

/// Appends an entry. Other writers of the tenant's audit wait until the transaction ends, so append last.
pub async fn append<R: Role>(tx: &mut Tx<R>, entry: Entry<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT append_audit($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        entry.at,
        entry.actor.kind,
        entry.actor.id,
        entry.action,
        entry.target_kind,
        entry.target_id,
        entry.actor.request_id,
        entry.before,
        entry.after
    )
    .fetch_one(&mut **tx)
    .await
    .map(drop)
}

/// An entry as staff see it.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    pub seq: i64,
    pub at: DateTime<Utc>,
    /// `shopper`, `staff`, `machine`, `model`, `policy` or `system`.
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    #[schema(example = "proposal.approve")]
    pub action: String,
    pub target_kind: String,
    pub target_id: String,
    pub request_id: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Entries, newest first; with `before`, only those before that number.
pub async fn list<R: Role>(tx: &mut Tx<R>, limit: u32, before: Option<i64>) -> Result<Vec<AuditEntry>, sqlx::Error> {
    sqlx::query_as!(
        AuditEntry,
        "SELECT seq, at, actor_kind, actor_id, action, target_kind, target_id, request_id, before, after FROM audit
        WHERE $2::bigint IS NULL OR seq < $2 ORDER BY seq DESC LIMIT $1",
        i64::from(limit),
        before
    )
    .fetch_all(&mut **tx)
    .await
}

/// The head of a chain: the number and hash of its newest entry. Whoever keeps it elsewhere can detect when that entry, or later the end of
/// the chain with it, was cut off or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: String,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl std::str::FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mend = "must be what `countersign audit head` prints, such as 1042:9f86d0…";
        let (seq, hash) = text.trim().split_once(':').ok_or(mend)?;
        let sound = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match seq.parse() {
            Ok(seq) if sound => Ok(Self {
                seq,
                hash: hash.to_lowercase(),
            }),
            _ => Err(mend),
        }
    }
}

/// The head of the bound tenant's chain; none while it has no entry.
pub async fn head<R: Role>(tx: &mut Tx<R>) -> Result<Option<Head>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT seq, hash FROM audit WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1",
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Head {
        seq: row.seq,
        hash: hex::encode(row.hash),
    }))
}

/// Whether the chain still has an entry that was once its head.
pub async fn holds<R: Role>(tx: &mut Tx<R>, head: &Head) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM audit WHERE tenant_id = $1 AND seq = $2 AND encode(hash, 'hex') = $3) AS "holds!""#,
        tx.tenant_id().as_uuid(),
        head.seq,
        head.hash
    )
    .fetch_one(&mut **tx)
    .await
}

/// Verifies the bound tenant's chain. Returns how many entries there are, and the number of the first that does not match.
pub async fn verify<R: Role>(tx: &mut Tx<R>) -> Result<(i64, Option<i64>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "entries!", min(seq) FILTER (WHERE NOT sound) AS broken FROM (
            SELECT a.seq, a.seq = coalesce(lag(a.seq) OVER w, 0) + 1 AND a.hash = audit_hash(coalesce(lag(a.hash) OVER w, '\x'), a) AS sound
            FROM audit a WINDOW w AS (ORDER BY a.seq)) chain"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.entries, row.broken))
}
