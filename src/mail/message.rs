//! What mails say. Templates are checked when the crate is compiled.

use askama::Template;

use super::MailError;
use crate::{
    identity::{CodePurpose, MailedCode},
    tenancy::Tenant,
};

/// A mail to one address. Personal: no `Debug`.
pub(super) struct Message {
    pub to: String,
    /// The store's name, as the sender is shown.
    pub from_name: String,
    pub subject: String,
    pub text: String,
}

#[derive(Template)]
#[template(path = "mail/code.txt")]
struct CodeText<'a> {
    store: &'a str,
    what: &'a str,
    code: &'a str,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "mail/link.txt")]
struct LinkText<'a> {
    store: &'a str,
    what: &'a str,
    url: &'a str,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "mail/known.txt")]
struct KnownText<'a> {
    store: &'a str,
}

/// The mail of a code.
pub(super) fn of_code(store: &Tenant, code: &MailedCode, public_url: &str) -> Result<Message, MailError> {
    let (name, minutes) = (store.name.as_str(), code.minutes);
    let digits = |what| {
        CodeText {
            store: name,
            what,
            code: &code.text,
            minutes,
        }
        .render()
    };
    let link = |what, page: &str| {
        LinkText {
            store: name,
            what,
            url: &format!("{public_url}/{page}#{}", code.text),
            minutes,
        }
        .render()
    };
    let (subject, text) = match code.purpose {
        CodePurpose::Register if code.known => ("You have an account", KnownText { store: name }.render()),
        CodePurpose::Register => ("Confirm your address", digits("confirm your e-mail address")),
        CodePurpose::LogIn => ("Your code", digits("sign in")),
        CodePurpose::ProveOrder => ("Your code", digits("see your order")),
        CodePurpose::ResetPassword => ("A new password", link("set a new password", "reset-password")),
        CodePurpose::InviteStaff => ("Join the staff", link("join the staff", "staff/join")),
    };
    Ok(Message {
        to: code.email.clone(),
        from_name: name.to_owned(),
        subject: format!("{name}: {subject}"),
        text: text.map_err(|error| MailError::Unwritable(error.to_string()))?,
    })
}
