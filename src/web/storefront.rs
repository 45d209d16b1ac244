//! The demo's shop page. Like a real shop, it embeds the widget under a strict Content-Security-Policy, and its backend signs assertions
//! for its visitors.

use askama::Template;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::{POLICY, policy};

/// What the demo's shop page needs to embed the chat, and to sign its visitors in as a shop's backend would.
#[derive(Clone, Debug)]
pub struct Storefront {
    pub store: String,
    pub store_key: String,
    /// The id of the key that assertions are signed with.
    pub kid: String,
    pub secret: SecretString,
}

/// The people that a visitor of the demo can be: the shopper's id in the store, e-mail address and first name.
const PEOPLE: [(&str, &str, &str); 2] = [("mia", "mia@example.com", "Mia"), ("noah", "noah@example.com", "Noah")];

struct Product {
    name: &'static str,
    price: &'static str,
    words: &'static str,
    /// One of [`PICTURES`].
    picture: &'static str,
}

const PRODUCTS: [Product; 4] = [
    Product {
        name: "Storm Lantern",
        price: "64.00",
        words: "Brass. Stays lit in any wind.",
        picture: "lantern",
    },
    Product {
        name: "Fisherman Sweater",
        price: "129.90",
        words: "Heavy wool, knitted on the island.",
        picture: "sweater",
    },
    Product {
        name: "Enamel Mug",
        price: "12.50",
        words: "A third of a litre, a lifetime of coffee.",
        picture: "mug",
    },
    Product {
        name: "Water Bottle",
        price: "28.00",
        words: "Steel. Cold for a day.",
        picture: "bottle",
    },
];

/// The shop's pictures. The data that the demo imports refers to them.
const PICTURES: [(&str, &str); 6] = [
    ("lantern.svg", include_str!("assets/pictures/lantern.svg")),
    ("sweater.svg", include_str!("assets/pictures/sweater.svg")),
    ("mug.svg", include_str!("assets/pictures/mug.svg")),
    ("bottle.svg", include_str!("assets/pictures/bottle.svg")),
    ("blanket.svg", include_str!("assets/pictures/blanket.svg")),
    ("rope.svg", include_str!("assets/pictures/rope.svg")),
];

#[derive(Template)]
#[template(path = "shop.html")]
struct Page<'a> {
    store_key: &'a str,
    products: &'static [Product],
    people: &'static [(&'static str, &'static str, &'static str)],
    /// The id of the person that the visitor has chosen to be, if any.
    visitor: Option<&'static str>,
}

#[derive(Deserialize)]
struct Visit {
    r#as: Option<String>,
}

impl Visit {
    fn person(&self) -> Option<&'static (&'static str, &'static str, &'static str)> {
        PEOPLE.iter().find(|(id, ..)| self.r#as.as_deref() == Some(id))
    }
}

pub fn routes<S: Clone + Send + Sync + 'static>(shop: watch::Receiver<Storefront>) -> Router<S> {
    Router::new()
        .route("/", get(page))
        .route("/demo/assertion", get(assertion))
        .route("/shop/pictures/{name}", get(picture))
        .layer(policy(POLICY))
        .with_state(shop)
}

async fn page(State(shop): State<watch::Receiver<Storefront>>, Query(visit): Query<Visit>) -> Response {
    let shop = shop.borrow().clone();
    let page = Page {
        store_key: &shop.store_key,
        products: &PRODUCTS,
        people: &PEOPLE,
        visitor: visit.person().map(|(id, ..)| *id),
    };
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn picture(Path(name): Path<String>) -> Response {
    match PICTURES.iter().find(|(known, _)| *known == name) {
        Some((_, drawing)) => ([(header::CONTENT_TYPE, "image/svg+xml")], *drawing).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The assertion that a shop's backend would sign for a visitor who is signed in (docs/assertions.md). The demo does not check who the
/// visitor is.
async fn assertion(State(shop): State<watch::Receiver<Storefront>>, Query(visit): Query<Visit>) -> Response {
    let Some((id, email, name)) = visit.person() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let shop = shop.borrow().clone();
    let now = crate::clock::now().timestamp();
    let claims = json!({
        "aud": format!("countersign:{}", shop.store), "sub": id, "email": email, "given_name": name,
        "iat": now, "exp": now + 60, "jti": uuid::Uuid::new_v4().to_string(),
    });
    let header = Header {
        kid: Some(shop.kid.clone()),
        ..Header::new(Algorithm::HS256)
    };
    let key = EncodingKey::from_secret(shop.secret.expose_secret().as_bytes());
    match jsonwebtoken::encode(&header, &claims, &key) {
        Ok(assertion) => Json(json!({ "assertion": assertion })).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
