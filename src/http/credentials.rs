//! Reads the credential of a request: a bearer token or the session cookie. Two that differ are refused.

use axum::http::{HeaderMap, Method, header, request::Parts};

use super::cookie::Cookie;

/// The cookie of a shopper's session.
pub(super) const SESSION_COOKIE: Cookie = Cookie {
    name: "countersign",
    same_site: "Lax",
};

pub(super) struct Credential {
    pub token: String,
    pub from_cookie: bool,
}

/// The shopper's session token of a request.
pub(super) fn session(parts: &Parts, secure_cookies: bool) -> Option<Credential> {
    credential(&parts.headers, &SESSION_COOKIE.full_name(secure_cookies))
}

/// Whether a cookie may authorise this request: it only reads, or it comes from a page of the same origin.
pub(super) fn is_safe_or_same_site(parts: &Parts) -> bool {
    !is_write(&parts.method) || is_same_site(&parts.headers)
}

/// The request's one credential. If two differ, none counts: guessing which one was meant could make a confused deputy.
fn credential(headers: &HeaderMap, cookie_name: &str) -> Option<Credential> {
    let bearer = single_bearer(headers).ok()?;
    let cookies: Vec<&str> = cookies(headers)
        .filter(|(name, _)| *name == cookie_name)
        .map(|(_, value)| value)
        .collect();
    let token = |text: &str, from_cookie| {
        Some(Credential {
            token: text.to_owned(),
            from_cookie,
        })
    };
    match (bearer, &cookies[..]) {
        (Some(bearer), []) => token(bearer, false),
        (Some(bearer), [cookie]) if bearer == *cookie => token(bearer, false),
        (None, [cookie]) => token(cookie, true),
        _ => None,
    }
}

/// The bearer token, if there is one. Several Authorization headers, or one of another scheme, are an error.
pub(super) fn single_bearer(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    match (authorizations.next(), authorizations.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(bearer).map(Some).ok_or(()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The name and value of every cookie of a request.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request comes from a page of the same origin. Browsers send Sec-Fetch-Site, or at least Origin, with every cross-site write,
/// so a request with neither does not count as same-origin.
pub fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => match (text(header::ORIGIN), text(header::HOST)) {
            (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().expect("a header value"),
                )
            })
            .collect()
    }

    #[test]
    fn one_credential_or_none() {
        let (bearer_one, cookie_one, cookie_two) = ("Bearer one", "a=b; countersign=one", "countersign=two");
        let found =
            |pairs: &[(&'static str, &str)]| credential(&headers(pairs), "countersign").map(|found| found.from_cookie);
        assert_eq!(found(&[("authorization", bearer_one)]), Some(false));
        assert_eq!(found(&[("cookie", cookie_one)]), Some(true));
        assert_eq!(
            found(&[("authorization", bearer_one), ("cookie", cookie_one)]),
            Some(false)
        );
        assert_eq!(found(&[("authorization", bearer_one), ("cookie", cookie_two)]), None);
        assert_eq!(found(&[("authorization", "Basic abc"), ("cookie", cookie_one)]), None);
        let mut twice = headers(&[("authorization", bearer_one)]);
        twice.append("authorization", bearer_one.parse().expect("a header value"));
        assert!(credential(&twice, "countersign").is_none());
    }

    #[test]
    fn cross_site_is_anything_but_this_origin() {
        let same = |pairs: &[(&'static str, &str)]| is_same_site(&headers(pairs));
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "https://shop.example"), ("host", "shop.example")]));
        for cross in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "null"), ("host", "shop.example")],
            &[("origin", "https://shop.example.evil.test"), ("host", "shop.example")],
            &[("host", "shop.example")],
        ] {
            assert!(!same(cross), "{cross:?}");
        }
    }
}
