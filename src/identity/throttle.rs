//! Throttles: how often somebody may try. Counted in Postgres, so that they hold across replicas, under keyed hashes that name nobody.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use sqlx::postgres::types::PgInterval;

use super::IdentityError;
use crate::{
    ids::ShopperId,
    keyring::{Keyring, Purpose},
    network::Network,
    tenancy::{Tx, Web},
};

/// Allows `burst` tries at once, then one each `every`.
pub(super) struct Throttle {
    name: &'static str,
    every: Duration,
    burst: i32,
}

const fn throttle(name: &'static str, every_seconds: i64, burst: i32) -> Throttle {
    Throttle {
        name,
        every: Duration::seconds(every_seconds),
        burst,
    }
}

/// Guesses from one network, whatever the account. A person mistypes a few times; trying one password on 1,000 accounts is stopped.
const GUESS_FROM_NETWORK: Throttle = throttle("guess from address", 10, 30);
/// Guesses from one IPv6 /48, which holds 65,536 networks.
const GUESS_FROM_SITE: Throttle = throttle("guess from site", 3, 120);
/// Guesses at one account from one address.
pub(super) const GUESS_AT_ACCOUNT_FROM_ADDRESS: Throttle = throttle("guess at account from address", 60, 10);
/// Guesses at one code. They are counted by network address, or by holder if the code belongs to a browser or a guest, so that strangers do
/// not use up its owner's tries.
pub(super) const GUESS_AT_CODE_FROM_ADDRESS: Throttle = throttle("guess at code from address", 86_400, 5);
/// Mails to one address, asked for from one network address.
pub(super) const MAIL_TO_ADDRESS_FROM_ADDRESS: Throttle = throttle("mail to address from address", 600, 5);
/// Mails to one address, asked for from networks where its account is not known to be used: strangers who use these up do not keep its
/// owner from asking.
pub(super) const MAIL_TO_ADDRESS: Throttle = throttle("mail to address", 600, 6);
/// Mails asked for from one network address.
pub(super) const MAIL_FROM_ADDRESS: Throttle = throttle("mail from address", 60, 20);
/// Guests from one network address.
pub(super) const GUEST_FROM_ADDRESS: Throttle = throttle("guest from address", 10, 60);
/// Guests from one IPv4 address or IPv6 /64: 300 at once, then 300 a day.
pub(super) const GUEST_ROWS_OF_NETWORK: Throttle = throttle("guest rows of network", 288, 300);
/// Guests from one IPv6 /48: 1,200 at once, then 1,200 a day.
pub(super) const GUEST_ROWS_OF_SITE: Throttle = throttle("guest rows of site", 72, 1_200);
/// Guests of one store: 20,000 at once, then 17,280 a day.
pub(super) const GUEST_ROWS_OF_STORE: Throttle = throttle("guest rows of store", 5, 20_000);
/// Conversations begun by guests of one IPv4 address or IPv6 /64: 600 at once, then 600 a day.
pub(super) const GUEST_CONVERSATIONS_OF_NETWORK: Throttle = throttle("guest conversations of network", 144, 600);
/// Conversations begun by guests of one IPv6 /48: 2,400 at once, then 2,400 a day.
pub(super) const GUEST_CONVERSATIONS_OF_SITE: Throttle = throttle("guest conversations of site", 36, 2_400);

/// Orders that the shop's platform is asked for on behalf of one shopper.
const ORDER_LOOK_UP: Throttle = throttle("order look-up", 60, 5);

/// Takes one of a shopper's look-ups of orders at the shop's platform: 5 at once, then one a minute.
pub async fn take_order_look_up(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    shopper: ShopperId,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    ORDER_LOOK_UP.take(tx, keyring, &[&shopper.to_string()], now).await
}

/// The mailbox behind an address, as far as one can tell: whatever follows a `+` is an alias of its owner, and Gmail ignores dots. For
/// counting, and for telling whether two accounts are one person's; the database has the same function.
pub fn mailbox(email: &str) -> String {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return email.to_owned();
    };
    let local = local.split('+').next().unwrap_or(local);
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        _ => format!("{local}@{domain}"),
    }
}

impl Throttle {
    /// Counts a try under the key that `parts` form, or says how long to wait. The count is stored with the transaction: commit even when
    /// what follows fails.
    pub(super) async fn take(
        &self,
        tx: &mut Tx<Web>,
        keyring: &Keyring,
        parts: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        let key = keyring.mac(Purpose::Throttle, [&[self.name], parts].concat().join("\0").as_bytes());
        let every = PgInterval {
            months: 0,
            days: 0,
            microseconds: self.every.num_microseconds().unwrap_or(i64::MAX),
        };
        let wait = sqlx::query_scalar!(
            "SELECT consume_throttle($1, $2, $3, $4)",
            &key[..],
            every,
            self.burst,
            now
        )
        .fetch_one(&mut **tx)
        .await?;
        match wait {
            None => Ok(()),
            Some(wait) => Err(IdentityError::Throttled(
                (i64::from(wait.days) * 86_400 + wait.microseconds / 1_000_000 + 1).clamp(1, 86_400) as u32,
            )),
        }
    }
}

/// Throttles guesses from one network, or from many networks of one site.
pub(super) async fn guess_from(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let network = Network::of(address).to_string();
    GUESS_FROM_NETWORK.take(tx, keyring, &[&network], now).await?;
    match Network::site(address) {
        Some(site) => GUESS_FROM_SITE.take(tx, keyring, &[&site.to_string()], now).await,
        None => Ok(()),
    }
}

/// Throttles guesses at the account that `who` names, counted by the guesser's network: strangers elsewhere cannot lock out its owner.
pub(super) async fn guess(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    who: &[&str],
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    guess_from(tx, keyring, address, now).await?;
    let network = Network::of(address).to_string();
    let here = [who, &[network.as_str()]].concat();
    GUESS_AT_ACCOUNT_FROM_ADDRESS.take(tx, keyring, &here, now).await
}

/// How long an address from which an account was opened counts as its owner's.
pub(super) const KNOWN_ADDRESS_TTL: Duration = Duration::days(30);

#[cfg(test)]
mod tests {
    use super::mailbox;

    #[test]
    fn addresses_of_one_mailbox_are_counted_together() {
        for (email, counted) in [
            ("mia+a@example.com", "mia@example.com"),
            ("mia+b+c@example.com", "mia@example.com"),
            ("mia.j@example.com", "mia.j@example.com"),
            ("m.i.a+x@googlemail.com", "mia@gmail.com"),
            ("mia@gmail.com", "mia@gmail.com"),
            ("no address", "no address"),
        ] {
            assert_eq!(mailbox(email), counted);
        }
    }
}
