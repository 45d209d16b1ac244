//! The largest result of a tool that a model is given.

use serde_json::{Value, json};

/// The most bytes of one result: some 4,000 tokens. A product of 900 variants had 124,000 bytes.
const MAX_RESULT_BYTES: usize = 16 * 1024;
/// How many entries of a list are kept even if the result stays too large.
const MIN_ITEMS: usize = 5;

/// The result as the model reads it. Where it is too large, its longest lists are shortened, and it says what was left out.
pub fn bounded(mut data: Value) -> Value {
    let mut left_out = 0;
    while data.to_string().len() > MAX_RESULT_BYTES {
        let Some(longest) = longest_list(&mut data).filter(|list| list.len() > MIN_ITEMS) else {
            break;
        };
        let kept = (longest.len() / 2).max(MIN_ITEMS);
        left_out += longest.len() - kept;
        longest.truncate(kept);
    }
    match left_out {
        0 => json!({ "data": data }),
        _ => {
            json!({ "data": data, "left_out": format!("{left_out} entries of long lists; ask for something narrower to see them") })
        }
    }
}

/// The list in `value`, at any depth, that is the longest as text.
fn longest_list(value: &mut Value) -> Option<&mut Vec<Value>> {
    let path = find_longest(value, String::new()).map(|(_, path)| path)?;
    value.pointer_mut(&path)?.as_array_mut()
}

/// The longest list below `value` that may be shortened: its size and its JSON pointer.
fn find_longest(value: &Value, path: String) -> Option<(usize, String)> {
    let below: Vec<(usize, String)> = match value {
        Value::Array(items) => {
            let inside = items
                .iter()
                .enumerate()
                .filter_map(|(at, item)| find_longest(item, format!("{path}/{at}")));
            let own = (items.len() > MIN_ITEMS).then(|| (value.to_string().len(), path.clone()));
            inside.chain(own).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, field)| {
                find_longest(field, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")))
            })
            .collect(),
        _ => Vec::new(),
    };
    below.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_result_is_shortened_and_says_so() {
        let variants: Vec<Value> = (0..900)
            .map(|n| json!({ "item_id": format!("mug-{n}"), "options": { "color": "blue", "size": n } }))
            .collect();
        let result = bounded(json!({ "name": "Mug", "a/b": { "variants": variants }, "few": [1, 2, 3] }));
        assert!(
            result.to_string().len() < MAX_RESULT_BYTES + 200,
            "{}",
            result.to_string().len()
        );
        assert_eq!(result["data"]["a/b"]["variants"][0]["item_id"], "mug-0");
        assert_eq!(result["data"]["few"], json!([1, 2, 3]));
        let kept = result["data"]["a/b"]["variants"].as_array().expect("a list").len();
        assert!(
            result["left_out"]
                .as_str()
                .expect("a text")
                .starts_with(&(900 - kept).to_string()),
            "{}",
            result["left_out"]
        );
    }

    #[test]
    fn a_small_result_stays_as_it_is() {
        assert_eq!(
            bounded(json!({ "orders": [1, 2] })),
            json!({ "data": { "orders": [1, 2] } })
        );
    }
}
