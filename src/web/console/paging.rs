//! What the lists of deliveries and of incoming events share: their filters, the way to older rows, the colours of states.

use serde::Deserialize;
use serde_json::Value;

use super::{query, view::string};

/// Which rows to show.
#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    pub before: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub channel: String,
}

/// How a row's state is coloured.
pub fn tone(state: &str) -> &'static str {
    match state {
        "done" => "good",
        "dead" => "bad",
        _ => "plain",
    }
}

/// The views of a page, and the way to older rows of the one that is shown.
pub fn links(page: &str, views: &[(&str, &str)], filter: &Filter, rows: &[Value]) -> Vec<(String, String)> {
    let mut links: Vec<_> = views
        .iter()
        .map(|(query, text)| (format!("{page}{query}"), (*text).to_owned()))
        .collect();
    if let Some(last) = rows.last().filter(|_| rows.len() == 50) {
        let before = string(last, "id");
        let query = query(&[
            ("state", &filter.state),
            ("channel", &filter.channel),
            ("before", &before),
        ]);
        links.push((format!("{page}?{query}"), "Older".into()));
    }
    links
}
