//! Scripts, style sheets and the icon, which are compiled in and public.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::embeddable_anywhere;
use crate::language::{self, Language};

/// Browsers may reuse an asset for five minutes, so a release reaches all of them five minutes later at most.
const ASSET_CACHE_CONTROL: &str = "public, max-age=300";

struct Asset {
    kind: &'static str,
    body: String,
    tag: HeaderValue,
}

impl Asset {
    fn new(kind: &'static str, body: String) -> Self {
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..8]));
        Self {
            kind,
            body,
            // This never fails: hexadecimal digits in quotes are a valid header value.
            tag: HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    fn answer(&'static self, request: &Request) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static(ASSET_CACHE_CONTROL)),
            (header::ETAG, self.tag.clone()),
        ];
        match request.headers().get(header::IF_NONE_MATCH) {
            Some(tag) if *tag == self.tag => (StatusCode::NOT_MODIFIED, headers).into_response(),
            _ => (headers, self.body.as_str()).into_response(),
        }
    }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const SHEET: &str = "text/css; charset=utf-8";

/// The widget's script, with its style sheet and texts in it, so that a page loads it in one request.
static WIDGET: LazyLock<Asset> = LazyLock::new(|| {
    let sheet = serde_json::Value::from(include_str!("assets/widget.css")).to_string();
    let words: BTreeMap<&str, Value> = Language::all()
        .map(|language| (language.tag(), widget_words(language)))
        .collect();
    let words = serde_json::to_string(&words).unwrap_or_default();
    let script = include_str!("assets/widget.js")
        .replace("sheet.replaceSync(STYLE)", &format!("sheet.replaceSync({sheet})"))
        .replace("const WORDS = CATALOGUES;", &format!("const WORDS = {words};"));
    Asset::new(SCRIPT, script)
});
/// The widget's texts in a language, by the names that the script uses. In a key, what follows `--` is the name of a state.
fn widget_words(language: Language) -> Value {
    let mut words = Map::new();
    for (key, text) in language::file(language, "widget.ftl", &[("value", "{0}".into())]) {
        let name = key.trim_start_matches("widget-");
        match name.split_once("--") {
            Some((states, state)) => {
                let states = words.entry(states.replace('-', "_")).or_insert_with(|| json!({}));
                states[state.replace('-', "_")] = text.into();
            }
            None => {
                words.insert(name.to_owned(), text.into());
            }
        }
    }
    words.into()
}

static CONSOLE_SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new(SCRIPT, include_str!("assets/console.js").into()));
static CONSOLE_SHEET: LazyLock<Asset> = LazyLock::new(|| Asset::new(SHEET, include_str!("assets/console.css").into()));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("image/svg+xml", include_str!("assets/icon.svg").into()));
static LINK_SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new(SCRIPT, include_str!("assets/link.js").into()));
static SHOP_SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new(SCRIPT, include_str!("assets/shop.js").into()));
static SHOP_SHEET: LazyLock<Asset> = LazyLock::new(|| Asset::new(SHEET, include_str!("assets/shop.css").into()));

pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let serve = |asset: &'static LazyLock<Asset>| get(move |request: Request| async move { asset.answer(&request) });
    Router::new()
        .route("/widget.js", serve(&WIDGET).layer(embeddable_anywhere()))
        .route("/favicon.ico", serve(&ICON))
        .route("/assets/console.js", serve(&CONSOLE_SCRIPT))
        .route("/assets/console.css", serve(&CONSOLE_SHEET))
        .route("/assets/link.js", serve(&LINK_SCRIPT))
        .route("/assets/shop.js", serve(&SHOP_SCRIPT))
        .route("/assets/shop.css", serve(&SHOP_SHEET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widget_carries_its_sheet_and_no_placeholder() {
        assert!(WIDGET.body.contains(":host") && !WIDGET.body.contains("replaceSync(STYLE)"));
    }
}
