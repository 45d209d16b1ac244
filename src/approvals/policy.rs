//! Policies: for each tenant and tool, who decides. The model neither sees nor changes them.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{Awaiting, Plan};
use crate::{
    ledger::Statement,
    tenancy::{Role, Tx, Web},
};

/// How a tool's proposals are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Mode {
    /// The tool is switched off for this store.
    Off,
    Staff,
    /// The shopper confirms with a request of their own; what the model says does not count.
    Shopper,
    /// Done at once within the limits; beyond them staff decides.
    Automatic,
}

/// A policy. Amounts are minor units of the store's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, validator::Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub mode: Mode,
    /// Automatic only below this amount; none allows no money at all.
    #[serde(default)]
    #[validate(range(min = 0))]
    #[schema(minimum = 0)]
    pub automatic_below_minor: Option<i64>,
    /// How many proposals a day (UTC) are automatic for one shopper and tool.
    #[serde(default)]
    #[validate(range(min = 0))]
    #[schema(minimum = 0)]
    pub automatic_per_day: Option<i32>,
    /// Automatic only for accounts of at least this age.
    #[serde(default)]
    #[validate(range(min = 0))]
    #[schema(minimum = 0)]
    pub automatic_account_days: Option<i32>,
    /// From this amount on, two people of the staff must agree.
    #[serde(default)]
    #[validate(range(min = 0))]
    #[schema(minimum = 0)]
    pub two_deciders_from_minor: Option<i64>,
}

impl Policy {
    pub const fn new(mode: Mode) -> Self {
        Self {
            mode,
            automatic_below_minor: None,
            automatic_per_day: None,
            automatic_account_days: None,
            two_deciders_from_minor: None,
        }
    }
}

/// Who decides on a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Refuse,
    Automatic,
    Ask { whom: Awaiting, deciders: i32 },
}

/// Chooses who decides. How often a policy may decide by itself in a day is counted in the database (`approve_by_policy`).
pub fn route(policy: &Policy, plan: &Plan, account_days: i64) -> Route {
    let amount = plan.at_stake();
    let deciders = if policy
        .two_deciders_from_minor
        .is_some_and(|from| amount >= from && amount > 0)
    {
        2
    } else {
        1
    };
    let staff = Route::Ask {
        whom: Awaiting::Staff,
        deciders,
    };
    match policy.mode {
        Mode::Off => Route::Refuse,
        Mode::Staff => staff,
        // The policy asks for two people, and a shopper is only one.
        Mode::Shopper if deciders == 2 => staff,
        Mode::Shopper => Route::Ask {
            whom: Awaiting::Shopper,
            deciders: 1,
        },
        Mode::Automatic => {
            let cheap = amount == 0 || policy.automatic_below_minor.is_some_and(|below| amount < below);
            let known = policy
                .automatic_account_days
                .is_none_or(|least| account_days >= i64::from(least));
            if deciders == 1 && cheap && known {
                Route::Automatic
            } else {
                staff
            }
        }
    }
}

/// The tenant's policy for a tool, or its default.
pub async fn load<R: Role>(tx: &mut Tx<R>, tool: &str, default: Policy) -> Result<Policy, sqlx::Error> {
    let stored = sqlx::query_as!(
        Policy,
        r#"SELECT mode AS "mode: Mode", automatic_below_minor, automatic_per_day, automatic_account_days, two_deciders_from_minor
        FROM policies WHERE tool = $1"#,
        tool
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(stored.unwrap_or(default))
}

/// Changes the tenant's policy for a tool. The database demands the session of an admin who has just proved who it is, and notes the change
/// in the audit. `default` is what applies where the store has set nothing.
pub async fn set(
    tx: &mut Tx<Web>,
    tool: &str,
    (new, default): (Policy, Policy),
    said: Statement<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT set_policy($1, $2, $3, $4, $5, $6)",
        tool,
        Json(new) as _,
        Json(default) as _,
        said.session,
        said.request,
        said.at
    )
    .fetch_one(&mut **tx)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{language::LocalizedText, money::Money};

    fn plan(minor: Option<i64>) -> Plan {
        let amount = minor.map(|minor| Money::new(minor, "USD".parse().expect("a currency")));
        Plan::new(LocalizedText::from_fn(|_| String::new()), None, amount, Vec::new())
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        let mode = prop::sample::select(vec![Mode::Off, Mode::Staff, Mode::Shopper, Mode::Automatic]);
        (
            mode,
            any::<Option<u16>>(),
            any::<Option<u8>>(),
            any::<Option<u8>>(),
            any::<Option<u16>>(),
        )
            .prop_map(|(mode, below, day, age, two)| Policy {
                mode,
                automatic_below_minor: below.map(i64::from),
                automatic_per_day: day.map(i32::from),
                automatic_account_days: age.map(i32::from),
                two_deciders_from_minor: two.map(i64::from),
            })
    }

    proptest! {
        #[test]
        fn money_is_automatic_only_below_a_stated_limit(policy in any_policy(), minor in 1i64..100_000, days in 0i64..300) {
            let route = route(&policy, &plan(Some(minor)), days);
            if route == Route::Automatic {
                prop_assert_eq!(policy.mode, Mode::Automatic);
                prop_assert!(policy.automatic_below_minor.is_some_and(|below| minor < below));
                prop_assert!(policy.automatic_account_days.is_none_or(|least| days >= least.into()));
                prop_assert!(policy.two_deciders_from_minor.is_none_or(|from| minor < from));
            }
            if policy.two_deciders_from_minor.is_some_and(|from| minor >= from) && policy.mode != Mode::Off {
                prop_assert_eq!(route, Route::Ask { whom: Awaiting::Staff, deciders: 2 });
            }
        }

        #[test]
        fn more_money_is_never_easier(policy in any_policy(), minor in 0i64..50_000, more in 0i64..50_000) {
            let here = 1000;
            if route(&policy, &plan(Some(minor + more)), here) == Route::Automatic {
                prop_assert_eq!(route(&policy, &plan(Some(minor)), here), Route::Automatic);
            }
        }
    }
}
