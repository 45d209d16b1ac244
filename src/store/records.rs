//! The records that a store sends: the import format, typed and bounded. `docs/import.md` describes it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

use super::{
    Address, Options,
    orders::{OrderStatus, PaymentKind, Shipment},
};
use crate::{ids::MovementId, text};

/// One line of an import file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    Product(ProductRecord),
    Shopper(ShopperRecord),
    Order(Box<OrderRecord>),
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ProductRecord {
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub id: String,
    #[validate(length(min = 1, max = 200), custom(function = text::single_line))]
    pub name: String,
    #[serde(default)]
    #[validate(length(max = 4000), custom(function = text::multi_line))]
    pub description: String,
    /// The address of its picture: an https address, or a path on the shop's own site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1000), custom(function = picture_fits))]
    pub picture: Option<String>,
    #[validate(nested, length(max = 1000))]
    pub variants: Vec<VariantRecord>,
    /// The ids of variants that a platform tells of in events of their own. They stay as they are.
    #[serde(skip)]
    pub variants_apart: Vec<String>,
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct VariantRecord {
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub id: String,
    #[serde(default)]
    #[validate(custom(function = options_fit))]
    pub options: Options,
    /// Decimal text in the store's currency.
    pub price: String,
    pub available: bool,
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ShopperRecord {
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(email, length(max = 254), custom(function = text::single_line))]
    pub email: Option<String>,
    #[validate(length(max = 120), custom(function = text::single_line))]
    pub first_name: String,
    #[validate(length(max = 120), custom(function = text::single_line))]
    pub last_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub address: Option<Address>,
    #[serde(default)]
    #[validate(nested, length(max = 100))]
    pub payment_methods: Vec<PaymentMethodRecord>,
    /// Whether a platform's event tells of the shopper: then what it does not tell stays, and an e-mail address that another shopper has is
    /// left out.
    #[serde(skip)]
    pub from_platform: bool,
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethodRecord {
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub id: String,
    pub kind: PaymentMethodKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// The balance of a gift card: decimal text in the store's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// The payment provider's id of the method (Stripe: `pm_…`); with it, the method can be charged there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200), custom(function = text::single_line))]
    pub reference: Option<String>,
    /// The payment provider's id of its owner (Stripe: `cus_…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200), custom(function = text::single_line))]
    pub customer: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentMethodKind {
    CreditCard,
    Paypal,
    GiftCard,
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct OrderRecord {
    #[validate(length(min = 1, max = 64), custom(function = text::single_line))]
    pub number: String,
    /// The shopper's `id`. An order without one belongs to whoever has its e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shopper: Option<String>,
    /// The address that the order was placed with, where it has no shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(email, length(max = 254), custom(function = text::single_line))]
    pub email: Option<String>,
    /// ISO 4217 code; without it the store's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What the order costs besides its goods. Without it the total is the sum of the lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<TotalsRecord>,
    /// The shop platform's id of the order (Shopify: `gid://shopify/Order/…`, WooCommerce: `woocommerce:…`, a connector: the system's own id);
    /// with it, changes are made at the platform too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 200), custom(function = text::single_line))]
    pub reference: Option<String>,
    pub status: OrderStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<DateTime<Utc>>,
    #[validate(nested)]
    pub address: Address,
    #[serde(default)]
    #[validate(nested, length(max = 1000))]
    pub lines: Vec<LineRecord>,
    #[serde(default)]
    #[validate(nested, length(max = 100))]
    pub shipments: Vec<Shipment>,
    #[serde(default)]
    #[validate(length(max = 1000))]
    pub payments: Vec<PaymentRecord>,
    /// Whether a platform's event tells of the order. Then `payments` has one payment, of all that was paid so far, and the refunds that are
    /// known by now, without a payment method; a store's own records name every payment, and one that is missing is an error.
    #[serde(skip)]
    pub from_platform: bool,
    /// What of the platform's order could not be taken, for staff.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Refunds that the platform was asked for and could not pay out, each with the number of its attempt.
    #[serde(skip)]
    pub failed_refunds: Vec<(MovementId, i32)>,
}

/// What an order costs. Amounts are decimal text in the order's currency; what is not told is 0.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotalsRecord {
    pub total: String,
    /// What was taken off the price of the goods.
    #[serde(default = "zero")]
    pub discount: String,
    #[serde(default = "zero")]
    pub tax: String,
    /// Whether the prices have the tax in them.
    #[serde(default)]
    pub tax_included: bool,
    #[serde(default = "zero")]
    pub shipping: String,
    #[serde(default = "zero")]
    pub tip: String,
    /// What is charged besides, such as for a way to pay.
    #[serde(default = "zero")]
    pub fees: String,
    #[serde(default = "zero")]
    pub duties: String,
}

fn zero() -> String {
    "0".to_owned()
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct LineRecord {
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub product_id: String,
    #[validate(length(min = 1, max = 120), custom(function = text::single_line))]
    pub item_id: String,
    #[validate(length(min = 1, max = 200), custom(function = text::single_line))]
    pub name: String,
    #[serde(default)]
    #[validate(custom(function = options_fit))]
    pub options: Options,
    /// The price of one unit, as decimal text.
    pub price: String,
    #[serde(default = "one")]
    #[validate(range(min = 1, max = 10_000))]
    pub quantity: u32,
    /// What all units together really cost, as decimal text: after discounts, and with the tax where the prices have none in them. A unit that
    /// comes back is worth its share of it. Without it the line cost its price times its quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
}

/// Allows https addresses and paths only: nothing that runs code, and nothing that is loaded over plain HTTP.
fn picture_fits(picture: &str) -> Result<(), ValidationError> {
    text::single_line(picture)?;
    let path = picture
        .strip_prefix('/')
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '\\']));
    let address =
        picture.starts_with("https://") && url::Url::parse(picture).is_ok_and(|url| url.username().is_empty());
    if path || address {
        Ok(())
    } else {
        let mend = "must be an https:// address, or a path on the shop's site such as /pictures/mug.webp";
        Err(ValidationError::new("picture").with_message(mend.into()))
    }
}

/// Checks for at most 50 options, each name and value a short single line.
fn options_fit(options: &Options) -> Result<(), ValidationError> {
    let mut texts = options.iter().flat_map(|(name, value)| [name, value]);
    if options.len() > 50 || texts.clone().any(|part| part.chars().count() > 200) {
        return Err(
            ValidationError::new("length").with_message("must be at most 50 of at most 200 characters each".into())
        );
    }
    texts.try_for_each(|part| text::single_line(part))
}

fn one() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentRecord {
    pub kind: PaymentKind,
    /// Decimal text.
    pub amount: String,
    /// The payment method's `id`.
    pub payment_method: String,
    /// The payment provider's id of the payment (Stripe: `pi_…` or `ch_…`); with it, refunds are made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The movement of the ledger that the platform made this refund for.
    #[serde(skip)]
    pub movement: Option<MovementId>,
}
