//! A page in its frame, as the role of who looks at it lets it be: the menu and the buttons are those that the API would not refuse.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use super::{
    Me,
    view::{APPROVE, Approval, Approvals, Cell, Route, Section},
};
use crate::{http::staff_may, identity::StaffRole};

/// The parts of the console, each with the route that it cannot do without.
const MENU: [(&str, &str, Route); 12] = [
    ("/console", "Approvals", ("GET", "/v1/staff/proposals")),
    (
        "/console/conversations",
        "Conversations",
        ("GET", "/v1/staff/conversations"),
    ),
    ("/console/payments", "Payments", ("GET", "/v1/staff/payments")),
    ("/console/articles", "Help articles", ("GET", "/v1/staff/help")),
    ("/console/rules", "Rules and limits", ("GET", "/v1/staff/policies")),
    ("/console/usage", "Usage and spend", ("GET", "/v1/staff/usage")),
    ("/console/deliveries", "Deliveries", ("GET", "/v1/staff/deliveries")),
    ("/console/incoming", "Incoming events", ("GET", "/v1/staff/incoming")),
    ("/console/people", "Team and API keys", ("GET", "/v1/staff/members")),
    ("/console/settings", "Settings", ("GET", "/v1/staff/origins")),
    ("/console/audit", "Audit", ("GET", "/v1/staff/audit")),
    ("/console/doctor", "Doctor", ("GET", "/v1/staff/status")),
];

/// A page of the console in its frame.
#[derive(Template)]
#[template(path = "console/page.html")]
pub struct Page<'a> {
    title: &'a str,
    /// Which part of the menu it belongs to.
    part: &'a str,
    /// What was just done, in the address.
    done: Option<String>,
    me: Option<&'a Me>,
    menu: Vec<(&'static str, &'static str)>,
    sections: Vec<Section>,
}

impl Section {
    /// The section as this role sees it: without what the role may not do.
    fn shown_to(self, role: StaffRole) -> Option<Self> {
        let may = |(method, path): Route| staff_may(role, method, path);
        match self {
            Self::Form(form) if !form.calls.is_none_or(may) => None,
            Self::Approvals(queue) if !may(APPROVE) => {
                let plain = |row| Approval { low_risk: false, ..row };
                Some(Self::Approvals(Approvals {
                    rows: queue.rows.into_iter().map(plain).collect(),
                    bulk: false,
                }))
            }
            Self::Table(mut table) => {
                for cell in table.rows.iter_mut().flatten() {
                    if let Cell::Acts(acts) = cell {
                        acts.retain(|act| may(act.calls));
                    }
                }
                Some(Self::Table(table))
            }
            other => Some(other),
        }
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(title: &'a str, here: &'a str, me: Option<&'a Me>, sections: Vec<Section>) -> Self {
        let (path, query) = here.split_once('?').unwrap_or((here, ""));
        let part = MENU
            .iter()
            .rev()
            .find(|(to, ..)| path.starts_with(to))
            .map_or("", |(to, ..)| *to);
        let (sections, menu) = match me {
            Some(me) => {
                let shown = sections.into_iter().filter_map(|section| section.shown_to(me.role));
                let menu = MENU
                    .iter()
                    .filter(|(.., (method, path))| staff_may(me.role, method, path));
                (shown.collect(), menu.map(|(to, name, _)| (*to, *name)).collect())
            }
            None => (sections, Vec::new()),
        };
        let done = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done");
        Self {
            title,
            part: if path.starts_with("/console/proposals") {
                "/console"
            } else {
                part
            },
            done: done
                .map(|(_, word)| word.replace('-', " "))
                .filter(|word| word.len() < 60),
            me,
            menu,
            sections,
        }
    }
}

impl Page<'_> {
    fn is_part(&self, to: &str) -> bool {
        self.part == to
    }
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        match self.render() {
            Ok(page) => Html(page).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_needs_a_route_that_there_is_and_an_admin_sees_them_all() {
        for (part, _, (method, path)) in MENU {
            assert!(staff_may(StaffRole::Admin, method, path), "{part}");
        }
        assert!(!staff_may(StaffRole::Viewer, "GET", "/v1/staff/members"));
        assert!(!staff_may(StaffRole::Admin, "GET", "/v1/staff/nothing"));
    }
}
