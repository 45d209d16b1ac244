//! Checks a model before a shopper meets it: three questions, as turns ask them, and what came of each.
//!
//! What an endpoint needs to be asked with is learnt on the way, a reasoning whose opening mark stands in the model's template
//! included: nobody else has to read that reasoning first.

mod questions;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::StreamExt;

use super::{Adaptation, Chunk, Echo, Endpoint, Model, ModelError, Price, Prompt, PromptMessage, ToolCall, Usage};

pub use questions::{Outcome, Question, WrongCall, plain_with_a_tool};

/// How often the model is asked for one question: for its calls, one at a time, and for its answer.
const MAX_ROUNDS: usize = 4;

/// What came of one question.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub question: Question,
    pub outcome: Outcome,
    /// To the first sign of the first answer.
    pub first_token: Option<Duration>,
    pub usage: Usage,
    /// In millionths.
    pub cost_micros: i64,
}

/// What a check found. Questions after a failed one are not asked.
#[derive(Clone, Debug)]
pub struct Report {
    pub answers: Vec<Answered>,
    /// What the endpoint is known to need afterwards.
    pub adaptations: BTreeSet<Adaptation>,
}

impl Report {
    pub fn is_well(&self) -> bool {
        self.answers.iter().all(|answered| answered.outcome.is_right())
    }
}

/// Asks the three questions. `instructions` are those of a store.
pub async fn check(endpoint: &Endpoint, price: Price, instructions: &str, max_output_tokens: u32) -> Report {
    let mut answers = Vec::new();
    for question in Question::ALL {
        let answered = ask(
            endpoint,
            price,
            question,
            question.prompt(instructions, max_output_tokens),
        )
        .await;
        answers.push(answered);
        if matches!(answered.outcome, Outcome::Failed(_)) {
            break;
        }
    }
    Report {
        answers,
        adaptations: endpoint.adaptations(),
    }
}

async fn ask(model: &impl Model, price: Price, question: Question, mut prompt: Prompt) -> Answered {
    let mut answered = Answered {
        question,
        outcome: Outcome::CalledWrongly(WrongCall::NoEnd),
        first_token: None,
        usage: Usage::default(),
        cost_micros: 0,
    };
    let mut called = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let round = Round::of(model, prompt.clone()).await;
        answered.first_token = answered.first_token.or(round.first_token);
        answered.cost_micros += price.of(round.usage);
        add(&mut answered.usage, round.usage);
        let outcome = match round.fault {
            Some(fault) => Some(Outcome::Failed(fault)),
            None if round.calls.is_empty() => Some(question.judge(&round.text, &called)),
            None => follow(question, &mut prompt, &mut called, round)
                .err()
                .map(Outcome::CalledWrongly),
        };
        if let Some(outcome) = outcome {
            answered.outcome = outcome;
            break;
        }
    }
    answered
}

/// Puts the calls and their results into the prompt.
fn follow(
    question: Question,
    prompt: &mut Prompt,
    called: &mut BTreeSet<String>,
    round: Round,
) -> Result<(), WrongCall> {
    let mut results = Vec::new();
    for call in &round.calls {
        results.push(PromptMessage::ToolResult {
            call_id: call.id.clone(),
            content: question.run(call)?.to_owned(),
        });
        called.insert(call.tool.clone());
    }
    prompt.messages.push(PromptMessage::Assistant {
        text: round.text,
        calls: round.calls,
        echo: round.echo,
    });
    prompt.messages.extend(results);
    Ok(())
}

fn add(total: &mut Usage, more: Usage) {
    total.input_tokens += more.input_tokens;
    total.cached_tokens += more.cached_tokens;
    total.cache_write_tokens += more.cache_write_tokens;
    total.output_tokens += more.output_tokens;
    total.reasoning_tokens += more.reasoning_tokens;
}

/// One answer, to its end.
#[derive(Default)]
struct Round {
    text: String,
    calls: Vec<ToolCall>,
    echo: Option<Echo>,
    usage: Usage,
    first_token: Option<Duration>,
    fault: Option<ModelError>,
}

impl Round {
    async fn of(model: &impl Model, prompt: Prompt) -> Self {
        let (mut round, began) = (Self::default(), Instant::now());
        let mut chunks = model.answer(prompt);
        while let Some(chunk) = chunks.next().await {
            if chunk.is_ok() {
                round.first_token.get_or_insert_with(|| began.elapsed());
            }
            match chunk {
                Ok(Chunk::Text(piece)) => round.text.push_str(&piece),
                Ok(Chunk::Progress) => {}
                Ok(Chunk::Call(call)) => round.calls.push(call),
                Ok(Chunk::Echo(echo)) => round.echo = Some(echo),
                Ok(Chunk::End(usage, cut)) => (round.usage, round.fault) = (usage, cut),
                Err(fault) => round.fault = Some(fault),
            }
        }
        round
    }
}
