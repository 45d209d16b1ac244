//! The banner on every page of a trial installation.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// The largest page that gets the banner, in bytes. The server's own pages are far smaller.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// Why an installation is not for real shoppers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialReason {
    OfflineModel,
    PlainMail,
    PlainUrl,
}

impl TrialReason {
    fn text(self) -> &'static str {
        match self {
            Self::OfflineModel => "no language model answers (MODEL=offline)",
            Self::PlainMail => "mail leaves without TLS (COUNTERSIGN_ALLOW_PLAIN_SMTP=yes)",
            Self::PlainUrl => "PUBLIC_URL does not begin with https://",
        }
    }
}

/// The banner that names these reasons.
pub fn banner(reasons: &[TrialReason]) -> String {
    let reasons: Vec<&str> = reasons.iter().map(|reason| reason.text()).collect();
    let reasons = reasons.join("; ");
    format!(
        r#"<p class="trial" role="note"><strong>This is a trial.</strong> It is not for real shoppers yet: {reasons}. <code>countersign doctor</code> says what to set before you go live.</p>"#
    )
}

/// Puts the banner at the top of an HTML page. Other responses pass unchanged.
pub async fn mark(banner: Arc<str>, response: Response) -> Response {
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(page) = to_bytes(body, MAX_PAGE_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let marked = marked(&banner, page);
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(marked.len()));
    Response::from_parts(parts, Body::from(marked))
}

fn marked(banner: &str, page: Bytes) -> Bytes {
    let body = page.windows(5).position(|tag| tag == b"<body");
    let end = body.and_then(|at| Some(at + page[at..].iter().position(|byte| *byte == b'>')? + 1));
    match end {
        Some(end) => [&page[..end], banner.as_bytes(), &page[end..]].concat().into(),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_comes_first_in_the_body_and_nothing_is_lost() {
        let banner = banner(&[TrialReason::OfflineModel, TrialReason::PlainUrl]);
        assert!(banner.contains("(MODEL=offline); PUBLIC_URL does not"), "{banner}");
        let page = marked(
            &banner,
            Bytes::from_static(b"<html><body class=\"a\">Hello</body></html>"),
        );
        let page = String::from_utf8(page.to_vec()).expect("text");
        assert_eq!(page, format!("<html><body class=\"a\">{banner}Hello</body></html>"));
        assert_eq!(marked(&banner, Bytes::from_static(b"no page")), "no page");
    }
}
