//! What models write into their answer that is not for the reader: their reasoning, and calls as text.
//!
//! Servers that do not take a model's reasoning out of its text leave it between marks, such as `<think>` and `</think>`. The marks are
//! those of the models' own chat templates.

/// The marks around reasoning.
const REASONING: [(&str, &str); 10] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    // A small model that makes up the result of a call.
    ("<tool_response>", "</tool_response>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
];
/// The marks around calls, where a server does not know them for what they are. Llama's and Mistral's close with the answer.
const CALLS: [(&str, &str); 3] = [
    ("<tool_call>", "</tool_call>"),
    ("<|python_tag|>", "<|eom_id|>"),
    ("[TOOL_CALLS]", "</s>"),
];
/// Marks of chat templates that a server left in the text. They stand around nothing: the text on both sides is the answer.
const TEMPLATE_MARKS: [&str; 13] = [
    "<|im_start|>assistant",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|start|>assistant",
    "<|end|>",
    "<|return|>",
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<answer>",
    "</answer>",
];
/// The longest call that is read from between marks, in bytes.
const MAX_CALL: usize = 64 * 1024;

/// A part of an answer's text.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Visible(String),
    /// Reasoning goes on.
    Reasoning,
    /// The text of a call.
    Call(String),
}

/// Separates visible text, reasoning and calls in one answer as it streams.
#[derive(Default)]
pub struct HiddenText {
    /// What may be the beginning of a mark.
    held: String,
    inside: Option<Inside>,
    /// Something visible has come. White space before it says nothing.
    shown: bool,
    /// A mark closed reasoning that no mark had opened: the opening one stands in the model's template, or somebody had it written.
    pub closed_unopened: bool,
}

/// What a mark does to the text behind it.
#[derive(Clone, Copy)]
enum Meaning {
    /// Hides it up to the closing mark.
    Opens(&'static str),
    /// The text before it was hidden.
    Closes,
    /// Nothing.
    Template,
}

struct Inside {
    closing: &'static str,
    /// What stands between the marks of a call.
    call: Option<String>,
}

impl HiddenText {
    /// `reasoning_first`: the answer begins inside the reasoning.
    pub fn new(reasoning_first: bool) -> Self {
        Self {
            inside: reasoning_first.then_some(Inside {
                closing: REASONING[0].1,
                call: None,
            }),
            ..Self::default()
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &str) -> Vec<Part> {
        self.held.push_str(piece);
        let mut parts = Vec::new();
        while self.step(&mut parts) {}
        parts
    }

    /// What is left when the answer is over. Reasoning or a call that was not closed stays hidden.
    pub fn finish(&mut self) -> Vec<Part> {
        let rest = std::mem::take(&mut self.held);
        let mut parts = Vec::new();
        match self.inside.take() {
            None => self.show(&rest, &mut parts),
            Some(Inside {
                call: Some(mut call), ..
            }) => {
                call.push_str(&rest);
                parts.push(Part::Call(call));
            }
            Some(_) => {}
        }
        parts
    }

    /// Takes the text up to the next mark. False when more must come first.
    fn step(&mut self, parts: &mut Vec<Part>) -> bool {
        match &mut self.inside {
            Some(inside) => {
                let Some(at) = find(&self.held, inside.closing) else {
                    let safe = self.held.len() - held_back(&self.held, [inside.closing]);
                    let text: String = self.held.drain(..safe).collect();
                    match &mut inside.call {
                        Some(call) if call.len() < MAX_CALL => call.push_str(&text),
                        _ if !text.is_empty() => parts.push(Part::Reasoning),
                        _ => {}
                    }
                    return false;
                };
                let text: String = self.held.drain(..at + inside.closing.len()).collect();
                match self.inside.take().and_then(|inside| inside.call) {
                    Some(call) => parts.push(Part::Call(call + &text[..at])),
                    None => parts.push(Part::Reasoning),
                }
                true
            }
            None => {
                let opened = opening_marks().filter_map(|(opening, closing)| {
                    Some((find(&self.held, opening)?, opening, Meaning::Opens(closing)))
                });
                let left = TEMPLATE_MARKS
                    .iter()
                    .filter_map(|mark| Some((find(&self.held, mark)?, *mark, Meaning::Template)));
                let closed = REASONING
                    .iter()
                    .filter_map(|(_, closing)| Some((find(&self.held, closing)?, *closing, Meaning::Closes)));
                match opened
                    .chain(closed)
                    .chain(left)
                    .min_by_key(|(at, mark, _)| (*at, std::cmp::Reverse(mark.len())))
                {
                    Some((at, mark, meaning)) => {
                        let taken: String = self.held.drain(..at + mark.len()).collect();
                        let before = &taken[..at];
                        match meaning {
                            Meaning::Closes => {
                                self.closed_unopened = true;
                                parts.push(Part::Reasoning);
                            }
                            Meaning::Opens(closing) => {
                                self.show(before, parts);
                                let is_call = CALLS.iter().any(|(opening, _)| *opening == mark);
                                self.inside = Some(Inside {
                                    closing,
                                    call: is_call.then(String::new),
                                });
                            }
                            Meaning::Template => self.show(before, parts),
                        }
                        true
                    }
                    None => {
                        let marks = opening_marks()
                            .map(|(opening, _)| opening)
                            .chain(REASONING.iter().map(|(_, closing)| *closing))
                            .chain(TEMPLATE_MARKS);
                        let safe = self.held.len() - held_back(&self.held, marks);
                        let text: String = self.held.drain(..safe).collect();
                        self.show(&text, parts);
                        false
                    }
                }
            }
        }
    }

    fn show(&mut self, text: &str, parts: &mut Vec<Part>) {
        let text = if self.shown { text } else { text.trim_start() };
        if !text.is_empty() {
            self.shown = true;
            parts.push(Part::Visible(text.to_owned()));
        }
    }
}

fn opening_marks() -> impl Iterator<Item = (&'static str, &'static str)> {
    REASONING.into_iter().chain(CALLS)
}

/// Where `mark` stands in `text`, in capitals or small letters.
fn find(text: &str, mark: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..=text.len().checked_sub(mark.len())?)
        .find(|&at| bytes[at..at + mark.len()].eq_ignore_ascii_case(mark.as_bytes()))
}

/// How many bytes at the end of `text` may be the beginning of one of `marks`.
fn held_back(text: &str, marks: impl IntoIterator<Item = &'static str>) -> usize {
    let bytes = text.as_bytes();
    let beginning = |mark: &'static str| {
        let longest = bytes.len().min(mark.len() - 1);
        (1..=longest).rev().find(|&len| {
            text.is_char_boundary(bytes.len() - len)
                && bytes[bytes.len() - len..].eq_ignore_ascii_case(&mark.as_bytes()[..len])
        })
    };
    marks.into_iter().filter_map(beginning).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, size: usize, reasoning_first: bool) -> (String, Vec<String>) {
        let mut hidden = HiddenText::new(reasoning_first);
        let characters: Vec<char> = text.chars().collect();
        let mut parts: Vec<Part> = characters
            .chunks(size)
            .flat_map(|piece| hidden.push(&piece.iter().collect::<String>()))
            .collect();
        parts.extend(hidden.finish());
        let (mut visible, mut calls) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Visible(text) => visible.push_str(&text),
                Part::Call(call) => calls.push(call),
                Part::Reasoning => {}
            }
        }
        (visible, calls)
    }

    #[test]
    fn reasoning_is_hidden_in_whatever_pieces_it_comes() {
        for (text, visible) in [
            ("Hello", "Hello"),
            ("<think>\nangry</think>\n\nHello", "Hello"),
            ("\n<THINK>a</Think>Hello", "Hello"),
            ("<think>never closed", ""),
            ("<think></think>Hello <b>you</b> a < b", "Hello <b>you</b> a < b"),
            ("Hello <think>again</think>you", "Hello you"),
            ("◁think▷ö◁/think▷Grüße", "Grüße"),
            (
                "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello",
                "Hello",
            ),
            ("<thin", "<thin"),
            ("<think>a</think>one<thinking>b</thinking> two", "one two"),
        ] {
            for size in 1..=text.chars().count() {
                assert_eq!(read(text, size, false).0, visible, "{text:?} in pieces of {size}");
            }
        }
        assert_eq!(read("angry</think>Hello", 1, true).0, "Hello");
        let mut stray = HiddenText::new(false);
        stray.push("angry</think>Hello");
        assert!(stray.closed_unopened);
    }

    #[test]
    fn a_call_that_a_server_left_in_the_text_is_a_call() {
        let text = "One moment.<tool_call>\n{\"name\": \"get_order\"}\n</tool_call>";
        for size in 1..=text.len() {
            assert_eq!(
                read(text, size, false),
                (
                    "One moment.".to_owned(),
                    vec!["\n{\"name\": \"get_order\"}\n".to_owned()]
                )
            );
        }
    }

    proptest! {
        #[test]
        fn how_the_text_is_split_changes_nothing(
            pieces in proptest::collection::vec("(<think>a<b</think>|<tool_call>\\{\\}</tool_call>|<|th|</|>|a| |é|\\[|◁)", 0..12),
            size in 1usize..9,
        ) {
            let text = pieces.concat();
            prop_assert_eq!(read(&text, size, false), read(&text, text.len().max(1), false));
        }
    }
}
