//! What the doctor finds of the language models, by asking them as turns do.

use futures::future::join_all;

use super::{Finding, Level};
use crate::{
    chat::prompt,
    language::Language,
    model::{
        Endpoint, EndpointSettings, ModelError, ModelSettings, SettingNames,
        check::{Outcome, Report, check},
    },
};

/// A model that was checked.
pub struct CheckedModel {
    /// `model` or `second`.
    pub name: &'static str,
    /// As its settings name it.
    pub model: String,
    pub base_url: String,
    pub settings: SettingNames,
    pub report: Report,
}

/// Asks each model that is set three questions.
pub async fn ask(first: &ModelSettings, second: Option<&EndpointSettings>, output_tokens: u32) -> Vec<CheckedModel> {
    let ModelSettings::Endpoint(first) = first else {
        return Vec::new();
    };
    let second = second.map(|settings| ("second", settings, SettingNames::second()));
    let all = std::iter::once(("model", first, SettingNames::first(first.wire))).chain(second);
    let instructions = prompt::system_text("Harbour Goods", false);
    let checks = all.map(|(name, endpoint, settings)| {
        let instructions = &instructions;
        async move {
            let asked = Endpoint::new(endpoint.clone());
            CheckedModel {
                name,
                model: endpoint.model.clone(),
                base_url: endpoint.base_url.clone(),
                settings,
                report: check(&asked, endpoint.price, instructions, output_tokens).await,
            }
        }
    });
    join_all(checks).await
}

/// The findings: one for each fault, or that the model answers.
pub(super) fn findings(checked: &[CheckedModel]) -> Vec<Finding> {
    checked.iter().flat_map(of_one).collect()
}

fn of_one(checked: &CheckedModel) -> Vec<Finding> {
    if checked.report.is_well() {
        let text = format!("{} answers and calls tools", checked.model);
        return vec![Finding::new(checked.name, Level::Green, "model_answers", text)];
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for answered in &checked.report.answers {
        if !answered.outcome.is_right() && !outcomes.contains(&answered.outcome) {
            outcomes.push(answered.outcome);
        }
    }
    let finding = |outcome: Outcome| {
        let level = match outcome {
            Outcome::Failed(ModelError::RateLimited(_)) => Level::Amber,
            _ => Level::Red,
        };
        let (reason, mend) = (
            outcome.reason(Language::EN),
            outcome.mend(&checked.settings, Language::EN),
        );
        Finding::new(
            checked.name,
            level,
            outcome.code(),
            format!("{}: {reason}. {mend}", checked.model),
        )
    };
    outcomes.into_iter().map(finding).collect()
}
