//! Plain text of what shops' platforms send as HTML: descriptions, and names with entities in them.

/// The names of entities that platforms write, and what they stand for.
const NAMED: [(&str, &str); 18] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("deg", "°"),
    ("times", "×"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
];

/// The longest name of an entity, with the digits of a numbered one.
const MAX_ENTITY: usize = 10;

/// The text of a description, on one line of at most 4000 characters.
pub(in crate::integrations) fn description(html: &str) -> String {
    one_line(html).chars().take(4000).collect()
}

/// Text without tags, entities and line breaks. A `<` that begins no tag is a sign of the text: "boxes < 30 g".
pub fn one_line(html: &str) -> String {
    let cleaned = crate::text::clean(&decoded(&without_tags(html)));
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    words.join(" ")
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let begins = tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        match tag.split_once('>').filter(|_| begins) {
            Some((_, after)) => {
                text.push(' ');
                rest = after;
            }
            None => {
                text.push('<');
                rest = tag;
            }
        }
    }
    text.push_str(rest);
    text
}

/// Replaces entities, once: `&amp;lt;` is the text `&lt;`.
fn decoded(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, entity)) = rest.split_once('&') {
        text.push_str(before);
        let end = entity.char_indices().take(MAX_ENTITY).find(|(_, c)| *c == ';');
        match end.and_then(|(end, _)| Some((sign(&entity[..end])?, &entity[end + 1..]))) {
            Some((sign, after)) => {
                text.push_str(&sign);
                rest = after;
            }
            None => {
                text.push('&');
                rest = entity;
            }
        }
    }
    text.push_str(rest);
    text
}

fn sign(entity: &str) -> Option<String> {
    let Some(number) = entity.strip_prefix('#') else {
        let found = NAMED.iter().find(|(name, _)| *name == entity)?;
        return Some(found.1.to_owned());
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_entities_become_text() {
        for (html, expected) in [
            ("<p>A <b>blue</b> mug &amp; saucer</p>\n<br/>", "A blue mug & saucer"),
            ("Size <30g, 30-50g, >70g", "Size <30g, 30-50g, >70g"),
            ("a < b, <unclosed", "a < b, <unclosed"),
            ("Tea &#8211; Earl Grey&#x27;s &nbsp;best", "Tea – Earl Grey's best"),
            (
                "&amp;lt; &bogus; & &#xZZ; &#1114112;",
                "&lt; &bogus; & &#xZZ; &#1114112;",
            ),
            ("Stra\u{202e}ße&#8237;", "Straße"),
            ("&ééééééééééé;", "&ééééééééééé;"),
            ("", ""),
        ] {
            assert_eq!(one_line(html), expected, "{html}");
        }
        assert_eq!(description(&"x".repeat(5000)).len(), 4000);
    }
}
