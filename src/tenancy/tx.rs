//! Tenant-bound transactions.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use sqlx::{PgConnection, Postgres, Transaction};
use tracing::Span;

use crate::ids::{OrderId, ShopperId, TenantId};

/// A database role. What its transactions may do is set by grants in `migrations/`.
pub trait Role: Send + Sync + 'static {
    /// The name of the Postgres role.
    const NAME: &'static str;
    /// The statement that begins its transactions.
    const BEGIN: &'static str;
}

/// The role of read tools: SELECT only, in READ ONLY transactions.
#[derive(Debug, Clone, Copy)]
pub struct Reader;
/// The role of the API: sessions, conversations, proposals. It cannot write orders or money.
#[derive(Debug, Clone, Copy)]
pub struct Web;
/// The role that executes: approved changes, imports, the outbox.
#[derive(Debug, Clone, Copy)]
pub struct Executor;

impl Role for Reader {
    const NAME: &'static str = "countersign_reader";
    const BEGIN: &'static str = "BEGIN READ ONLY";
}
impl Role for Web {
    const NAME: &'static str = "countersign_web";
    const BEGIN: &'static str = "BEGIN";
}
impl Role for Executor {
    const NAME: &'static str = "countersign_executor";
    const BEGIN: &'static str = "BEGIN";
}

/// Whose rows a transaction can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub(super) tenant: TenantId,
    pub(super) shopper: Option<ShopperId>,
    /// One more order that may be read: the one that a guest has proved.
    pub(super) order: Option<OrderId>,
}

impl Scope {
    /// A whole tenant: for logins, staff and the executor.
    pub fn tenant(tenant: TenantId) -> Self {
        Self {
            tenant,
            shopper: None,
            order: None,
        }
    }

    /// One shopper of a tenant.
    pub fn shopper(tenant: TenantId, shopper: ShopperId) -> Self {
        Self {
            tenant,
            shopper: Some(shopper),
            order: None,
        }
    }

    /// Adds one order that the guest has proved and may read, although it is another shopper's.
    pub fn with_order(self, order: Option<OrderId>) -> Self {
        Self { order, ..self }
    }

    /// `BEGIN` and the scope in one message, so that both take one round trip. Ids are UUIDs by type, so nothing needs escaping.
    pub(super) fn begin<R: Role>(self) -> String {
        let shopper = self.shopper.map(|id| id.to_string()).unwrap_or_default();
        let order = self
            .order
            .map(|id| format!("; SET LOCAL app.order_id = '{id}'"))
            .unwrap_or_default();
        format!(
            "{}; SET LOCAL app.tenant_id = '{}'; SET LOCAL app.shopper_id = '{shopper}'{order}",
            R::BEGIN,
            self.tenant
        )
    }
}

/// A transaction bound to a [`Scope`] on the connection of one role. Dropped without [`commit`](Tx::commit), it rolls back.
pub struct Tx<R: Role> {
    inner: Transaction<'static, Postgres>,
    scope: Scope,
    /// The tracing span of the transaction, from before `BEGIN` until after its end.
    _span: Span,
    role: PhantomData<R>,
}

impl<R: Role> Tx<R> {
    pub(super) fn new(inner: Transaction<'static, Postgres>, scope: Scope, span: Span) -> Self {
        Self {
            inner,
            scope,
            _span: span,
            role: PhantomData,
        }
    }

    /// The tenant that this transaction is bound to, for the `tenant_id` of inserted rows.
    pub fn tenant_id(&self) -> TenantId {
        self.scope.tenant
    }

    /// The shopper this transaction is bound to; none sees a whole tenant.
    pub fn shopper_id(&self) -> Option<ShopperId> {
        self.scope.shopper
    }

    /// The one order that the guest of this transaction has proved.
    pub fn proved_order(&self) -> Option<OrderId> {
        self.scope.order
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }
}

impl<R: Role> Deref for Tx<R> {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl<R: Role> DerefMut for Tx<R> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_begins_read_only_and_names_its_scope() {
        let (tenant, shopper) = (TenantId::new(), ShopperId::new());
        let begin = Scope::shopper(tenant, shopper).begin::<Reader>();
        assert!(begin.starts_with("BEGIN READ ONLY; "));
        assert!(begin.contains(&tenant.to_string()) && begin.contains(&shopper.to_string()));
        assert!(Scope::tenant(tenant).begin::<Web>().ends_with("app.shopper_id = ''"));
    }
}
