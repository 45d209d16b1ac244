//! What the doctor finds of the installation that answers, for the people who run it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::{
    http::{
        problem::Problem,
        responses::{NotFound, Role, Unauthenticated},
    },
    identity::StaffMember,
    tenancy::{self, Pool, Web},
};

/// How long what was found is good for: looking asks name servers, the mail relay and the edge.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Green,
    Amber,
    Red,
}

/// What a check found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    /// A stable name for what was found, such as `spf_missing`.
    pub code: &'static str,
    /// What it is and how to mend it.
    pub finding: String,
    /// The DNS record to publish, as a zone file has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
}

/// Looks at this installation.
pub type Look = dyn Fn() -> BoxFuture<'static, Vec<Finding>> + Send + Sync;

type Found = (Instant, Vec<Finding>);

/// The doctor, and the store whose admins may ask it: an installation serves many stores, and is none of the others' business.
#[derive(Clone)]
pub struct Doctor {
    look: Arc<Look>,
    store: Option<Arc<str>>,
    last: Arc<Mutex<Option<Found>>>,
}

impl Doctor {
    pub fn new(store: Option<&str>, look: Arc<Look>) -> Self {
        Self {
            look,
            store: store.map(Into::into),
            last: Arc::default(),
        }
    }

    /// What is found, to who may know it.
    pub async fn ask(&self, staff: &StaffMember, web: &Pool<Web>) -> Result<Vec<Finding>, Problem> {
        let mut tx = web.begin(staff.scope()).await?;
        let asking = tenancy::current(&mut tx).await?.slug;
        drop(tx);
        if self.store.as_deref() != Some(asking.as_str()) {
            return Err(Problem::not_found());
        }
        // Held while it looks: whoever asks meanwhile gets the same.
        let mut last = self.last.lock().await;
        if let Some((at, found)) = &*last
            && at.elapsed() < GOOD_FOR
        {
            return Ok(found.clone());
        }
        let found = (self.look)().await;
        *last = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

#[derive(Serialize, ToSchema)]
pub struct Examination {
    findings: Vec<Finding>,
}

/// Looks at the installation: for admins of the store that `OPERATOR_STORE` names; to everybody else it is not there.
#[utoipa::path(get, path = "/v1/staff/doctor", tag = "staff", responses((status = 200, body = Examination), Role, Unauthenticated, NotFound))]
pub async fn doctor(
    staff: StaffMember,
    State(doctor): State<Doctor>,
    State(web): State<Pool<Web>>,
) -> Result<Json<Examination>, Problem> {
    let findings = doctor.ask(&staff, &web).await?;
    Ok(Json(Examination { findings }))
}
