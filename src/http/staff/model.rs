//! Which model answers the store's shoppers, and what it is told of turns that no longer fit.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    http::{
        extract::Body,
        problem::Problem,
        responses::{BadBody, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    model::{
        PricedModel, StoreModels,
        store_model::{self, StoredChoice},
    },
    tenancy::{Pool, Tx, Web},
    validation::FieldError,
};

/// The model that answers, and those that can be chosen.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct StoreModel {
    /// What answers without a choice. Nothing where the installation has fixed rules alone.
    #[schema(example = "gpt-4o-mini")]
    pub default: Option<String>,
    /// What the store has chosen, if anything.
    pub chosen: Option<String>,
    /// What answers now. It is the default in place of `chosen` where that cannot be chosen any more.
    #[schema(example = "gpt-4o-mini")]
    pub in_use: Option<String>,
    /// Whether the model is told the beginnings of the messages that no longer fit into its prompt.
    pub summarize_cut_turns: bool,
    /// What can be chosen, the default first.
    pub models: Vec<OfferedModel>,
}

/// A model that can be chosen. Its prices are for a million tokens, in millionths of the price table's currency.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OfferedModel {
    #[schema(example = "gpt-4o-mini")]
    pub name: String,
    #[schema(example = 150_000)]
    pub input_micros: u64,
    /// Input that the provider has in its cache.
    #[schema(example = 75_000)]
    pub cached_micros: u64,
    #[schema(example = 600_000)]
    pub output_micros: u64,
    /// Output that is reasoning.
    #[schema(example = 600_000)]
    pub reasoning_micros: u64,
}

impl From<&PricedModel> for OfferedModel {
    fn from(model: &PricedModel) -> Self {
        Self {
            name: model.name.as_ref().into(),
            input_micros: model.price.input,
            cached_micros: model.price.cached,
            output_micros: model.price.output,
            reasoning_micros: model.price.reasoning,
        }
    }
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelChoice {
    /// The name of one of the models that can be chosen; without it the default answers.
    #[schema(example = "gpt-4o-mini")]
    model: Option<String>,
    /// Whether the model is told the beginnings of the messages that no longer fit into its prompt.
    #[serde(default)]
    summarize_cut_turns: bool,
}

async fn current(tx: &mut Tx<Web>, offered: &StoreModels) -> Result<StoreModel, sqlx::Error> {
    let name = |model: &PricedModel| model.name.as_ref().to_owned();
    let default = offered.default_model().map(name);
    let StoredChoice {
        name: chosen,
        summarizes,
    } = store_model::chosen(tx).await?;
    let asked = chosen.as_deref().and_then(|chosen| offered.find(chosen));
    Ok(StoreModel {
        in_use: asked.map(name).or_else(|| default.clone()),
        default,
        chosen,
        summarize_cut_turns: summarizes,
        models: offered.all().iter().map(OfferedModel::from).collect(),
    })
}

/// Reads which model answers, and which can be chosen at what price.
#[utoipa::path(get, path = "/v1/staff/model", operation_id = "getModel", tag = "staff", responses((status = 200, body = StoreModel), Role, Unauthenticated))]
pub async fn read(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(offered): State<StoreModels>,
) -> Result<Json<StoreModel>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(current(&mut tx, &offered).await?))
}

/// Sets the model that answers from the next message on, and whether it is told what no longer fits into its prompt.
#[utoipa::path(put, path = "/v1/staff/model", operation_id = "setModel", tag = "staff", request_body = ModelChoice,
    responses((status = 200, body = StoreModel), Role, Unauthenticated, BadBody))]
pub async fn choose(
    change: StaffChange,
    State(offered): State<StoreModels>,
    Body(choice): Body<ModelChoice>,
) -> Result<Json<StoreModel>, Problem> {
    if choice.model.as_deref().is_some_and(|name| offered.find(name).is_none()) {
        return Err(Problem::fields(vec![not_offered(&offered)]));
    }
    let choice = StoredChoice {
        name: choice.model,
        summarizes: choice.summarize_cut_turns,
    };
    let mut tx = change.begin().await?;
    store_model::choose(&mut tx, &choice, change.statement()).await?;
    let now = current(&mut tx, &offered).await?;
    tx.commit().await?;
    Ok(Json(now))
}

fn not_offered(offered: &StoreModels) -> FieldError {
    let names: Vec<&str> = offered.all().iter().map(|model| &*model.name).collect();
    FieldError {
        field: "model".into(),
        code: "not_offered".into(),
        message: match names.is_empty() {
            true => "cannot be chosen here: fixed rules answer, and no model".into(),
            false => format!("must be one of: {}", names.join(", ")),
        },
    }
}

/// Takes both choices away: the installation's default answers, and what no longer fits is left out.
#[utoipa::path(delete, path = "/v1/staff/model", operation_id = "deleteModelChoice", tag = "staff", responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn forget(change: StaffChange) -> Result<StatusCode, Problem> {
    let mut tx = change.begin().await?;
    let found = store_model::choose(&mut tx, &StoredChoice::default(), change.statement()).await?;
    StaffChange::finish_noted(tx, found).await?;
    Ok(StatusCode::NO_CONTENT)
}
