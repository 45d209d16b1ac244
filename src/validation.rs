//! `validator`'s errors as flat lists of field paths, the shape that both problem details and tools use.

use validator::{ValidationErrors, ValidationErrorsKind};

/// A field with a value that is not valid.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A path such as `address.zip` or `changes[0].item_id`.
    #[schema(example = "text")]
    pub field: String,
    /// A machine-readable code, such as `length` or `control_character`.
    #[schema(example = "length")]
    pub code: String,
    /// What is wrong, in words for people.
    #[schema(example = "must hold 1 to 4000 characters")]
    pub message: String,
}

/// Every invalid field, in order of its path.
pub fn fields(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    walk(errors, "", &mut found);
    found.sort_by(|a, b| (&a.field, &a.code).cmp(&(&b.field, &b.code)));
    found
}

/// The first invalid field and what is wrong with it.
pub fn first(errors: &ValidationErrors) -> (String, String) {
    fields(errors)
        .into_iter()
        .next()
        .map(|error| (error.field, error.message))
        .unwrap_or_default()
}

/// The field at which JSON does not match its type, and what is wrong with it.
pub fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let message = json_fault(error.inner());
    let parent = error.path().to_string();
    let parent = parent.trim_start_matches('.');
    // serde reports a missing or repeated field at its parent and names the field only in the message.
    let named = ["missing field `", "duplicate field `"]
        .iter()
        .find_map(|opening| message.strip_prefix(opening));
    let field = match named.and_then(|rest| rest.split_once('`')) {
        Some((name, _)) if parent.is_empty() => name.to_owned(),
        Some((name, _)) => format!("{parent}.{name}"),
        None => parent.to_owned(),
    };
    FieldError {
        field,
        code: "shape".into(),
        message,
    }
}

/// Whether JSON text is an object. serde would also accept an array as a struct's fields in order; we do not.
pub fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

/// What is wrong with JSON, for its sender. The text is bounded, so that a huge value is not sent back.
pub fn json_fault(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

fn walk(errors: &ValidationErrors, prefix: &str, found: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let path = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}.{name}")
        };
        match kind {
            ValidationErrorsKind::Field(errors) => found.extend(errors.iter().map(|error| FieldError {
                field: path.clone(),
                code: error.code.to_string(),
                message: message(error),
            })),
            ValidationErrorsKind::Struct(nested) => walk(nested, &path, found),
            ValidationErrorsKind::List(items) => {
                for (index, nested) in items {
                    walk(nested, &format!("{path}[{index}]"), found);
                }
            }
        }
    }
}

fn message(error: &validator::ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let bound = |name: &str| error.params.get(name).map(ToString::to_string);
    match (error.code.as_ref(), bound("min"), bound("max")) {
        ("length", Some(min), Some(max)) => format!("must hold {min} to {max} characters or items"),
        ("length", None, Some(max)) => format!("must hold at most {max} characters or items"),
        ("range", Some(min), Some(max)) => format!("must be {min} to {max}"),
        ("email", ..) => "must be an e-mail address".into(),
        (code, ..) => format!("does not fit ({code})"),
    }
}
