//! English.

use super::{Said, Told, Words, said};
use crate::{language::Language, ledger::Payout, mail::codes::Purpose};

pub(super) struct English;

impl Words for English {
    fn language(&self) -> Language {
        Language::En
    }
    fn greeting(&self, name: &str) -> String {
        match name {
            "" => "Hello,".into(),
            name => format!("Hello {name},"),
        }
    }
    fn closing(&self, store: &str) -> String {
        format!("Your {store} team")
    }
    fn order(&self) -> &'static str {
        "Order"
    }
    fn amount(&self) -> &'static str {
        "Amount"
    }
    fn when(&self) -> &'static str {
        "When"
    }
    fn address(&self) -> &'static str {
        "From"
    }
    fn device(&self) -> &'static str {
        "Device"
    }

    fn code(&self, purpose: Purpose, store: &str, minutes: i64) -> Said {
        let (subject, first) = match purpose {
            Purpose::Register => ("Confirm your address", "type this code to confirm your e-mail address:"),
            Purpose::LogIn => ("Your code", "type this code to sign in:"),
            Purpose::ProveOrder => ("Your code", "type this code to see your order:"),
            Purpose::ResetPassword => ("A new password", "follow this link to set a new password:"),
            Purpose::InviteStaff => ("Join the staff", "follow this link to join the staff:"),
        };
        let once = format!("It works once, for {minutes} minutes. Nobody of {store} will ever ask you for it.");
        said(
            subject,
            &[first],
            &[&once, "If you did not ask for it, you need not do anything."],
        )
    }
    fn known(&self, store: &str) -> Said {
        let first = format!(
            "somebody, perhaps you, wanted to make an account at {store} with this address. It has one already: sign in with your password, with a code by mail, or ask for a new password."
        );
        said(
            "You have an account",
            &[&first],
            &["If it was not you, you need not do anything."],
        )
    }
    fn received(&self, told: &Told<'_>) -> Said {
        said(
            "We have your request",
            &[
                "we have received your request:",
                told.summary,
                "Nothing has been done yet. A person looks at it and you hear from us.",
            ],
            &[],
        )
    }
    fn executed(&self, told: &Told<'_>) -> Said {
        let next = match told.tool {
            "return_items" => {
                "Pack the items well and put the order's number in the parcel. Your refund follows once they have arrived."
            }
            "exchange_items" => {
                "Send the old items back and put the order's number in the parcel. The new ones leave once they have arrived."
            }
            _ => "",
        };
        let (subject, opening) = match told.payout {
            None | Some(Payout::Paid) => ("Done", "your request was approved and carried out:"),
            Some(Payout::Requested | Payout::Failed) => (
                "Your request was approved",
                "your request was approved. The refund has not been paid yet, and you get a mail when it is:",
            ),
        };
        let mut said = said(subject, &[opening, told.summary], &[]);
        said.paragraphs
            .extend(Some(next.to_owned()).filter(|next| !next.is_empty()));
        said
    }
    fn rejected(&self, told: &Told<'_>) -> Said {
        said(
            "Your request was not approved",
            &[
                "we could not approve your request:",
                told.summary,
                told.reason.unwrap_or_default(),
            ],
            &["Answer this mail if you have a question."],
        )
    }
    fn undone(&self, told: &Told<'_>) -> Said {
        said(
            "Your request has ended",
            &[
                "your request could not be carried out, and nothing was done:",
                told.summary,
                "Please ask again.",
            ],
            &[],
        )
    }
    fn audit_head(&self) -> Said {
        said(
            "Keep this mail: the head of your audit",
            &[
                "this is the head of your store's audit chain. Whoever could change the database cannot change this mail:",
            ],
            &["`countersign audit verify STORE --head HEAD` compares the audit with it."],
        )
    }
    fn payment_needed(&self, told: &Told<'_>) -> Said {
        said(
            "Please pay for your change",
            &[
                "your request was approved, and your payment could not be taken without you. Nothing was charged or changed:",
                told.summary,
                "Follow this link and pay within 24 hours. Your request is carried out then:",
            ],
            &[],
        )
    }
    fn refunded(&self, told: &Told<'_>) -> Said {
        said(
            "Your refund has been made",
            &[
                "the refund has been made:",
                told.summary,
                "It shows on your account within a few days.",
            ],
            &[],
        )
    }
    fn refund_failed(&self, told: &Told<'_>) -> Said {
        said(
            "Your refund could not be paid",
            &[
                "the refund could not be paid:",
                told.summary,
                "Our staff has been told and looks after it.",
            ],
            &["Answer this mail if you have a question."],
        )
    }
    fn new_sign_in(&self, store: &str) -> Said {
        let first = format!("somebody signed in to your account at {store} from a place we have not seen before.");
        said(
            "A new sign-in",
            &[
                &first,
                "If it was not you, set a new password: that ends every session.",
            ],
            &[],
        )
    }
    fn budget(&self, scope: &str, period: &str, percent: i64) -> Said {
        let first = format!("{percent} % of the budget of the {scope} ({period}) for the language model is used up.");
        said(
            "Budget",
            &[
                &first,
                "At 100 % shoppers are answered by fixed rules until the period is over or the cap is raised.",
            ],
            &[],
        )
    }
    fn transcript(&self, store: &str) -> Said {
        let first = format!("this is the conversation with {store} that you asked for.");
        said("Your conversation", &[&first], &[])
    }
    fn staff_answer(&self, store: &str) -> Said {
        let first = format!(
            "a person at {store} has answered you. You can go on in the chat, where your conversation is kept:"
        );
        said("You have an answer", &[&first], &[])
    }
    fn people_wait(&self, store: &str, count: i64) -> Said {
        let who = match count {
            1 => "one shopper has asked for a person and waits".to_owned(),
            _ => format!("{count} shoppers have asked for a person and wait"),
        };
        let first = format!("{who} in the chat of {store}. This link shows who waits; the time is that of the first:");
        said(
            "Somebody waits for you",
            &[&first],
            &["It was so when this was written: a colleague may have come since."],
        )
    }
    fn shopper(&self) -> &'static str {
        "You"
    }
}
