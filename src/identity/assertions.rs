//! Sign-in by assertion: the store's own site vouches for a shopper with a signed JWT, which is valid for minutes and works once.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;

use super::{
    Identity, IdentityError, LoggedIn, Proof, Visit, assertion_keys::Algorithm, normalise, sessions::end_all, throttle,
};
use crate::{
    ids::ShopperId,
    keyring::Purpose,
    tenancy::{Scope, Tx, Web},
};

/// The longest assertion that is parsed, in bytes.
const MAX_ASSERTION_BYTES: usize = 4096;
/// The longest lifetime that an assertion may have.
const MAX_LIFETIME: Duration = Duration::minutes(5);
/// How far the site's clock may be off from ours.
const SKEW: Duration = Duration::seconds(30);

/// The claims of an assertion. Times are seconds since 1970.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// The store's slug, prefixed with `countersign:`.
    aud: String,
    /// The site's own id of the shopper.
    sub: String,
    iat: i64,
    exp: i64,
    /// A unique id, so that an assertion opens only one session.
    jti: String,
    /// An e-mail address that the site has verified.
    email: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
}

impl Identity {
    /// Opens a session for the shopper whom the assertion names, and creates the shopper if the store has not imported it.
    pub async fn assert(&self, visit: &Visit, assertion: &str) -> Result<LoggedIn, IdentityError> {
        let now = self.now();
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        throttle::guess_from(&mut tx, &self.keyring, visit.device.address, now).await?;
        let (claims, kid) = match self.verify(&mut tx, &visit.store.slug, assertion, now).await {
            Ok(verified) => verified,
            Err(error) => {
                tx.commit().await?;
                return Err(error);
            }
        };
        let used = sqlx::query!(
            "INSERT INTO assertion_uses (tenant_id, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            visit.store.id.as_uuid(),
            claims.jti,
            time(claims.exp)? + SKEW
        )
        .execute(&mut *tx)
        .await?;
        if used.rows_affected() == 0 {
            tx.commit().await?;
            return Err(IdentityError::BadAssertion);
        }
        let shopper = known_or_new(&mut tx, &claims, now).await?;
        let opened = self
            .open(&mut tx, visit.from(), shopper, Proof::Assertion { kid: &kid })
            .await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// The claims and the key's name, if a live key of this store signed them for this service and they are valid now.
    async fn verify(
        &self,
        tx: &mut Tx<Web>,
        slug: &str,
        assertion: &str,
        now: DateTime<Utc>,
    ) -> Result<(Claims, String), IdentityError> {
        let bad = |_| IdentityError::BadAssertion;
        if assertion.len() > MAX_ASSERTION_BYTES {
            return Err(IdentityError::BadAssertion);
        }
        let header = jsonwebtoken::decode_header(assertion).map_err(bad)?;
        let kid = header
            .kid
            .filter(|kid| kid.len() <= 64 && !kid.contains('\0'))
            .ok_or(IdentityError::BadAssertion)?;
        let key = sqlx::query!(
            r#"SELECT algorithm AS "algorithm: Algorithm", key FROM assertion_keys WHERE kid = $1 AND revoked_at IS NULL"#,
            kid
        )
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(IdentityError::BadAssertion)?;
        let (algorithm, key) = match key.algorithm {
            Algorithm::EdDsa => (jsonwebtoken::Algorithm::EdDSA, DecodingKey::from_ed_der(&key.key)),
            Algorithm::Hs256 => {
                let secret = self
                    .keyring
                    .open(Purpose::Assertion, &key.key)
                    .ok_or(IdentityError::Crypto)?;
                (jsonwebtoken::Algorithm::HS256, DecodingKey::from_secret(&secret))
            }
        };
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&[format!("countersign:{slug}")]);
        rules.set_required_spec_claims(&["aud", "exp", "sub"]);
        // Times are compared below, with the service's own clock.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(assertion, &key, &rules)
            .map_err(bad)?
            .claims;
        let (issued, expires) = (time(claims.iat)?, time(claims.exp)?);
        let timely =
            issued <= now + SKEW && expires > now - SKEW && expires > issued && expires - issued <= MAX_LIFETIME;
        if timely && fits(&claims) {
            Ok((claims, kid))
        } else {
            Err(IdentityError::BadAssertion)
        }
    }
}

fn time(seconds: i64) -> Result<DateTime<Utc>, IdentityError> {
    DateTime::from_timestamp(seconds, 0)
        .filter(|time| (0..=9_999).contains(&chrono::Datelike::year(time)))
        .ok_or(IdentityError::BadAssertion)
}

fn fits(claims: &Claims) -> bool {
    let line = |text: &str, longest: usize| text.chars().count() <= longest && crate::text::single_line(text).is_ok();
    validator::ValidateEmail::validate_email(&claims.email)
        && line(&claims.email, 254)
        && line(&claims.sub, 120)
        && !claims.sub.is_empty()
        && line(&claims.jti, 128)
        && !claims.jti.is_empty()
        && line(&claims.given_name, 120)
        && line(&claims.family_name, 120)
        && claims.aud.starts_with("countersign:")
}

/// The shopper whom the store calls `sub`. An account that was registered here with the same address becomes that shopper's: the site has
/// verified the address, so whoever could sign in to the account before cannot any more.
async fn known_or_new(tx: &mut Tx<Web>, claims: &Claims, now: DateTime<Utc>) -> Result<ShopperId, IdentityError> {
    let email = normalise(&claims.email);
    let known = sqlx::query_scalar!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM shoppers WHERE external_id = $1 AND NOT guest"#,
        claims.sub
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let made_here = sqlx::query_scalar!(
        r#"UPDATE shoppers SET external_id = $2 WHERE email = $1 AND external_id = shopper_id::text RETURNING shopper_id AS "id: ShopperId""#,
        email,
        claims.sub
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(made_here) = made_here {
        sqlx::query!("DELETE FROM passwords WHERE shopper_id = $1", made_here.as_uuid())
            .execute(&mut **tx)
            .await?;
        end_all(tx, made_here, now).await?;
        return Ok(made_here);
    }
    let id = ShopperId::new();
    let inserted = sqlx::query!(
        "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING",
        tx.tenant_id().as_uuid(),
        id.as_uuid(),
        claims.sub,
        email,
        claims.given_name,
        claims.family_name,
        now
    )
    .execute(&mut **tx)
    .await?;
    // The address belongs to another shopper whom the store knows: the store must resolve that, we do not guess.
    match inserted.rows_affected() {
        0 => Err(IdentityError::BadAssertion),
        _ => Ok(id),
    }
}
