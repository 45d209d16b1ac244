//! Who is calling: the one place where a credential becomes a proof.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};

use super::{App, SessionRules, problem::Problem};
use crate::{
    identity::{SessionToken, Shopper, StaffMember, StaffRole, StaffToken, sessions, staff},
    tenancy::{Pool, Web},
};

impl FromRequestParts<App> for Shopper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let rules = SessionRules::from_ref(app);
        let credential =
            credential(&parts.headers, cookie_name(rules.secure_cookies)).ok_or_else(Problem::unauthenticated)?;
        if credential.from_cookie && is_write(&parts.method) && !is_same_site(&parts.headers) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "A cookie does not authorise requests from other sites.",
            ));
        }
        let now = rules.clock.now();
        Ok(sessions::resolve(&Pool::<Web>::from_ref(app), &credential.token, now, rules.lifetimes).await?)
    }
}

/// Any member of staff.
pub struct Viewer(pub StaffMember);
/// One who may decide.
pub struct Approver(pub StaffMember);
/// One who may change the rules.
pub struct Admin(pub StaffMember);

/// The member of staff that a bearer token names, if its role is enough. A shopper is known here, and refused.
async fn staff(parts: &Parts, app: &App, least: StaffRole) -> Result<StaffMember, Problem> {
    let (rules, web) = (SessionRules::from_ref(app), Pool::<Web>::from_ref(app));
    let now = rules.clock.now();
    let text = single_bearer(&parts.headers).ok().flatten();
    let Some(token) = text.and_then(StaffToken::parse) else {
        let credential =
            credential(&parts.headers, cookie_name(rules.secure_cookies)).ok_or_else(Problem::unauthenticated)?;
        sessions::resolve(&web, &credential.token, now, rules.lifetimes).await?;
        return Err(Problem::forbidden());
    };
    let staff = staff::resolve(&web, &token, now).await?;
    if staff.role() < least {
        Err(Problem::forbidden())
    } else {
        Ok(staff)
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        staff(parts, app, StaffRole::Viewer).await.map(Self)
    }
}

impl FromRequestParts<App> for Approver {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        staff(parts, app, StaffRole::Approver).await.map(Self)
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        staff(parts, app, StaffRole::Admin).await.map(Self)
    }
}

/// With HTTPS the `__Host-` prefix makes the browser refuse the cookie from a subdomain or over plain HTTP.
pub(super) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-countersign" } else { "countersign" }
}

struct Credential {
    token: SessionToken,
    from_cookie: bool,
}

/// One credential, in one place. Two that differ are nobody's: guessing which was meant is how confused deputies are made.
fn credential(headers: &HeaderMap, cookie_name: &str) -> Option<Credential> {
    let bearer = single_bearer(headers).ok()?;
    let cookies: Vec<&str> = cookies(headers)
        .filter(|(name, _)| *name == cookie_name)
        .map(|(_, value)| value)
        .collect();
    let token = |text: &str, from_cookie| SessionToken::parse(text).map(|token| Credential { token, from_cookie });
    match (bearer, &cookies[..]) {
        (Some(bearer), []) => token(bearer, false),
        (Some(bearer), [cookie]) if bearer == *cookie => token(bearer, false),
        (None, [cookie]) => token(cookie, true),
        _ => None,
    }
}

/// The bearer token, if there is one. An error if there are several Authorization headers or one that is not a bearer's.
fn single_bearer(headers: &HeaderMap) -> Result<Option<&str>, ()> {
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

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
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

/// Browsers send Sec-Fetch-Site or at least Origin with every cross-site write; a request with neither is refused.
fn is_same_site(headers: &HeaderMap) -> bool {
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
    use crate::ids::TenantId;

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
        let (one, two) = (
            SessionToken::generate(TenantId::new()),
            SessionToken::generate(TenantId::new()),
        );
        let (bearer_one, cookie_one) = (
            format!("Bearer {}", one.expose()),
            format!("a=b; countersign={}", one.expose()),
        );
        let cookie_two = format!("countersign={}", two.expose());
        let found =
            |pairs: &[(&'static str, &str)]| credential(&headers(pairs), "countersign").map(|found| found.from_cookie);
        assert_eq!(found(&[("authorization", &bearer_one)]), Some(false));
        assert_eq!(found(&[("cookie", &cookie_one)]), Some(true));
        assert_eq!(
            found(&[("authorization", &bearer_one), ("cookie", &cookie_one)]),
            Some(false)
        );
        assert_eq!(found(&[("authorization", &bearer_one), ("cookie", &cookie_two)]), None);
        assert_eq!(found(&[("authorization", "Basic abc"), ("cookie", &cookie_one)]), None);
        assert_eq!(found(&[("authorization", "Bearer ")]), None);
        let mut twice = headers(&[("authorization", &bearer_one)]);
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
