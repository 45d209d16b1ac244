//! The route that shows the doctor's findings about this installation to its operators.

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

/// How long findings are reused. An examination asks name servers, the mail relay and the edge.
const CACHE_TTL: Duration = Duration::from_secs(60);

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Green,
    Amber,
    Red,
}

/// The result of a check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    /// A stable name of the finding, such as `spf_missing`.
    pub code: &'static str,
    /// What was found, and how to fix it.
    pub finding: String,
    /// The DNS record to publish, in the format of a zone file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
}

/// A function that examines this installation.
pub type Examine = dyn Fn() -> BoxFuture<'static, Vec<Finding>> + Send + Sync;

type Found = (Instant, Vec<Finding>);

/// The doctor, and the store whose admins may ask it. An installation serves many stores, and the other stores must not see its findings.
#[derive(Clone)]
pub struct Doctor {
    examine: Arc<Examine>,
    store: Option<Arc<str>>,
    last: Arc<Mutex<Option<Found>>>,
}

impl Doctor {
    pub fn new(store: Option<&str>, examine: Arc<Examine>) -> Self {
        Self {
            examine,
            store: store.map(Into::into),
            last: Arc::default(),
        }
    }

    /// Examines the installation, or returns cached findings. Staff of other stores get a 404.
    pub async fn ask(&self, staff: &StaffMember, web: &Pool<Web>) -> Result<Vec<Finding>, Problem> {
        let mut tx = web.begin(staff.scope()).await?;
        let asking = tenancy::current(&mut tx).await?.slug;
        drop(tx);
        if self.store.as_deref() != Some(asking.as_str()) {
            return Err(Problem::not_found());
        }
        // The lock is held during the examination, so that concurrent callers share one.
        let mut last = self.last.lock().await;
        if let Some((at, found)) = &*last
            && at.elapsed() < CACHE_TTL
        {
            return Ok(found.clone());
        }
        let found = (self.examine)().await;
        *last = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

#[derive(Serialize, ToSchema)]
pub struct Examination {
    findings: Vec<Finding>,
}

/// Examines the installation. Only admins of the store that `OPERATOR_STORE` names may ask; everybody else gets a 404.
#[utoipa::path(get, path = "/v1/staff/doctor", operation_id = "runDoctor", tag = "staff", responses((status = 200, body = Examination), Role, Unauthenticated, NotFound))]
pub async fn doctor(
    staff: StaffMember,
    State(doctor): State<Doctor>,
    State(web): State<Pool<Web>>,
) -> Result<Json<Examination>, Problem> {
    let findings = doctor.ask(&staff, &web).await?;
    Ok(Json(Examination { findings }))
}
