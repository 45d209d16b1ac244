//! A shopper's own profile.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Address, PaymentMethod, orders::currency};
use crate::{
    ids::{PaymentMethodId, ShopperId},
    money::Money,
    tenancy::{Executor, Role, Tx},
};

/// The shopper's name, address and payment methods.
// No `Debug`: it holds private data.
#[derive(Clone, Serialize)]
pub struct Profile {
    #[serde(skip)]
    pub shopper_id: ShopperId,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    pub payment_methods: Vec<PaymentMethod>,
}

/// A named type, because sqlx's anonymous row type would require the personal data in it to be printable.
struct ProfileRow {
    id: ShopperId,
    first_name: String,
    last_name: String,
    email: Option<String>,
    address: Option<Json<Address>>,
    currency: String,
    methods: Json<Vec<MethodRow>>,
}

#[derive(Deserialize)]
struct MethodRow {
    id: String,
    kind: String,
    brand: Option<String>,
    last_four: Option<String>,
    balance_minor: Option<i64>,
}

/// The profile of a shopper that the transaction may see.
pub async fn of<R: Role>(tx: &mut Tx<R>, shopper: ShopperId) -> Result<Option<Profile>, sqlx::Error> {
    let row = sqlx::query_as!(
        ProfileRow,
        r#"SELECT s.shopper_id AS "id: ShopperId", s.first_name, s.last_name, s.email, s.address AS "address: Json<Address>", t.currency,
            (SELECT coalesce(json_agg(json_build_object('id', m.external_id, 'kind', m.kind, 'brand', m.brand,
                    'last_four', m.last_four, 'balance_minor', m.balance_minor) ORDER BY m.external_id), '[]')
             FROM payment_methods m WHERE (m.tenant_id, m.shopper_id) = (s.tenant_id, s.shopper_id)) AS "methods!: Json<Vec<MethodRow>>"
        FROM shoppers s JOIN tenants t USING (tenant_id) WHERE s.shopper_id = $1"#,
        shopper.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let currency = currency(&row.currency)?;
    let payment_methods = row.methods.0.into_iter().map(|method| PaymentMethod {
        id: method.id,
        kind: method.kind,
        brand: method.brand,
        last_four: method.last_four,
        balance: method.balance_minor.map(|minor| Money::new(minor, currency)),
    });
    Ok(Some(Profile {
        shopper_id: row.id,
        first_name: row.first_name,
        last_name: row.last_name,
        email: row.email.unwrap_or_default(),
        address: row.address.map(|address| address.0),
        payment_methods: payment_methods.collect(),
    }))
}

/// The shopper's payment method with the store's reference `external_id`.
pub(super) async fn payment_method<R: Role>(
    tx: &mut Tx<R>,
    shopper: ShopperId,
    external_id: &str,
) -> Result<Option<PaymentMethodId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentMethodId" FROM payment_methods WHERE external_id = $1 AND shopper_id = $2"#,
        external_id,
        shopper.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// What a platform's order was paid with: the platform does not say more than that it was. One a shopper.
pub(super) async fn platform_method(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO payment_methods (tenant_id, shopper_id, id, external_id, kind)
        SELECT tenant_id, shopper_id, $3, left('platform-' || external_id, 120), 'credit_card' FROM shoppers WHERE tenant_id = $1 AND shopper_id = $2
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET kind = payment_methods.kind RETURNING external_id",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        Uuid::now_v7()
    )
    .fetch_one(&mut **tx)
    .await
}
