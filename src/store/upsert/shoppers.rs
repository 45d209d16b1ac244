//! Stores shoppers with their payment methods.

use sqlx::types::Json;
use uuid::Uuid;

use super::{UpsertError, minor};
use crate::{
    ids::ShopperId,
    store::{
        merge,
        records::{PaymentMethodKind, ShopperRecord},
    },
    tenancy::{Executor, Tenant, Tx},
};

/// Merges an account that was made here, by a registration or for a guest's order, into the store's shopper with the same address: both have
/// proved it. Whoever could sign in to the account before cannot any more, as with an assertion, because the address may have changed hands. If
/// the shopper is known here already, the account loses the address instead, and is returned: its orders are the shopper's.
async fn adopt(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    external_id: &str,
    email: &str,
) -> Result<Option<ShopperId>, sqlx::Error> {
    let made_here = sqlx::query!(
        r#"SELECT shopper_id AS "id: ShopperId", EXISTS (SELECT FROM shoppers k WHERE k.tenant_id = $1 AND k.external_id = $3) AS "known!"
        FROM shoppers WHERE tenant_id = $1 AND email = $2 AND external_id = shopper_id::text FOR UPDATE"#,
        store.id.as_uuid(),
        email,
        external_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(made_here) = made_here else { return Ok(None) };
    if made_here.known {
        merge::retire(tx, made_here.id).await?;
        return Ok(Some(made_here.id));
    }
    sqlx::query!(
        "UPDATE shoppers SET external_id = $3 WHERE tenant_id = $1 AND shopper_id = $2",
        store.id.as_uuid(),
        made_here.id.as_uuid(),
        external_id
    )
    .execute(&mut **tx)
    .await?;
    merge::end_sign_in(tx, made_here.id).await?;
    Ok(None)
}

pub(super) async fn store(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    shopper: &ShopperRecord,
) -> Result<Vec<String>, UpsertError> {
    let mut notes = Vec::new();
    let mut email = shopper.email.as_deref().map(|email| email.trim().to_lowercase());
    let mut replaced = None;
    if let Some(address) = &email {
        replaced = adopt(tx, store, &shopper.id, address).await?;
        if shopper.from_platform && has_other(tx, &shopper.id, address).await? {
            notes.push("the e-mail address belongs to another customer; it was left there".to_owned());
            email = None;
        }
    }
    // A customer that was merged away gets no address any more, whatever the platform tells late of it.
    let id = sqlx::query_scalar!(
        r#"INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name, address) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET email = CASE WHEN $8 AND shoppers.email = 'replaced-' || shoppers.shopper_id || '@replaced.invalid' THEN shoppers.email
                WHEN $8 THEN coalesce(excluded.email, shoppers.email) ELSE excluded.email END,
            first_name = CASE WHEN $8 THEN coalesce(nullif(excluded.first_name, ''), shoppers.first_name) ELSE excluded.first_name END,
            last_name = CASE WHEN $8 THEN coalesce(nullif(excluded.last_name, ''), shoppers.last_name) ELSE excluded.last_name END,
            address = CASE WHEN $8 THEN coalesce(excluded.address, shoppers.address) ELSE excluded.address END
        RETURNING shopper_id AS "id: ShopperId""#,
        store.id.as_uuid(),
        Uuid::now_v7(),
        shopper.id,
        email,
        shopper.first_name,
        shopper.last_name,
        shopper.address.as_ref().map(Json) as _,
        shopper.from_platform
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("shoppers_tenant_id_email_key") => UpsertError::EmailTaken,
        _ => error.into(),
    })?;
    if let Some(replaced) = replaced {
        notes.extend(merge::move_orders(tx, replaced, id).await?);
    }
    for method in &shopper.payment_methods {
        let balance = method
            .balance
            .as_deref()
            .map(|text| minor("payment_methods.balance", text, store.currency))
            .transpose()?;
        let stored = sqlx::query!(
            "INSERT INTO payment_methods (tenant_id, shopper_id, id, external_id, kind, brand, last_four, balance_minor, reference, customer, balance_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $8::bigint IS NOT NULL THEN $11::timestamptz END)
            ON CONFLICT (tenant_id, external_id) DO UPDATE SET kind = excluded.kind, brand = excluded.brand, last_four = excluded.last_four,
                balance_minor = excluded.balance_minor, reference = excluded.reference, customer = excluded.customer,
                balance_at = CASE WHEN payment_methods.balance_minor = excluded.balance_minor THEN payment_methods.balance_at ELSE excluded.balance_at END
            WHERE payment_methods.shopper_id = excluded.shopper_id",
            store.id.as_uuid(),
            id.as_uuid(),
            Uuid::now_v7(),
            method.id,
            method.kind as PaymentMethodKind as _,
            method.brand,
            method.last_four,
            balance,
            method.reference,
            method.customer,
            crate::clock::now()
        )
        .execute(&mut **tx)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(UpsertError::Foreign("a payment method"));
        }
    }
    Ok(notes)
}

/// Whether another shopper has an e-mail address.
async fn has_other(tx: &mut Tx<Executor>, external_id: &str, email: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM shoppers WHERE tenant_id = $1 AND email = $2 AND external_id <> $3) AS "other!""#,
        tx.tenant_id().as_uuid(),
        email,
        external_id
    )
    .fetch_one(&mut **tx)
    .await
}
