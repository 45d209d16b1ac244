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
    /// It is pending, and a later event says that it could not be paid out.
    PendingFails,
    /// Refused at once.
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Charge {
    pub amount: i64,
    pub currency: String,
    customer: Option<String>,
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

/// A bank's claim for a payment.
#[derive(Clone, Debug)]
pub struct Dispute {
    pub charge: String,
    pub amount: i64,
    pub status: String,
    /// Whether the bank has the money.
    pub withdrawn: bool,
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
    pub disputes: BTreeMap<String, Dispute>,
    pub next_charges: VecDeque<ChargeOutcome>,
    pub next_refunds: VecDeque<RefundOutcome>,
    /// Events that have not been delivered yet.
    pub events: Vec<Value>,
    /// Events that were lost on the way.
    lost: Vec<Value>,
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
        self.add_payment_in(id, amount, "usd");
    }

    /// The same in another currency, in Stripe's units of it.
    pub fn add_payment_in(&mut self, id: &str, amount: i64, currency: &str) {
        let charge = Charge {
            amount,
            currency: currency.into(),
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

    /// An event is lost on the way.
    pub fn lose_event(&mut self, place: usize) {
        if !self.events.is_empty() {
            let event = self.events.remove(place % self.events.len());
            self.lost.push(event);
        }
    }

    /// Sends what was lost again, as one can ask the real Stripe to.
    pub fn send_lost_events_again(&mut self) {
        self.events.append(&mut self.lost);
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
        json!({ "id": id, "object": "payment_intent", "amount": charge.amount, "amount_received": received, "currency": charge.currency, "customer": charge.customer,
            "status": charge.status, "metadata": charge.metadata })
    }

    fn refund_object(&self, id: &str) -> Value {
        let refund = &self.refunds[id];
        let currency = self
            .charges
            .get(&refund.charge)
            .map_or("usd", |charge| &charge.currency);
        json!({ "id": id, "object": "refund", "amount": refund.amount, "currency": currency, "payment_intent": refund.charge, "status": refund.status,
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
                currency: form["currency"].clone(),
                customer: form.get("customer").cloned(),
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

    /// `GET /v1/payment_intents` of a customer, newest first, in pages of two.
    pub fn list(&self, query: &Form) -> (u16, Value) {
        let of_customer = self.charges.iter().rev().filter(|(id, charge)| {
            charge.customer.as_ref() == query.get("customer")
                && query.get("starting_after").is_none_or(|after| *id < after)
        });
        let found: Vec<Value> = of_customer.map(|(id, _)| self.intent(id)).collect();
        let has_more = found.len() > 2;
        let page: Vec<Value> = found.into_iter().take(2).collect();
        (200, json!({ "object": "list", "data": page, "has_more": has_more }))
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
        self.add_payment_in(&intent, session.amount, &session.currency);
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
            if books.disputed(&charge) > 0 {
                return error(400, "charge_disputed");
            }
            let outcome = books.next_refunds.pop_front().unwrap_or(RefundOutcome::Succeeds);
            if outcome == RefundOutcome::Refused {
                return error(400, "refund_disputed_payment");
            }
            let id = format!("re_{}", books.refunds.len() + 1);
            let status = match outcome {
                RefundOutcome::Pending | RefundOutcome::PendingFails => "pending",
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
                RefundOutcome::FailsLater | RefundOutcome::PendingFails => {
                    books.end_refund(&id, "failed", "refund.failed");
                }
                _ => {}
            }
            (200, object)
        })
    }

    fn end_refund(&mut self, id: &str, status: &str, topic: &str) {
        let refund = self.refunds.get_mut(id).expect("known");
        refund.paid |= status == "succeeded";
        refund.status = status.into();
        let object = self.refund_object(id);
        self.emit(topic, object);
    }

    /// What banks have of a charge, or claim.
    pub fn disputed(&self, charge: &str) -> i64 {
        let of = self
            .disputes
            .values()
            .filter(|dispute| dispute.charge == charge && dispute.status != "won");
        of.map(|dispute| dispute.amount).sum()
    }

    /// The shopper's bank disputes a payment. It can claim what has not gone back. It takes the money at once.
    pub fn dispute(&mut self, charge: &str) -> Option<String> {
        let known = self.charges.get(charge).filter(|charge| charge.status == "succeeded")?;
        let amount = known.amount - self.refunded(charge);
        if amount == 0 || self.disputed(charge) > 0 {
            return None;
        }
        let id = format!("dp_{}", self.disputes.len() + 1);
        let dispute = Dispute {
            charge: charge.to_owned(),
            amount,
            status: "needs_response".into(),
            withdrawn: false,
        };
        self.disputes.insert(id.clone(), dispute);
        self.emit_dispute("created", &id);
        if let Some(dispute) = self.disputes.get_mut(&id) {
            dispute.withdrawn = true;
        }
        self.emit_dispute("funds_withdrawn", &id);
        Some(id)
    }

    /// The bank decides on a dispute.
    pub fn end_dispute(&mut self, id: &str, won: bool) {
        let Some(dispute) = self
            .disputes
            .get_mut(id)
            .filter(|dispute| dispute.status == "needs_response")
        else {
            return;
        };
        dispute.status = if won { "won" } else { "lost" }.into();
        dispute.withdrawn = !won;
        self.emit_dispute("closed", id);
        if won {
            self.emit_dispute("funds_reinstated", id);
        }
    }

    fn emit_dispute(&mut self, what: &str, id: &str) {
        let dispute = &self.disputes[id];
        let currency = &self.charges[&dispute.charge].currency;
        let object = json!({ "id": id, "object": "dispute", "amount": dispute.amount, "currency": currency, "charge": format!("ch_of_{}", dispute.charge),
            "payment_intent": dispute.charge, "status": dispute.status });
        self.emit(&format!("charge.dispute.{what}"), object);
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
