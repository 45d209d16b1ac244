//! The page *Doctor* shows whether the service works right now, and what is wrong with the installation.

use askama::Template;
use axum::{Router, response::Response, routing::get};
use serde::Deserialize;

use super::{Console, Failure, Page, Visitor, render};
use crate::http::Level;

pub fn routes() -> Router<Console> {
    Router::new().route("/console/doctor", get(doctor))
}

/// The API's answer on whether the service works, and which dependencies it works without.
#[derive(Deserialize)]
struct Status {
    ready: bool,
    version: String,
    database: bool,
    schema: bool,
    open_circuits: Vec<String>,
}

#[derive(Deserialize)]
struct Examination {
    findings: Vec<Finding>,
}

/// The result of a check.
#[derive(Deserialize)]
struct Finding {
    check: String,
    level: Level,
    finding: String,
    publish: Option<String>,
}

impl Finding {
    fn tone(&self) -> &'static str {
        match self.level {
            Level::Green => "good",
            Level::Amber => "warn",
            Level::Red => "bad",
        }
    }

    fn result(&self) -> &'static str {
        match self.level {
            Level::Green => "OK",
            Level::Amber => "Warning",
            Level::Red => "Problem",
        }
    }
}

#[derive(Template)]
#[template(path = "console/doctor.html")]
struct DoctorPage {
    page: Page,
    status: Status,
    /// The doctor's findings, or none if the person may not see them.
    findings: Option<Vec<Finding>>,
}

async fn doctor(visitor: Visitor) -> Result<Response, Failure> {
    let findings = match visitor.get::<Examination>("/v1/staff/doctor").await {
        Ok(found) => Some(found.findings),
        Err(failure) if matches!(failure.status(), 403 | 404) => None,
        Err(failure) => return Err(failure),
    };
    Ok(render(&DoctorPage {
        page: visitor.page("Doctor").await?,
        status: visitor.get("/v1/staff/status").await?,
        findings,
    }))
}
