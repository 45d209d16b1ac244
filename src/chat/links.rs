//! Checks the links in the model's text: each must lead to the store, to a carrier, or to a host that a tool's result links to. Others are
//! removed.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization;

/// Replaces a removed link.
pub(super) const NO_LINK: &str = "[link removed]";

/// The hosts of carriers' tracking pages, each with its subdomains.
const CARRIERS: &[&str] = &[
    "ups.com",
    "usps.com",
    "fedex.com",
    "dhl.com",
    "dhl.de",
    "dpd.com",
    "dpd.de",
    "dpd.co.uk",
    "gls-group.com",
    "gls-group.eu",
    "hermesworld.com",
    "myhermes.de",
    "evri.com",
    "royalmail.com",
    "parcelforce.com",
    "postnl.nl",
    "post.at",
    "post.ch",
    "deutschepost.de",
    "canadapost-postescanada.ca",
    "auspost.com.au",
    "laposte.fr",
    "chronopost.fr",
    "colissimo.fr",
    "correos.es",
    "seur.com",
    "poste.it",
    "bpost.be",
    "posten.no",
    "postnord.com",
    "postnord.se",
    "postnord.dk",
    "inpost.pl",
    "tnt.com",
];

/// File extensions: `a.pdf/b.pdf` is not a host with a path.
const FILES: &[&str] = &[
    "pdf", "jpg", "jpeg", "png", "gif", "webp", "csv", "txt", "html", "docx", "xlsx",
];

/// The forms of a link, each with the group that holds its target; the group `text` is what a reader sees of it.
static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        // [text](target "title"), also where the text was sent before.
        r#"(?:!?\[(?P<text>[^\]]*))?\]\(\s*<?(?P<inline>[^\s<>()]*)>?(?:\s+["'(][^\n]*?["')])?\s*\)?"#,
        // [name]: target
        r"(?P<name>\[[^\]\n]+\]:\s*)<?(?P<reference>[^\s<>]+)>?",
        // scheme://target, also with one slash or backslashes, and schemes that a browser runs as code.
        r#"<?(?P<scheme>(?:[a-z0-9][a-z0-9+.-]*)?:[/\\]+[^\s<>()\[\]"'`]*|https?:[^\s<>()\[\]"'`]+|\b(?:javascript|vbscript|data):[^\s<>()\[\]"'`]+)>?"#,
        // www.host, //host, and host/path.
        r#"(?P<host>\bwww\.[^\s<>()\[\]"'`]+|[/\\]{2}[\p{L}\p{N}-]+\.[^\s<>()\[\]"'`]+|\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]+|[/\\])[^\s<>()\[\]"'`]*|\b(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+(?P<top>\p{L}{2,24})(?::[0-9]+|[/\\]|[?#][\p{L}\p{N}_-]+=)[^\s<>()\[\]"'`]*)"#,
    ];
    Regex::new(&format!("(?i){}", forms.join("|"))).ok()
});

/// Removes every link that is not allowed; none where all are. `known` are exact hosts that are allowed, `own` the store's hosts, each with
/// its subdomains.
pub(super) fn check(text: &str, known: &HashSet<String>, own: &[String]) -> Option<String> {
    let Some(link) = LINK.as_ref() else {
        return Some(NO_LINK.to_owned());
    };
    let text = as_a_browser_reads(text);
    let checked = link.replace_all(&text, |found: &Captures| match may_stay(found, known, own) {
        true => found[0].to_owned(),
        false => instead(found),
    });
    (checked != text).then(|| checked.into_owned())
}

/// The text with letters of other widths and styles, and with dots of other scripts inside a word of ASCII, as browsers read them in an
/// address (UTS 46).
fn as_a_browser_reads(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let letters: Vec<char> = text.chars().map(narrow).collect();
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| letters.get(at))
            .is_some_and(char::is_ascii_alphanumeric)
    };
    let read = |(at, c): (usize, &char)| match c {
        '。' | '｡' if is_letter(at.checked_sub(1)) && is_letter(Some(at + 1)) => '.',
        other => *other,
    };
    letters.iter().enumerate().map(read).collect::<String>().into()
}

/// The sign of ASCII that browsers read in an address for another one: full-width, bold and circled letters, the one dot leader.
fn narrow(c: char) -> char {
    let mut plain = std::iter::once(c).nfkc();
    match (plain.next(), plain.next()) {
        (Some(plain), None) if plain.is_ascii_graphic() => plain,
        _ => c,
    }
}

/// Where an incomplete link may begin in a text.
pub(super) fn begins(text: &str) -> Option<usize> {
    static BEGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)[\[<]|\](?:\(|$)|:[/\\]|[/\\]{2}|www\.|(?:javascript|vbscript|data|https?):").ok()
    });
    match BEGINS.as_ref() {
        // It begins where the word begins; the pattern may have matched the middle of it.
        Some(begins) => begins.find(text).map(|found| {
            let word = text[..found.start()].rfind(char::is_whitespace);
            word.map_or(0, |at| text.ceil_char_boundary(at + 1))
        }),
        None => Some(0),
    }
}

/// The hosts of the links in a tool's result.
pub(super) fn hosts_in(text: &str) -> impl Iterator<Item = String> {
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"(?i)https?://[^\s<>()\[\]"'`\\]+"#).ok());
    let found = ADDRESS.iter().flat_map(move |address| address.find_iter(text));
    found.filter_map(|found| host(found.as_str()))
}

fn may_stay(found: &Captures, known: &HashSet<String>, own: &[String]) -> bool {
    let group = |name| found.name(name).map(|group| group.as_str());
    let may_lead = |address: &str| host(address).is_some_and(|host| is_known(&host, known, own));
    match (group("inline").or(group("reference")), group("scheme"), group("host")) {
        (Some(target), ..) => stays_here(target) || may_lead(&whole(target)),
        (_, Some(address), _) => may_lead(address),
        (.., Some(address)) => {
            let is_file = group("top").is_some_and(|top| FILES.iter().any(|file| top.eq_ignore_ascii_case(file)));
            is_file || may_lead(&whole(address))
        }
        _ => false,
    }
}

fn instead(found: &Captures) -> String {
    match (found.name("text"), found.name("name"), found.name("inline")) {
        (Some(text), ..) => format!("{} {NO_LINK}", text.as_str()),
        (_, Some(name), _) => format!("{}{NO_LINK}", name.as_str()),
        (.., Some(_)) => format!("] {NO_LINK}"),
        _ => NO_LINK.to_owned(),
    }
}

/// Whether the target is a page of the site that shows the answer, an anchor, or a mail address, which is checked elsewhere.
fn stays_here(target: &str) -> bool {
    let page = target
        .strip_prefix('/')
        .is_some_and(|rest| !rest.starts_with(['/', '\\']));
    page && !target.contains(is_dropped)
        || target.starts_with('#')
        || target.is_empty()
        // An address in percent signs is not seen by the check of addresses.
        || target.strip_prefix("mailto:").is_some_and(|address| !address.contains('%'))
}

/// Characters that browsers leave out of an address: `/<tab>/evil.example` leads to another host.
fn is_dropped(c: char) -> bool {
    c.is_control() || c == '\\'
}

/// The address with a scheme added where it has none, as a client would do.
fn whole(target: &str) -> String {
    match target.contains(':') && !target.contains('.') || target.contains(":/") || target.contains(":\\") {
        true => target.to_owned(),
        false => format!("https://{}", target.trim_start_matches(['/', '\\'])),
    }
}

/// The host of a web address in lower case; none where there is none, or where the address has a user name.
fn host(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    let host = url.host_str().filter(|_| is_web)?;
    Some(host.trim_end_matches('.').to_lowercase())
}

fn is_known(host: &str, known: &HashSet<String>, own: &[String]) -> bool {
    let below = |of: &str| host == of || host.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
    known.contains(host) || CARRIERS.iter().any(|carrier| below(carrier)) || own.iter().any(|own| below(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_store_a_carrier_or_where_a_tool_leads() {
        let own = ["shop.example".to_owned()];
        let known = hosts_in(r#"{"picture":"https://cdn.example/mug.webp","page":"https://cdn.shop.com/x"}"#).collect();
        for said in [
            "See https://shop.example/returns.",
            "See https://www.shop.example/returns.",
            "See shop.example/returns, or [there](shop.example/returns).",
            "[Returns](/returns) and [below](#below)",
            "[Write](mailto:help@shop.example)",
            "Track it at https://www.dhl.com/track?id=1",
            "https://cdn.example/mug.webp",
            "e.g. shirts/trousers at 10.00/unit, i.e. 5 EUR/kg, and/or order.pdf",
            "Open 24/7, z.B. S/M/L. Size 10/12.5 (w/o box): see a.pdf/b.pdf",
            "Your data: name and address. Note: it is/was 1.5/2.5 m",
            "One [note] and a < b > c",
            "你好。世界 1.5.2.1 and v1.2.3.4",
        ] {
            assert_eq!(check(said, &known, &own), None, "{said}");
        }
        for (said, delivered) in [
            ("See https://evil.example/pay now.", "See [link removed] now."),
            ("See HTTPS://evil.example", "See [link removed]"),
            ("See https:/evil.example", "See [link removed]"),
            ("See https:\\\\evil.example", "See [link removed]"),
            ("See https:evil.example", "See [link removed]"),
            ("See ://evil.example", "See [link removed]"),
            ("See //evil.example/pay", "See [link removed]"),
            ("See evil.example/pay now", "See [link removed] now"),
            ("See evil.example:8080 now", "See [link removed] now"),
            ("See evil.example?pay=1", "See [link removed]"),
            ("See https://shop.example.evil.test/", "See [link removed]"),
            ("See https://shop.example@evil.test/", "See [link removed]"),
            ("See https://cdn.shop.co/x", "See [link removed]"),
            ("See https://a.cdn.shop.com/x", "See [link removed]"),
            ("[Pay here](https://evil.example/pay)", "Pay here [link removed]"),
            (
                "[Pay here](https://evil.example/pay \"Safe\") now",
                "Pay here [link removed] now",
            ),
            ("[Pay](//evil.example)", "Pay [link removed]"),
            ("[Pay](/\\evil.example)", "Pay [link removed]"),
            ("[Pay](evil.example/pay)", "Pay [link removed]"),
            ("[Pay](evil.example:8080)", "Pay [link removed]"),
            ("[Pay](<https://evil.example>)", "Pay [link removed]"),
            ("[Pay](javascript:alert)", "Pay [link removed]"),
            ("Now](evil.example)", "Now] [link removed]"),
            ("<https://evil.example>", "[link removed]"),
            ("[Pay][1]\n[1]: https://evil.example", "[Pay][1]\n[1]: [link removed]"),
            ("[1]: //evil.example", "[1]: [link removed]"),
            ("![x](https://evil.example/a.png)", "x [link removed]"),
            ("Go to www.evil.example", "Go to [link removed]"),
            ("javascript:alert(1)", "[link removed](1)"),
            ("See https://notdhl.com/", "See [link removed]"),
            ("See ftp://shop.example/", "See [link removed]"),
            ("[Write](mailto:refunds%40evil.example)", "Write [link removed]"),
            ("Pay at evil。example/pay", "Pay at [link removed]"),
            ("Pay at ｅｖｉｌ.example/pay", "Pay at [link removed]"),
            ("Pay at evil．example/pay", "Pay at [link removed]"),
            ("Pay at 𝐞𝐯𝐢𝐥.example/pay", "Pay at [link removed]"),
            ("Pay at evil\u{2024}example/pay", "Pay at [link removed]"),
            ("Pay at 203.0.113.9/pay", "Pay at [link removed]"),
            ("Pay at evil.example\\pay", "Pay at [link removed]"),
        ] {
            assert_eq!(check(said, &known, &own).as_deref(), Some(delivered), "{said}");
        }
    }
}
