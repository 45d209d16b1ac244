//! The mail to a store's admins when the language model is away.

use chrono::{DateTime, Utc};

use super::{
    Addressed, MailError, Mailer,
    compose::{Sender, WHEN, addressed, letter, staff},
    words::mail_text,
};
use crate::{
    language::{LocalizedText, TextKey},
    tenancy::{Executor, Tx},
};

impl Mailer {
    /// `by_rules`: nobody but the rules answers meanwhile.
    pub(super) async fn model_outage(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        (since, by_rules): (DateTime<Utc>, bool),
        (reason, mend): (&LocalizedText, &LocalizedText),
    ) -> Result<Option<Addressed>, MailError> {
        let admins = staff(tx, &["admin"]).await?;
        let language = sender.language;
        let key = match by_rules {
            true => TextKey("mail-model-outage-rules"),
            false => TextKey("mail-model-outage-second"),
        };
        let values = [
            ("reason", reason.in_language(language).into()),
            ("mend", mend.in_language(language).into()),
        ];
        let mut letter = letter(language, &sender, "", mail_text(key, language, &values));
        letter.facts.push((WHEN.in_language(language), sender.local(since)));
        letter.link = Some(format!("{}/console/doctor", self.public_url));
        Ok(addressed(admins, sender, language, letter))
    }
}
