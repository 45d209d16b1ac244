//! The executor's own check that the approvals of a proposal suffice.
//!
//! The role that takes decisions cannot execute, and the role that executes does not trust a state: it counts the decisions against the
//! policy that was in force when they were made, which the database stored with each of them. The decisions of people who may no longer decide
//! do not count.

use std::collections::HashSet;

use sqlx::types::Json;

use super::{
    Plan,
    policy::{Mode, Policy},
};
use crate::{
    ids::ProposalId,
    tenancy::{Executor, Tx},
};

struct Decision {
    decider_kind: String,
    person_id: Option<uuid::Uuid>,
    policy: Option<Json<Policy>>,
}

/// When those who approved had to be people who may decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EligibleAt {
    /// An approval of somebody who has left, or whose account has changed, does not count.
    Now,
    /// When the money for the change was requested. It may be days on its way, and somebody who leaves meanwhile stops nothing.
    Request,
}

/// Whether the approvals of a proposal suffice for its plan. `default` is the tool's policy where the store had set none.
pub(super) async fn is_authorized(
    tx: &mut Tx<Executor>,
    proposal: ProposalId,
    plan: &Plan,
    default: Policy,
    eligible_at: EligibleAt,
) -> Result<bool, sqlx::Error> {
    // The newest decision tells by which policy they are counted.
    let decisions = sqlx::query_as!(
        Decision,
        r#"SELECT decider_kind, person_id, policy - 'tool' - 'updated_at' - 'updated_by' AS "policy: Json<Policy>" FROM decisions d
        WHERE tenant_id = $2 AND proposal_id = $1 AND verdict = 'approve' AND plan_digest = $3
            AND ($4 OR EXISTS (SELECT FROM standing_approvals a WHERE (a.tenant_id, a.id) = (d.tenant_id, d.id))) ORDER BY created_at DESC, id DESC"#,
        proposal.as_uuid(),
        tx.tenant_id().as_uuid(),
        &plan.digest()[..],
        eligible_at == EligibleAt::Request
    )
    .fetch_all(&mut **tx)
    .await?;
    let Some(last) = decisions.first() else {
        return Ok(false);
    };
    let policy = last.policy.as_ref().map_or(default, |policy| policy.0);
    let by = |kind: &str| {
        decisions
            .iter()
            .filter(|decision| decision.decider_kind == kind)
            .count()
    };
    let people: HashSet<_> = decisions.iter().filter_map(|decision| decision.person_id).collect();
    Ok(meets_policy(&policy, plan, people.len(), by("shopper"), by("policy")))
}

/// `staff` counts people: an API key's decision counts as its maker's, and one made anew counts once.
fn meets_policy(policy: &Policy, plan: &Plan, staff: usize, shopper: usize, by_policy: usize) -> bool {
    let amount = plan.at_stake();
    let two = amount > 0 && policy.two_deciders_from_minor.is_some_and(|from| amount >= from);
    let by_staff = staff >= if two { 2 } else { 1 };
    match policy.mode {
        Mode::Off => false,
        Mode::Staff => by_staff,
        Mode::Shopper => by_staff || shopper > 0 && !two,
        Mode::Automatic => {
            let cheap = amount == 0 || policy.automatic_below_minor.is_some_and(|below| amount < below);
            by_staff || by_policy > 0 && cheap && !two
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{language::LocalizedText, money::Money};

    #[test]
    fn approvals_meet_their_policy() {
        let plan = |minor| {
            let amount = Money::new(minor, "USD".parse().expect("a currency"));
            Plan::new(
                LocalizedText::from_fn(|_| String::new()),
                None,
                Some(amount),
                Vec::new(),
            )
        };
        let of = |mode| Policy {
            automatic_below_minor: Some(1000),
            two_deciders_from_minor: Some(5000),
            ..Policy::new(mode)
        };
        for (mode, minor, (staff, shopper, policy), expected) in [
            (Mode::Off, 100, (2, 1, 1), false),
            (Mode::Staff, 100, (1, 0, 0), true),
            (Mode::Staff, 100, (0, 1, 1), false),
            (Mode::Staff, 5000, (1, 1, 1), false),
            (Mode::Staff, 5000, (2, 0, 0), true),
            (Mode::Shopper, 100, (0, 1, 0), true),
            (Mode::Shopper, 100, (0, 0, 1), false),
            (Mode::Shopper, 5000, (0, 1, 0), false),
            (Mode::Automatic, 999, (0, 0, 1), true),
            (Mode::Automatic, 1000, (0, 0, 1), false),
            (Mode::Automatic, 1000, (1, 0, 0), true),
            (Mode::Automatic, 5000, (1, 0, 1), false),
        ] {
            assert_eq!(
                meets_policy(&of(mode), &plan(minor), staff, shopper, policy),
                expected,
                "{mode:?} {minor} {staff} {shopper} {policy}"
            );
        }
    }
}
