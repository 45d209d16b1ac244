//! A plan: the exact effect of a write tool, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Names,
    rendering::{Detail, render},
};
use crate::{
    ids::OrderId,
    language::{Language, LocalizedText, TextKey},
    money::Money,
    store::{changes::Change, orders::PaymentKind},
};

/// The exact changes, down to the cent.
// No `Debug`: it holds private data.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// A summary in plain words, for the decider and the shopper.
    #[schema(example = "Cancel order #1003 and refund 28.00 USD to gift card.")]
    pub summary: String,
    /// The summary in languages other than English, by their tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>, example = json!({ "de": "Bestellung #1003 stornieren und 28,00 USD an Geschenkkarte erstatten." }))]
    pub translations: BTreeMap<Language, String>,
    /// Every change field by field, in each language, by its tag: what a decider is shown.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<Detail>>)]
    pub details: BTreeMap<Language, Vec<Detail>>,
    /// The order that it is about, as it was when planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderRef>,
    /// The money at stake, which the limits of a policy apply to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The value of goods that are sent for others. The limits of a policy apply to it too, because no money has to move for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods: Option<Money>,
    pub changes: Vec<Change>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderRef {
    pub id: OrderId,
    pub number: String,
    pub version: i64,
    /// How much of its payments was refunded before, or is about to be. A later refund makes the plan stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Money>,
    /// How much of its payments is promised to a return or exchange that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Money>,
}

impl Plan {
    pub fn new(summary: LocalizedText, order: Option<OrderRef>, amount: Option<Money>, changes: Vec<Change>) -> Self {
        Self::with_names(summary, order, amount, changes, &Names::default())
    }

    /// A plan whose payment methods and goods people know by `names`.
    pub fn with_names(
        summary: LocalizedText,
        order: Option<OrderRef>,
        amount: Option<Money>,
        changes: Vec<Change>,
        names: &Names,
    ) -> Self {
        let others = Language::all().filter(|language| *language != Language::EN);
        Self {
            translations: others
                .map(|language| (language, summary.in_language(language).to_owned()))
                .collect(),
            summary: summary.in_language(Language::EN).to_owned(),
            details: Language::all()
                .map(|language| (language, render(order.as_ref(), &changes, names, language)))
                .collect(),
            order,
            amount,
            goods: None,
            changes,
        }
    }

    /// Adds a row to what a decider is shown, in each language.
    pub(super) fn with_row(mut self, label: TextKey, value: TextKey) -> Self {
        for (language, rows) in &mut self.details {
            rows.push(Detail {
                label: label.in_language(*language),
                before: None,
                after: Some(value.in_language(*language)),
            });
        }
        self
    }

    /// The plan sends goods of this value for others.
    pub fn sending(mut self, goods: Money) -> Self {
        self.goods = Some(goods);
        self
    }

    /// What the limits of a policy apply to, in minor units: the money or the goods, whichever is more.
    pub fn at_stake(&self) -> i64 {
        [self.amount, self.goods]
            .into_iter()
            .flatten()
            .map(|money| money.minor)
            .max()
            .unwrap_or(0)
    }

    pub fn summary_in(&self, language: Language) -> &str {
        self.translations.get(&language).unwrap_or(&self.summary)
    }

    /// Whether both plans have the same effect. Only the wording may differ, so that a release with other texts makes no plan stale.
    pub fn has_same_effect_as(&self, other: &Self) -> bool {
        (&self.order, self.amount, self.goods, &self.changes)
            == (&other.order, other.amount, other.goods, &other.changes)
    }

    /// The money that must have come in before the changes are made, by payment method.
    pub fn money_in(&self) -> Vec<(&str, Money)> {
        let money = self.changes.iter().filter_map(|change| match change {
            Change::Payment {
                kind: PaymentKind::Payment,
                amount,
                payment_method_id,
            } => Some((payment_method_id.as_str(), *amount)),
            Change::Exchange {
                difference,
                payment_method_id,
                ..
            } if difference.minor > 0 => Some((payment_method_id.as_str(), *difference)),
            _ => None,
        });
        money.collect()
    }

    /// Whether the money that came in stays held after the changes are made: for an exchange, until the old items are back.
    pub fn holds_money(&self) -> bool {
        self.changes
            .iter()
            .any(|change| matches!(change, Change::Exchange { .. }))
    }

    /// Whether the only effect is that money is paid out.
    pub fn only_pays_out(&self) -> bool {
        let is_money = |change: &Change| match change {
            Change::Payment { kind, .. } => *kind == PaymentKind::Refund,
            Change::Balance { .. } => true,
            _ => false,
        };
        self.changes.iter().all(is_money)
    }

    /// A message about the plan, in each language.
    pub fn localized_message(&self, message: TextKey) -> LocalizedText {
        LocalizedText::from_fn(|language| message.with(language, &[("plan", self.summary_in(language).into())]))
    }

    /// SHA-256 of the plan, which decisions name.
    pub fn digest(&self) -> [u8; 32] {
        // Serialising a plan cannot fail: it holds strings, integers and lists of them.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

/// Why there is no plan, in words that the model can act on.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("argument `{field}`: {reason}")]
    Argument { field: &'static str, reason: String },
    /// The store's rules do not allow it.
    #[error("{0}")]
    Rule(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl PlanError {
    pub fn rule(reason: impl Into<String>) -> Self {
        Self::Rule(reason.into())
    }
}
