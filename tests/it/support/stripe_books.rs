//! The state of a fake Stripe: charges, payment pages and refunds as the real API answers them, and the events it would send.
//!
//! The same idempotency key gives the same answer, declined charges answer 402 with the payment intent in the error, and refunds never
//! exceed their charge. Tests compare this state with the product's ledger; the two share no code.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

/// How the next charge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    Succeeds,
    /// The bank declines it.
    Declined,
    /// The bank requires the shopper to authenticate (3-D Secure).
    NeedsShopper,
    /// A bank debit: a later event says whether it succeeded.
    Processing,
}

/// How the next refund ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    Succeeds,
    /// A later event says that it succeeded.
    Pending,
    /// It succeeds, and a later event says that it could not be paid out.
    FailsLater,
    /// Refused at once.
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Charge {
    pub amount: i64,
    pub status: String,
    pub metadata: BTreeMap<String, String>,
    /// Whether it has had the status `succeeded` at any time.
    pub paid: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Refund {
    pub charge: String,
    pub amount: i64,
    pub status: String,
    pub metadata: BTreeMap<String, String>,
    /// Whether it has had the status `succeeded` at any time.
    pub paid: bool,
    fields: HashMap<String, String>,
}

#[derive(Clone, Debug)]
struct Session {
    amount: i64,
    currency: String,
    metadata: BTreeMap<String, String>,
    open: bool,
}

#[derive(Default)]
pub struct Books {
    pub charges: BTreeMap<String, Charge>,
    pub refunds: BTreeMap<String, Refund>,
    pub next_charges: VecDeque<ChargeOutcome>,
    pub next_refunds: VecDeque<RefundOutcome>,
    /// Events that have not been delivered yet.
    pub events: Vec<Value>,
    sessions: BTreeMap<String, Session>,
    answers: HashMap<String, (u16, Value)>,
    events_made: usize,
}

pub type Form = HashMap<String, String>;

fn metadata(form: &Form) -> BTreeMap<String, String> {
    let named = form.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), value.clone()))
    });
    named.collect()
}

fn amount(form: &Form, name: &str) -> i64 {
    form[name].parse().expect("an amount in minor units")
}

fn error(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "error": { "code": code, "message": "words" } }))
}

impl Books {
    /// Adds a payment that was made before the test began.
    pub fn add_payment(&mut self, id: &str, amount: i64) {
        let charge = Charge {
            amount,
            status: "succeeded".into(),
            paid: true,
            ..Charge::default()
        };
        self.charges.insert(id.to_owned(), charge);
    }

    /// The sum of a charge's refunds that are paid or pending.
    pub fn refunded(&self, charge: &str) -> i64 {
        let of = self
            .refunds
            .values()
            .filter(|refund| refund.charge == charge && refund.status != "failed");
        of.map(|refund| refund.amount).sum()
    }

    /// Forgets all idempotency keys, as the real Stripe does after 24 hours.
    pub fn forget_keys(&mut self) {
        self.answers.clear();
    }

    fn emit(&mut self, topic: &str, object: Value) {
        self.events_made += 1;
        let id = format!("evt_{}", self.events_made);
        self.events
            .push(json!({ "id": id, "type": topic, "data": { "object": object } }));
    }

    fn once(&mut self, key: &str, make: impl FnOnce(&mut Self) -> (u16, Value)) -> (u16, Value) {
        if let Some(known) = self.answers.get(key) {
            return known.clone();
        }
        let answer = make(self);
        self.answers.insert(key.to_owned(), answer.clone());
        answer
    }

    fn intent(&self, id: &str) -> Value {
        let charge = &self.charges[id];
        let received = if charge.status == "succeeded" { charge.amount } else { 0 };
        json!({ "id": id, "object": "payment_intent", "amount": charge.amount, "amount_received": received, "currency": "usd",
            "status": charge.status, "metadata": charge.metadata })
    }

    fn refund_object(&self, id: &str) -> Value {
        let refund = &self.refunds[id];
        json!({ "id": id, "object": "refund", "amount": refund.amount, "currency": "usd", "payment_intent": refund.charge, "status": refund.status,
            "metadata": refund.metadata, "fields": refund.fields })
    }

    /// `POST /v1/payment_intents`, confirmed and off session.
    pub fn charge(&mut self, key: &str, form: &Form) -> (u16, Value) {
        self.once(key, |books| {
            assert_eq!(
                (form["confirm"].as_str(), form["off_session"].as_str()),
                ("true", "true")
            );
            if !form["payment_method"].starts_with("pm_") {
                return error(400, "resource_missing");
            }
            let outcome = books.next_charges.pop_front().unwrap_or(ChargeOutcome::Succeeds);
            let id = format!("pi_new_{}", books.charges.len());
            let status = match outcome {
                ChargeOutcome::Succeeds => "succeeded",
                ChargeOutcome::Processing => "processing",
                ChargeOutcome::Declined | ChargeOutcome::NeedsShopper => "requires_payment_method",
            };
            let charge = Charge {
                amount: amount(form, "amount"),
                status: status.into(),
                metadata: metadata(form),
                paid: outcome == ChargeOutcome::Succeeds,
            };
            books.charges.insert(id.clone(), charge);
            let intent = books.intent(&id);
            match outcome {
                ChargeOutcome::Succeeds => {
                    books.emit("payment_intent.succeeded", intent.clone());
                    (200, intent)
                }
                ChargeOutcome::Processing => {
                    books.emit("payment_intent.processing", intent.clone());
                    (200, intent)
                }
                ChargeOutcome::Declined | ChargeOutcome::NeedsShopper => {
                    books.emit("payment_intent.payment_failed", intent.clone());
                    let code = match outcome {
                        ChargeOutcome::Declined => "card_declined",
                        _ => "authentication_required",
                    };
                    (
                        402,
                        json!({ "error": { "type": "card_error", "code": code, "payment_intent": intent } }),
                    )
                }
            }
        })
    }

    /// `POST /v1/payment_intents/{id}/cancel`.
    pub fn cancel(&mut self, key: &str, id: &str) -> (u16, Value) {
        let id = id.to_owned();
        self.once(key, |books| {
            if matches!(books.charges[&id].status.as_str(), "succeeded" | "processing") {
                return error(400, "payment_intent_unexpected_state");
            }
            books.charges.get_mut(&id).expect("known").status = "canceled".into();
            let intent = books.intent(&id);
            books.emit("payment_intent.canceled", intent.clone());
            (200, intent)
        })
    }

    /// `GET /v1/payment_intents/{id}`, and its search by metadata.
    pub fn find(&self, id: &str) -> (u16, Value) {
        (200, self.intent(id))
    }

    pub fn search(&self, query: &str) -> (u16, Value) {
        let found = self.charges.iter().filter(|(_, charge)| {
            let movement = charge.metadata.get("movement").map(String::as_str).unwrap_or("-");
            query == format!("metadata['movement']:'{movement}'")
        });
        (
            200,
            json!({ "data": found.map(|(id, _)| self.intent(id)).collect::<Vec<_>>() }),
        )
    }

    /// `POST /v1/checkout/sessions`.
    pub fn page(&mut self, key: &str, form: &Form) -> (u16, Value) {
        self.once(key, |books| {
            let id = format!("cs_{}", books.sessions.len() + 1);
            let session = Session {
                amount: amount(form, "line_items[0][price_data][unit_amount]"),
                currency: form["line_items[0][price_data][currency]"].clone(),
                metadata: metadata(form),
                open: true,
            };
            books.sessions.insert(id.clone(), session);
            let url = format!("https://checkout.stripe.test/c/pay/{id}");
            (
                200,
                json!({ "id": id, "object": "checkout.session", "url": url, "status": "open" }),
            )
        })
    }

    /// Payment pages that are still open.
    pub fn open_pages(&self) -> Vec<String> {
        let open = self.sessions.iter().filter(|(_, session)| session.open);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Closes a payment page, paid or unpaid.
    pub fn use_page(&mut self, id: &str, paid: bool) {
        let session = self.sessions.get_mut(id).expect("a page");
        session.open = false;
        let session = session.clone();
        let intent = format!("pi_page_{}", self.charges.len());
        let mut object = json!({ "id": id, "object": "checkout.session", "amount_total": session.amount, "currency": session.currency,
            "metadata": session.metadata, "payment_status": "unpaid" });
        if !paid {
            return self.emit("checkout.session.expired", object);
        }
        self.add_payment(&intent, session.amount);
        object["payment_status"] = json!("paid");
        object["payment_intent"] = json!(intent);
        self.emit("checkout.session.completed", object);
    }

    /// `POST /v1/refunds`.
    pub fn refund(&mut self, key: &str, form: &Form) -> (u16, Value) {
        self.once(key, |books| {
            let charge = form
                .get("payment_intent")
                .or(form.get("charge"))
                .expect("a payment")
                .clone();
            let wanted = amount(form, "amount");
            // Payments that no test told of are of unknown size.
            if books.charges.contains_key(&charge) && books.refunded(&charge) + wanted > books.charges[&charge].amount {
                return error(400, "charge_already_refunded");
            }
            let outcome = books.next_refunds.pop_front().unwrap_or(RefundOutcome::Succeeds);
            if outcome == RefundOutcome::Refused {
                return error(400, "refund_disputed_payment");
            }
            let id = format!("re_{}", books.refunds.len() + 1);
            let status = match outcome {
                RefundOutcome::Pending => "pending",
                _ => "succeeded",
            };
            let refund = Refund {
                charge,
                amount: wanted,
                status: status.into(),
                metadata: metadata(form),
                paid: status == "succeeded",
                fields: form.clone(),
            };
            books.refunds.insert(id.clone(), refund);
            let object = books.refund_object(&id);
            books.emit("refund.created", object.clone());
            match outcome {
                RefundOutcome::Pending => books.end_refund(&id, "succeeded", "refund.updated"),
                RefundOutcome::FailsLater => books.end_refund(&id, "failed", "refund.failed"),
                _ => {}
            }
            (200, object)
        })
    }

    fn end_refund(&mut self, id: &str, status: &str, topic: &str) {
        let refund = self.refunds.get_mut(id).expect("known");
        refund.status = status.into();
        refund.paid = true;
        let object = self.refund_object(id);
        self.emit(topic, object);
    }

    /// Ends a charge that is being processed.
    pub fn end_processing(&mut self, succeeds: bool) {
        let Some(id) = self
            .charges
            .iter()
            .find(|(_, charge)| charge.status == "processing")
            .map(|(id, _)| id.clone())
        else {
            return;
        };
        let charge = self.charges.get_mut(&id).expect("known");
        charge.status = if succeeds {
            "succeeded"
        } else {
            "requires_payment_method"
        }
        .into();
        charge.paid = succeeds;
        let intent = self.intent(&id);
        self.emit(
            if succeeds {
                "payment_intent.succeeded"
            } else {
                "payment_intent.payment_failed"
            },
            intent,
        );
    }

    /// `GET /v1/refunds` of a payment.
    pub fn refunds_of(&self, charge: &str) -> (u16, Value) {
        let of = self.refunds.iter().filter(|(_, refund)| refund.charge == charge);
        (
            200,
            json!({ "data": of.map(|(id, _)| self.refund_object(id)).collect::<Vec<_>>() }),
        )
    }

    /// The refunds that were made, as the API shows them.
    pub fn all_refunds(&self) -> Vec<Value> {
        self.refunds.keys().map(|id| self.refund_object(id)).collect()
    }
}
