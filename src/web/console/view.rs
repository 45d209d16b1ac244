//! What a page is made of. Text is escaped by the template, always: nothing here is markup.

use serde_json::Value;

use super::charts::{Chart, Qr};

/// A route of the API: method, path. Who may not call it does not see what leads there; the API refuses it besides.
pub type Route = (&'static str, &'static str);

pub enum Section {
    Note {
        tone: &'static str,
        text: String,
    },
    /// Shown once, to be copied.
    Secret {
        label: &'static str,
        value: String,
    },
    Qr(Qr),
    Table(Table),
    Chart(Chart),
    Form(Form),
    Links(Vec<(String, String)>),
    /// A conversation, oldest first: who, what, when.
    Talk(Vec<(String, String, String)>),
    /// What a proposal changes: what, before, after.
    Changes(Vec<(String, String, String)>),
    Approvals(Approvals),
}

impl Section {
    pub fn note(tone: &'static str, text: impl Into<String>) -> Self {
        Self::Note {
            tone,
            text: text.into(),
        }
    }
}

/// What countersigning calls.
pub const APPROVE: Route = ("POST", "/v1/staff/proposals/{id}/approve");

#[derive(Default)]
pub struct Table {
    pub caption: &'static str,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
    /// What to say when there is no row.
    pub empty: &'static str,
}

pub enum Cell {
    Text(String),
    Link {
        to: String,
        text: String,
    },
    Tone {
        tone: &'static str,
        text: String,
    },
    /// A share of the largest, as a bar.
    Bar {
        share: u32,
        text: String,
    },
    Acts(Vec<Act>),
}

impl Cell {
    pub fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    pub fn tone(tone: &'static str, text: impl ToString) -> Self {
        Self::Tone {
            tone,
            text: text.to_string(),
        }
    }

    pub fn link(to: impl Into<String>, text: impl ToString) -> Self {
        Self::Link {
            to: to.into(),
            text: text.to_string(),
        }
    }
}

/// A button that changes something.
pub struct Act {
    pub to: String,
    pub label: &'static str,
    /// What it is done to, for who hears the page.
    pub about: String,
    pub fields: Vec<(&'static str, String)>,
    pub calls: Route,
}

#[derive(Default)]
pub struct Form {
    pub legend: &'static str,
    pub help: &'static str,
    pub to: String,
    /// `get` or `post`.
    pub method: &'static str,
    pub fields: Vec<Field>,
    pub submit: &'static str,
    /// The key that presses the button.
    pub key: &'static str,
    /// Whether the script waits a moment before it is sent, for second thoughts.
    pub undo: bool,
    /// Who may not call this is not shown it; none where it only asks.
    pub calls: Option<Route>,
}

impl Form {
    pub fn post(legend: &'static str, to: impl Into<String>, submit: &'static str, fields: Vec<Field>) -> Self {
        Self {
            legend,
            to: to.into(),
            method: "post",
            submit,
            fields,
            ..Self::default()
        }
    }

    pub fn calling(self, method: &'static str, path: &'static str) -> Self {
        Self {
            calls: Some((method, path)),
            ..self
        }
    }
}

#[derive(Default)]
pub struct Field {
    pub name: &'static str,
    pub label: String,
    /// An input's type, or `textarea`, `select`, `hidden`, `checkbox`.
    pub kind: &'static str,
    pub value: String,
    pub options: Vec<(String, String)>,
    pub required: bool,
    pub autocomplete: &'static str,
}

impl Field {
    pub fn new(name: &'static str, label: impl Into<String>, kind: &'static str) -> Self {
        Self {
            name,
            label: label.into(),
            kind,
            required: true,
            autocomplete: "off",
            ..Self::default()
        }
    }

    pub fn hidden(name: &'static str, value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            ..Self::new(name, "", "hidden")
        }
    }

    pub fn select(name: &'static str, label: impl Into<String>, options: &[(&str, &str)], chosen: &str) -> Self {
        let options = options
            .iter()
            .map(|(value, text)| (value.to_string(), text.to_string()))
            .collect();
        Self {
            options,
            value: chosen.into(),
            ..Self::new(name, label, "select")
        }
    }

    pub fn of(self, value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            ..self
        }
    }

    pub fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }

    pub fn completes(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }
}

/// The queue.
pub struct Approvals {
    pub rows: Vec<Approval>,
    /// Whether some can be approved together.
    pub bulk: bool,
}

pub struct Approval {
    pub id: String,
    pub shown: String,
    pub summary: String,
    pub tool: String,
    pub state: String,
    pub awaiting: String,
    pub amount: String,
    pub age: String,
    /// It moves no money and waits for staff: it may be approved with others.
    pub low_risk: bool,
}

/// A value of the API's as people read it: money, an address, a list, a plain word.
pub fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => match (fields.get("amount"), fields.get("currency")) {
            (Some(Value::String(amount)), Some(Value::String(currency))) => format!("{amount} {currency}"),
            _ => {
                let named = fields.iter().filter(|(_, value)| !value.is_null() && *value != "");
                let named = named.map(|(name, value)| format!("{}: {}", name.replace('_', " "), words(value)));
                named.collect::<Vec<_>>().join(", ")
            }
        },
        other => other.to_string(),
    }
}

/// `2026-11-25 14:03`, from what the API says.
pub fn when(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.get(..16)
        .map_or_else(|| "never".into(), |text| text.replace('T', " "))
}

pub fn string(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}
