//! The frame of every page: the title, the menu and the person who is signed in.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use chrono::{DateTime, Utc};

use super::{
    filters::in_words,
    visitor::{Me, Outage},
};
use crate::{clock::local_text, http::staff_may};

/// An entry of the menu.
pub struct MenuItem {
    pub to: &'static str,
    pub name: &'static str,
    /// The method and path of the API route that the page needs. The entry is hidden from people who may not call it.
    needs: (&'static str, &'static str),
}

const fn item(name: &'static str, to: &'static str, needs: &'static str) -> MenuItem {
    let needs = ("GET", needs);
    MenuItem { to, name, needs }
}

const MENU: [MenuItem; 13] = [
    item("Approvals", "/console", "/v1/staff/proposals"),
    item("Conversations", "/console/conversations", "/v1/staff/conversations"),
    item("Payments", "/console/payments", "/v1/staff/payments"),
    item("Help articles", "/console/articles", "/v1/staff/help"),
    item("Rules and limits", "/console/rules", "/v1/staff/policies"),
    item("Usage and spend", "/console/usage", "/v1/staff/usage"),
    item("Deliveries", "/console/deliveries", "/v1/staff/deliveries"),
    item("Shop", "/console/shop", "/v1/staff/shop"),
    item("Incoming events", "/console/incoming", "/v1/staff/incoming"),
    item("Team and API keys", "/console/people", "/v1/staff/members"),
    item("Settings", "/console/settings", "/v1/staff/origins"),
    item("Audit", "/console/audit", "/v1/staff/audit"),
    item("Doctor", "/console/doctor", "/v1/staff/status"),
];

/// The frame of a page, which `templates/console/base.html` renders.
pub struct Page {
    pub title: String,
    /// The person who is signed in. None on the pages before the sign-in and on failure pages.
    pub me: Option<Me>,
    /// The first language model does not answer, and this person can do something about it.
    pub outage: Option<Outage>,
    /// What was just done, taken from the page's address.
    pub done: Option<String>,
    /// The address of the menu entry that the page belongs to.
    part: &'static str,
}

impl Page {
    pub fn new(title: impl Into<String>, here: &str, me: Option<Me>) -> Self {
        let (path, query) = here.split_once('?').unwrap_or((here, ""));
        let part = MENU.iter().rev().find(|item| path.starts_with(item.to));
        let done = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done");
        Self {
            title: title.into(),
            me,
            outage: None,
            done: done
                .map(|(_, word)| in_words(&word.replace('-', "_")))
                .filter(|word| word.len() < 60),
            part: part.map_or("", |item| item.to),
        }
    }

    /// Whether the signed-in person may call a route of the API. Templates ask this before they show a button or link for it. The API
    /// checks it again.
    pub fn may(&self, method: &str, path: &str) -> bool {
        self.me.as_ref().is_some_and(|me| staff_may(me.role, method, path))
    }

    /// Formats a time by the store's clock.
    pub fn when(&self, at: &DateTime<Utc>) -> String {
        local_text(*at, self.me.as_ref().map_or("UTC", |me| &me.time_zone))
    }

    pub fn menu(&self) -> impl Iterator<Item = &'static MenuItem> {
        MENU.iter().filter(|item| self.may(item.needs.0, item.needs.1))
    }

    pub fn is_part(&self, item: &MenuItem) -> bool {
        self.part == item.to
    }
}

/// Renders a page as a response.
pub fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use regex::Regex;

    use super::*;
    use crate::identity::StaffRole;

    #[test]
    fn each_page_needs_a_route_that_there_is_and_an_admin_sees_them_all() {
        for item in MENU {
            assert!(staff_may(StaffRole::Admin, item.needs.0, item.needs.1), "{}", item.name);
        }
        assert!(!staff_may(StaffRole::Viewer, "GET", "/v1/staff/members"));
        assert!(!staff_may(StaffRole::Admin, "GET", "/v1/staff/nothing"));
    }

    /// A wrong route would hide its button from everybody.
    #[test]
    fn templates_ask_about_routes_that_there_are() {
        let asks = Regex::new(r#"page\.may\("([^"]*)", "([^"]*)"\)"#).expect("a pattern");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/console");
        let mut asked = 0;
        for file in fs::read_dir(folder).expect("a folder").flatten() {
            let text = fs::read_to_string(file.path()).expect("text");
            for ask in asks.captures_iter(&text) {
                asked += 1;
                assert!(staff_may(StaffRole::Admin, &ask[1], &ask[2]), "{}", &ask[0]);
            }
        }
        assert!(asked > 20, "{asked}");
    }
}
