//! `countersign model check` and the doctor name each planted fault of a model's settings, with the setting that mends it.

use countersign::model::{
    Adaptation, Endpoint, EndpointSettings,
    check::{Outcome, Question, check},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    ops::doctor_live,
    support::{
        FakeOpenAi, Reply, TestApp,
        fake_openai::{delta, ending, sound},
    },
};

type Answers = fn(&Value) -> Reply;

fn has_tools(request: &Value) -> bool {
    request["tools"].as_array().is_some_and(|tools| !tools.is_empty())
}

/// What is planted, the code that it is found under, and a word of the mend.
const FAULTS: [(Answers, &str, &str); 9] = [
    (
        |_| {
            Reply::Status(
                401,
                r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#.into(),
            )
        },
        "key_refused",
        "OPENAI_API_KEY",
    ),
    (
        |_| {
            Reply::Status(
                404,
                r#"{"error":{"message":"The model `fake` does not exist","code":"model_not_found"}}"#.into(),
            )
        },
        "unknown_model",
        "OPENAI_MODEL",
    ),
    (
        |request| match has_tools(request) {
            true => Reply::Status(
                400,
                r#"{"error":{"message":"registry/fake does not support tools"}}"#.into(),
            ),
            false => sound(request),
        },
        "no_tools",
        "OPENAI_MODEL",
    ),
    (
        |_| {
            Reply::Status(
                400,
                r#"{"error":{"message":"Unsupported value","param":"service_tier"}}"#.into(),
            )
        },
        "parameter_refused",
        "MODEL_DIALECT",
    ),
    (
        |_| {
            Reply::Status(
                429,
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#.into(),
            )
        },
        "no_credit",
        "OPENAI_API_KEY",
    ),
    // A template without tools drops them: no refusal, only an answer that was guessed.
    (|_| Reply::text("It is on its way."), "ignored_tools", "template"),
    (
        |request| match has_tools(request) {
            true => Reply::text(r#"{"name": "find_parcel", "parameters": {"parcel": "P-17"}}"#),
            false => sound(request),
        },
        "call_as_text",
        "--tool-call-parser",
    ),
    (
        |request| match has_tools(request) {
            true => Reply::call("find_parcel", json!({ "parcel": 17 })),
            false => sound(request),
        },
        "called_wrongly",
        "OPENAI_MODEL",
    ),
    (
        |_| Reply::Raw("data: <!doctype html><title>Welcome</title>\n\n".into()),
        "garbage",
        "OPENAI_BASE_URL",
    ),
];

/// `countersign model check`: whether it found all well, and what it printed.
async fn model_check(environment: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["model", "check"])
        .env("MODEL", "openai")
        .env("OPENAI_API_KEY", "sk-of-the-tests")
        .env("OPENAI_MODEL", "fake")
        .env("MODEL_PRICES", "fake=1/2,other=1/2")
        .envs(environment.iter().copied())
        .output()
        .await
        .expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!printed.contains("sk-of-the-tests"), "no key is printed: {printed}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), printed + &errors)
}

#[tokio::test]
async fn the_command_says_of_a_sound_model_what_it_did_and_what_it_learnt() {
    let model = FakeOpenAi::start().await;
    model.respond(|request| match request.get("max_completion_tokens") {
        Some(_) => Reply::Status(
            422,
            r#"{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs"}]}"#.into(),
        ),
        None => sound(request),
    });
    let (well, printed) = model_check(&[("OPENAI_BASE_URL", &model.base_url())]).await;
    assert!(well, "{printed}");
    for words in [
        "ok     plain      it answers; first token after",
        "ok     one tool   it calls the tools and answers from their results",
        "ok     two tools  it calls the tools",
        // Two answers at 100 tokens read and 20 written.
        "200 tokens read, 40 written, cost 0.000280",
        "asked with: max_tokens (MODEL_DIALECT=vllm says so beforehand)",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let newest = model.requests().pop().expect("a request");
    let system = newest["messages"][0]["content"].as_str().expect("a text");
    assert!(
        system.contains("customer service assistant"),
        "the real instructions: {system}"
    );
}

#[tokio::test]
async fn the_command_names_each_fault_and_the_setting_that_mends_it() {
    let model = FakeOpenAi::start().await;
    let url = model.base_url();
    for (answers, code, word) in FAULTS {
        model.respond(answers);
        let (well, printed) = model_check(&[("OPENAI_BASE_URL", &url)]).await;
        assert!(
            !well && printed.contains("WRONG") && printed.contains(word),
            "{code}: {printed}"
        );
    }
    model.respond(sound);
    let (well, printed) = model_check(&[("OPENAI_BASE_URL", &url.replace("/v1", "/v2"))]).await;
    assert!(
        !well && printed.contains("Check the path of OPENAI_BASE_URL"),
        "{printed}"
    );
    let (well, printed) = model_check(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]).await;
    assert!(
        !well && printed.contains("Check the host and port of OPENAI_BASE_URL"),
        "{printed}"
    );
}

#[tokio::test]
async fn the_second_model_is_checked_under_the_names_of_its_own_settings() {
    let (first, second) = (FakeOpenAi::start().await, FakeOpenAi::start().await);
    first.respond(sound);
    second.respond(|_| Reply::Status(401, String::new()));
    let (well, printed) = model_check(&[
        ("OPENAI_BASE_URL", &first.base_url()),
        ("SECOND_MODEL", "other"),
        ("SECOND_MODEL_BASE_URL", &second.base_url()),
        ("SECOND_MODEL_API_KEY", "sk-another-of-the-tests"),
    ])
    .await;
    assert!(!well && printed.contains("SECOND_MODEL_API_KEY"), "{printed}");
    assert_eq!(printed.matches("WRONG").count(), 1, "{printed}");
}

#[tokio::test]
async fn the_doctor_names_each_fault_unless_it_is_told_to_leave_models_alone() {
    let app = TestApp::offline().await;
    let found = async |changes: &[(&str, &str)], arguments: &[&str]| {
        let (_, codes) = doctor_live::examine(&app, changes, arguments).await;
        codes
    };
    for (answers, code, _) in FAULTS {
        app.model.respond(answers);
        let codes = found(&[], &[]).await;
        assert!(codes.contains(&code.to_owned()), "{code}: {codes:?}");
        let codes = found(&[], &["--without-models"]).await;
        assert!(!codes.contains(&code.to_owned()), "{code}: {codes:?}");
    }
    app.model.respond(sound);
    let elsewhere = app.model.base_url().replace("/v1", "/v2");
    for (url, code) in [
        (elsewhere.as_str(), "wrong_address"),
        ("http://127.0.0.1:1/v1", "unreachable"),
    ] {
        let codes = found(&[("OPENAI_BASE_URL", url)], &[]).await;
        assert!(codes.contains(&code.to_owned()), "{code}: {codes:?}");
    }
}

#[tokio::test]
async fn a_reasoning_without_its_opening_mark_is_learnt_before_a_shopper_reads_it() {
    let model = FakeOpenAi::start().await;
    model.respond(|request| {
        let has_result = request["messages"]
            .as_array()
            .is_some_and(|messages| messages.iter().any(|message| message["role"] == "tool"));
        if has_tools(request) && !has_result {
            return sound(request);
        }
        let pieces = [
            delta(json!({ "content": "The shopper asks whether I am here." })),
            delta(json!({ "content": "</think>\n\nYes: locker 4417, counter 5386." })),
        ];
        Reply::Raw([pieces.concat(), ending("stop").concat()].concat())
    });
    let price = "1/2".parse().expect("a price");
    let settings = EndpointSettings::new(model.base_url(), "sk-fake".into(), "fake".into(), price);
    let endpoint = Endpoint::new(settings);
    let report = check(&endpoint, price, "Be brief.", 256).await;
    assert!(report.adaptations.contains(&Adaptation::ReasoningFirst), "{report:?}");
    assert_eq!(report.answers.len(), Question::ALL.len());
    assert_eq!(report.answers[0].outcome, Outcome::Answered, "{report:?}");
}
