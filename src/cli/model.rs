//! `countersign model check`: asks the models that are set and says what they did and what to set when they fail.

use clap::Subcommand;

use super::{CliError, terminal::say};
use crate::{
    config::{Settings, environment},
    doctor::models::{self, CheckedModel},
    language::Language,
    model::{
        Dialect,
        check::{Answered, Question},
    },
};

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Ask each model that is set three questions, as shoppers' are asked: plain, with one tool, with two. It costs a little. The exit
    /// status says whether all went well.
    Check,
}

pub async fn run(command: ModelCommand) -> Result<(), CliError> {
    match command {
        ModelCommand::Check => check().await,
    }
}

async fn check() -> Result<(), CliError> {
    let settings = Settings::models_only(&environment)?;
    let checked = models::ask(&settings.first, settings.second.as_ref(), settings.output_tokens).await;
    if checked.is_empty() {
        return Err(CliError::Argument(
            "MODEL=offline answers by fixed rules; there is no model to ask".into(),
        ));
    }
    for checked in &checked {
        say(report(checked))?;
    }
    let wrong = checked.iter().flat_map(|checked| &checked.report.answers);
    match wrong.filter(|answered| !answered.outcome.is_right()).count() {
        0 => Ok(()),
        wrong => Err(CliError::Doctor(wrong)),
    }
}

/// What one model did, line by line.
fn report(checked: &CheckedModel) -> String {
    let mut lines = vec![format!("{} at {}", checked.model, checked.base_url)];
    let mut said = String::new();
    for answered in &checked.report.answers {
        let mark = if answered.outcome.is_right() { "ok   " } else { "WRONG" };
        let (question, reason) = (name(answered.question), answered.outcome.reason(Language::EN));
        lines.push(format!("{mark}  {question:<9}  {reason}{}", figures(answered)));
        let mend = answered.outcome.mend(&checked.settings, Language::EN);
        if !mend.is_empty() && mend != said {
            lines.push(format!("       to do: {mend}"));
            said = mend;
        }
    }
    let adaptations = &checked.report.adaptations;
    if !adaptations.is_empty() {
        let names: Vec<&str> = adaptations.iter().map(|adaptation| adaptation.name()).collect();
        let mut line = format!("       asked with: {}", names.join(", "));
        if let Some(dialect) = Dialect::that_knows(adaptations) {
            line.push_str(&format!(
                " ({}={} says so beforehand)",
                checked.settings.dialect,
                dialect.name()
            ));
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn name(question: Question) -> &'static str {
    match question {
        Question::Plain => "plain",
        Question::OneTool => "one tool",
        Question::TwoTools => "two tools",
    }
}

/// The time to the first token, tokens and cost, where there were any.
fn figures(answered: &Answered) -> String {
    let Some(first) = answered.first_token else {
        return String::new();
    };
    let usage = answered.usage;
    let tokens = match (usage.input_tokens, usage.output_tokens) {
        (0, 0) => "tokens not told".to_owned(),
        (read, written) => format!("{read} tokens read, {written} written"),
    };
    let cost = answered.cost_micros as f64 / 1_000_000.0;
    format!(
        "; first token after {:.2} s, {tokens}, cost {cost:.6}",
        first.as_secs_f64()
    )
}
