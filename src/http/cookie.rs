//! The cookies of sessions and of the console, which scripts cannot read.

use axum::http::HeaderValue;

/// A cookie by its base name and its `SameSite` rule.
#[derive(Clone, Copy)]
pub struct Cookie {
    pub name: &'static str,
    pub same_site: &'static str,
}

impl Cookie {
    /// The name that browsers see. The `__Host-` prefix makes them refuse the cookie from a subdomain or over plain HTTP.
    pub fn full_name(self, secure: bool) -> String {
        format!("{}{}", if secure { "__Host-" } else { "" }, self.name)
    }

    /// A `Set-Cookie` header value. The browser keeps the cookie for `seconds`; 0 deletes it.
    pub fn set(self, secure: bool, value: &str, seconds: i64) -> Option<HeaderValue> {
        let (name, same_site) = (self.full_name(secure), self.same_site);
        let secure = if secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
            .parse()
            .ok()
    }
}
