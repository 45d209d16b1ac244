//! A shop as the suite sees it, whatever platform it is on.

use countersign::integrations::credentials::Kind;
use reqwest::RequestBuilder;
use secrecy::SecretString;

use crate::support::TestApp;

/// An order that a shop is to have: units of one thing.
#[derive(Clone)]
pub struct Order {
    /// The customer's address; the customer is added when it is new. A guest's order has only the address.
    pub email: &'static str,
    pub is_guest: bool,
    pub currency: &'static str,
    pub title: &'static str,
    pub quantity: u32,
    /// Decimal texts in the currency.
    pub price: &'static str,
    pub discount: &'static str,
    pub tax: &'static str,
    pub shipping: &'static str,
    pub is_paid: bool,
    pub address: Address,
}

#[derive(Clone, Copy)]
pub struct Address {
    pub street: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub zip: &'static str,
    pub country: &'static str,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            email: "zoe@example.com",
            is_guest: false,
            currency: "USD",
            title: "Lamp",
            quantity: 2,
            price: "40.00",
            discount: "0.00",
            tax: "0.00",
            shipping: "0.00",
            is_paid: true,
            address: Address {
                street: "1 High St",
                city: "Bath",
                state: "",
                zip: "BA1",
                country: "GB",
            },
        }
    }
}

/// What happens to an order at the shop.
pub enum Change {
    Cancel,
    /// All of it is sent.
    Ship,
    /// Staff of the shop refund a decimal amount.
    Refund(&'static str),
    /// Somebody saves it without a change.
    Touch,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// 429.
    TooMany,
    /// 503.
    Down,
    Garbage,
    /// Does what it is asked and answers 500.
    DoesItAndFails,
    /// Does what it is asked and cuts the connection in the middle of the answer.
    BreaksOff,
}

/// A change that is asked of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Cancel,
    Refund,
    Address,
    Coupon,
}

/// What was done at the shop, by its own books.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub cancelled: Vec<String>,
    /// The order, and the amount as decimal text.
    pub refunds: Vec<(String, String)>,
    pub codes: Vec<String>,
    /// The orders whose delivery address was set, and the city.
    pub cities: Vec<(String, String)>,
}

pub trait Shop: Send + Sync + Sized {
    const KIND: Kind;

    fn start() -> impl Future<Output = Self> + Send;

    /// The shop's name or address, as `countersign connect` takes it.
    fn address(&self) -> String;

    /// The secret of its API, and the one that its events are signed with.
    fn secrets(&self) -> (SecretString, SecretString);

    /// The id of a customer, as this store knows it.
    fn customer(&self, email: &str) -> String;

    fn add_order(&self, order: &Order) -> String;

    /// The number that the shopper knows.
    fn number(&self, order: &str) -> String;

    fn change(&self, order: &str, change: Change);

    fn add_product(&self, title: &str, price: &str) -> String;

    fn change_price(&self, product: &str, price: &str);

    fn rename_customer(&self, email: &str, first_name: &str);

    /// The event that the shop sends about an order as it is now.
    fn event(&self, app: &TestApp, order: &str) -> RequestBuilder;

    /// The next calls go wrong.
    fn fail(&self, faults: &[Fault]);

    /// The next call for a change goes wrong.
    fn fail_at(&self, act: Act, fault: Fault);

    /// The shop refuses the next refund.
    fn refuse_refund(&self);

    fn books(&self) -> Books;
}
