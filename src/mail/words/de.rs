//! German.

use super::{Said, Told, Words, said};
use crate::{language::Language, ledger::Payout, mail::codes::Purpose};

pub(super) struct German;

impl Words for German {
    fn language(&self) -> Language {
        Language::De
    }
    fn greeting(&self, name: &str) -> String {
        match name {
            "" => "Guten Tag,".into(),
            name => format!("Guten Tag {name},"),
        }
    }
    fn closing(&self, store: &str) -> String {
        format!("Ihr Team von {store}")
    }
    fn order(&self) -> &'static str {
        "Bestellung"
    }
    fn amount(&self) -> &'static str {
        "Betrag"
    }
    fn when(&self) -> &'static str {
        "Zeitpunkt"
    }
    fn address(&self) -> &'static str {
        "Von"
    }
    fn device(&self) -> &'static str {
        "Gerät"
    }

    fn code(&self, purpose: Purpose, store: &str, minutes: i64) -> Said {
        let (subject, first) = match purpose {
            Purpose::Register => (
                "Adresse bestätigen",
                "mit diesem Code bestätigen Sie Ihre E-Mail-Adresse:",
            ),
            Purpose::LogIn => ("Ihr Code", "mit diesem Code melden Sie sich an:"),
            Purpose::ProveOrder => ("Ihr Code", "mit diesem Code sehen Sie Ihre Bestellung:"),
            Purpose::ResetPassword => ("Neues Passwort", "über diesen Link setzen Sie ein neues Passwort:"),
            Purpose::InviteStaff => ("Einladung ins Team", "über diesen Link treten Sie dem Team bei:"),
        };
        let once = format!("Er gilt einmal, {minutes} Minuten lang. Niemand von {store} wird Sie je danach fragen.");
        said(
            subject,
            &[first],
            &[&once, "Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun."],
        )
    }
    fn known(&self, store: &str) -> Said {
        let first = format!(
            "jemand, vielleicht Sie, wollte bei {store} mit dieser Adresse ein Konto anlegen. Es gibt schon eines: Melden Sie sich mit Ihrem Passwort oder einem Code per Mail an, oder fordern Sie ein neues Passwort an."
        );
        said(
            "Sie haben schon ein Konto",
            &[&first],
            &["Wenn Sie es nicht waren, brauchen Sie nichts zu tun."],
        )
    }
    fn received(&self, told: &Told<'_>) -> Said {
        said(
            "Ihre Anfrage ist da",
            &[
                "wir haben Ihre Anfrage erhalten:",
                told.summary,
                "Es ist noch nichts geschehen. Ein Mensch sieht sie sich an, und Sie hören von uns.",
            ],
            &[],
        )
    }
    fn executed(&self, told: &Told<'_>) -> Said {
        let next = match told.tool {
            "return_items" => {
                "Verpacken Sie die Ware gut und legen Sie die Bestellnummer bei. Die Erstattung folgt, wenn sie angekommen ist."
            }
            "exchange_items" => {
                "Senden Sie die alte Ware zurück und legen Sie die Bestellnummer bei. Die neue geht ab, wenn sie angekommen ist."
            }
            _ => "",
        };
        let (subject, opening) = match told.payout {
            None | Some(Payout::Paid) => ("Erledigt", "Ihre Anfrage wurde genehmigt und ausgeführt:"),
            Some(Payout::Requested | Payout::Failed) => (
                "Ihre Anfrage wurde genehmigt",
                "Ihre Anfrage wurde genehmigt. Die Erstattung ist noch nicht ausgezahlt; Sie bekommen eine E-Mail, sobald sie es ist:",
            ),
        };
        let mut said = said(subject, &[opening, told.summary], &[]);
        said.paragraphs
            .extend(Some(next.to_owned()).filter(|next| !next.is_empty()));
        said
    }
    fn rejected(&self, told: &Told<'_>) -> Said {
        said(
            "Ihre Anfrage wurde nicht genehmigt",
            &[
                "wir konnten Ihre Anfrage nicht genehmigen:",
                told.summary,
                told.reason.unwrap_or_default(),
            ],
            &["Bei Fragen antworten Sie auf diese Mail."],
        )
    }
    fn undone(&self, told: &Told<'_>) -> Said {
        said(
            "Ihre Anfrage ist beendet",
            &[
                "Ihre Anfrage konnte nicht ausgeführt werden, und nichts ist geschehen:",
                told.summary,
                "Bitte fragen Sie noch einmal.",
            ],
            &[],
        )
    }
    fn audit_head(&self) -> Said {
        said(
            "Bitte aufbewahren: der Kopf Ihres Protokolls",
            &[
                "dies ist der Kopf der Protokollkette Ihres Shops. Wer die Datenbank ändern könnte, kann diese Mail nicht ändern:",
            ],
            &["`countersign audit verify STORE --head HEAD` vergleicht das Protokoll damit."],
        )
    }
    fn payment_needed(&self, told: &Told<'_>) -> Said {
        said(
            "Bitte bezahlen Sie Ihre Änderung",
            &[
                "Ihre Anfrage wurde genehmigt, aber Ihre Zahlung war ohne Sie nicht möglich. Es ist nichts abgebucht oder geändert:",
                told.summary,
                "Folgen Sie diesem Link und bezahlen Sie innerhalb von 24 Stunden. Dann wird Ihre Anfrage ausgeführt:",
            ],
            &[],
        )
    }
    fn refunded(&self, told: &Told<'_>) -> Said {
        said(
            "Ihre Erstattung ist ausgezahlt",
            &[
                "die Erstattung ist ausgeführt:",
                told.summary,
                "Sie sehen sie in wenigen Tagen auf Ihrem Konto.",
            ],
            &[],
        )
    }
    fn refund_failed(&self, told: &Told<'_>) -> Said {
        said(
            "Ihre Erstattung konnte nicht ausgezahlt werden",
            &[
                "die Erstattung konnte nicht ausgezahlt werden:",
                told.summary,
                "Unser Team weiß davon und kümmert sich darum.",
            ],
            &["Antworten Sie auf diese E-Mail, wenn Sie eine Frage haben."],
        )
    }
    fn new_sign_in(&self, store: &str) -> Said {
        let first = format!(
            "jemand hat sich von einem Ort, den wir noch nicht kennen, bei Ihrem Konto bei {store} angemeldet."
        );
        said(
            "Eine neue Anmeldung",
            &[
                &first,
                "Wenn Sie es nicht waren, setzen Sie ein neues Passwort: Damit enden alle Sitzungen.",
            ],
            &[],
        )
    }
    fn budget(&self, scope: &str, period: &str, percent: i64) -> Said {
        let first = format!("{percent} % des Budgets ({scope}, {period}) für das Sprachmodell sind verbraucht.");
        said(
            "Budget",
            &[
                &first,
                "Bei 100 % antworten feste Regeln, bis der Zeitraum endet oder die Grenze steigt.",
            ],
            &[],
        )
    }
    fn transcript(&self, store: &str) -> Said {
        let first = format!("das ist das Gespräch mit {store}, um das Sie gebeten haben.");
        said("Ihr Gespräch", &[&first], &[])
    }
    fn staff_answer(&self, store: &str) -> Said {
        let first = format!(
            "ein Mensch bei {store} hat Ihnen geantwortet. Im Chat, wo Ihr Gespräch aufbewahrt ist, können Sie weitersprechen:"
        );
        said("Sie haben eine Antwort", &[&first], &[])
    }
    fn people_wait(&self, store: &str, count: i64) -> Said {
        let who = match count {
            1 => "eine Person möchte mit einem Menschen sprechen und wartet".to_owned(),
            _ => format!("{count} Personen möchten mit einem Menschen sprechen und warten"),
        };
        let first = format!(
            "{who} im Chat von {store}. Der Link zeigt, wer wartet; der Zeitpunkt ist der des ersten Gesprächs:"
        );
        said(
            "Jemand wartet",
            &[&first],
            &["So war es, als diese Mail geschrieben wurde: vielleicht ist inzwischen jemand gekommen."],
        )
    }
    fn shopper(&self) -> &'static str {
        "Sie"
    }
}
