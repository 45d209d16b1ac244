//! The banner on every page of a trial installation.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// The largest page that gets the banner, in bytes. The server's own pages are far smaller.
const MAX_PAGE_BYTES: usize = 4 << 20;

const BANNER: &str = r#"<p class="trial" role="note"><strong>This is a trial.</strong> It runs on default settings: not for real shoppers. <code>countersign doctor</code> says what to set before you go live.</p>"#;

/// Puts the banner at the top of an HTML page. Other responses pass unchanged.
pub async fn mark(response: Response) -> Response {
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
    let marked = marked(page);
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(marked.len()));
    Response::from_parts(parts, Body::from(marked))
}

fn marked(page: Bytes) -> Bytes {
    let body = page.windows(5).position(|tag| tag == b"<body");
    let end = body.and_then(|at| Some(at + page[at..].iter().position(|byte| *byte == b'>')? + 1));
    match end {
        Some(end) => [&page[..end], BANNER.as_bytes(), &page[end..]].concat().into(),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_comes_first_in_the_body_and_nothing_is_lost() {
        let page = marked(Bytes::from_static(b"<html><body class=\"a\">Hello</body></html>"));
        let page = String::from_utf8(page.to_vec()).expect("text");
        assert_eq!(page, format!("<html><body class=\"a\">{BANNER}Hello</body></html>"));
        assert_eq!(marked(Bytes::from_static(b"no page")), "no page");
    }
}
