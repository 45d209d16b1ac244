//! How English and German say that something was done: tables of words, and the patterns made from them. All of it is folded text.

use std::sync::LazyLock;

use regex::Regex;

/// The kinds of act that a sentence may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Refund,
    Cancel,
    Change,
    Exchange,
    Return,
    Coupon,
    Request,
}

/// The words for one kind of act. Each field is the alternatives of a pattern; an empty one has none.
struct Words {
    kind: Kind,
    /// `I have …`
    did: &'static str,
    /// `I was able to …`
    base: &'static str,
    /// `I am …`
    doing: &'static str,
    /// `Your … has been processed`
    things: &'static str,
    /// `Ich habe es …`
    did_de: &'static str,
    /// `Ich …`, in the past tense.
    past_de: &'static str,
    /// `Ihre … wurde veranlasst`
    things_de: &'static str,
    /// Further patterns that do not fit the fields above.
    others: &'static [&'static str],
    /// The note of this server on such an act.
    note: &'static str,
}

const ACTS: &[Words] = &[
    Words {
        kind: Kind::Refund,
        did: "re-?funded|reimbursed|credited|repaid|revers(?:ed|t) (?:the|your|that|this) (?:charge|payment|transaction|debit)|(?:sent|wired|transferred|deposited|pushed|released|remitted) (?:you )?(?:the |your )?(?:[$€£]?[0-9][0-9.,]*(?: ?(?:[a-z]{3}|dollars?|euros?|pounds?))?|(?:the|your|all) (?:money|funds|amount))|(?:triggered|pushed|put) (?:the|your) re-?fund|waived (?:the|your|any|all)(?: [a-z]+){0,2} (?:fee|fees|cost|costs|charge|charges)|paid (?:you |it |that |everything )?back|(?:sent|returned|transferred|gave|given|got) (?:you )?(?:all )?(?:the|your) money(?: back)?|(?:sent|put|booked|gave|given)(?: [^ ,;:|]+){1,4}? back (?:on|to|onto|into) (?:your|the) (?:card|account)",
        doing: "re-?funding|reversing (?:the|your) (?:charge|payment)|reimbursing|crediting|repaying|paying (?:you |it )?back|(?:issuing|processing|sending|making)(?: [^ ,;:|]+){0,3}? refund",
        past_de: "erstatteten?|ueberwies(?:en)?|zahlten?(?:[^,;:!?|]*?) zurueck",
        base: "re-?fund|reimburse|credit|repay|pay (?:you|it) back",
        things: "re-?fund|reimbursement|repayment",
        did_de: "erstattet|zurueckerstattet|rueckerstattet|gutgeschrieben|(?:zurueck)?ueberwiesen|zurueckgezahlt|zurueckgebucht|ausgezahlt",
        things_de: "rueckerstattung|erstattung|rueckzahlung|gutschrift",
        others: &[
            r"{B}(?:money|funds|amount|cash|[0-9][0-9.,]* ?(?:[a-z]{3}|dollars?|euros?|pounds?))(?: [^ ,;:|]+){0,4}?(?:'s| is| are| has| have| was| were)(?: [a-z]+){0,3}? (?:on (?:its|their|the) way|back (?:on|in|to|with)|heading back|headed back|coming back|going back|sent back|returned|transferred|released)(?-u:\b)",
            r"{B}(?:charge|payment|transaction|debit)(?: [^ ,;:|]+){0,4}? (?:was|were|has been|have been|is now|got) reversed(?-u:\b)",
            r"{B}[0-9][0-9.,]* ?(?:[a-z]{3}|dollars?|euros?|pounds?) (?:was|were|has been|have been|got) (?:deposited|wired|remitted|released)(?-u:\b)",
            r"{B}you (?:now )?have your(?: [^ ,;:|]+){0,4}? back(?-u:\b)",
            r"{B}re-?fund(?: [^ ,;:|]+){0,3}? is with your bank(?-u:\b)",
            r"{B}(?:geld|betrag|summe)(?-u:\b){G}(?-u:\b)(?:geht|kommt|fliesst)(?-u:\b){G} (?:raus|hinaus|zurueck|an sie|auf ihr konto)(?-u:\b)",
            r"{B}(?:buchung|zahlung|abbuchung)(?-u:\b){G}(?-u:\b)(?:wurde|ist)(?-u:\b){G} rueckgaengig gemacht(?-u:\b)",
            r"{B}(?:geld|betrag|[0-9][0-9.,]* ?(?:[a-z]{3}|euro))(?-u:\b){G}(?-u:\b)(?:ist|sind|wurden?)(?-u:\b){G} (?:unterwegs|auf dem (?:rueck)?weg|zurueck)(?-u:\b)",
        ],
        note: r"^refund |and refund [0-9]|\berstatten\b",
    },
    Words {
        kind: Kind::Cancel,
        did: "cancell?ed|called off|voided|(?:stopped|halted|aborted|dropped|killed|withdrawn|withdrew|scrapped) (?:the |your |that |this )?(?:order|purchase|#[a-z0-9-]+)|put a (?:stop|hold) on (?:the |your )?(?:order|purchase)",
        doing: "cancell?ing|calling off|voiding",
        past_de: "stornierten?|annullierten?",
        base: "cancel|call off|void",
        things: "cancell?ation",
        did_de: "storniert|abbestellt|annulliert|gestrichen|(?:auftrag|bestellung) gestoppt",
        things_de: "stornierung|annullierung",
        others: &[],
        note: r"^cancel |\bstornieren\b",
    },
    Words {
        kind: Kind::Change,
        did: "changed|updated|modified|amended|corrected|switched|rerouted|redirected|(?:removed|deleted|taken|took|added)(?: [^ ,;:|]+){0,6}? (?:from|off|to) (?:your|the) (?:order|cart|basket|parcel)|(?:saved|set|stored|recorded|entered)(?: [^ ,;:|]+){0,4}? address",
        doing: "changing|updating|modifying|amending|correcting|switching|rerouting|redirecting",
        past_de: "aenderten?|aktualisierten?|korrigierten?",
        base: "change|update|modify|amend|correct|switch|reroute|redirect",
        things: "change|modification",
        did_de: "geaendert|aktualisiert|umgestellt|angepasst|umgeleitet|korrigiert|(?:aus|von|zu) (?:ihrer|der) bestellung (?:entfernt|geloescht|genommen|hinzugefuegt)",
        things_de: "aenderung|adressaenderung",
        others: &[],
        note: r"^(?:change|send order|pay order) |\baendern\b|\bsenden an\b|\bbezahlen\b",
    },
    Words {
        kind: Kind::Exchange,
        did: "swapped|exchanged|replaced|(?:ordered|sent|shipped|dispatched) (?:you |out )?(?:a|the|your)(?: new)? replacement",
        doing: "swapping|exchanging|replacing",
        past_de: "tauschten?|ersetzten?",
        base: "swap|exchange|replace",
        things: "exchange|replacement|swap",
        did_de: "getauscht|umgetauscht|ausgetauscht|ersetzt",
        things_de: "umtausch|austausch",
        others: &[
            r"{B}replacement(?: [^ ,;:|]+){0,3}?(?:'s| is| are| has| have| was| were)(?: [a-z]+){0,3}? (?:on (?:its|the|their) way|sent|shipped|ordered|dispatched)(?-u:\b)",
        ],
        note: r"^(?:exchange|change) |\bumtauschen\b|\baendern\b",
    },
    Words {
        kind: Kind::Return,
        did: "",
        doing: "",
        past_de: "",
        base: "(?:process|complete|register) (?:the|your) return",
        things: "return",
        did_de: "",
        things_de: "ruecksendung|retoure",
        others: &[],
        note: r"^(?:return|exchange) |\bzuruecksenden\b|\bumtauschen\b",
    },
    Words {
        kind: Kind::Coupon,
        did: "",
        doing: "",
        past_de: "",
        base: "(?:create|issue|send|apply|add) (?:you )?(?:a|the|your) (?:coupon|discount|voucher|gift card)",
        things: "coupon|discount|voucher|store credit|gift card",
        did_de: "",
        things_de: r"gutschein[a-z]*|rabatt[a-z]*",
        others: &[
            r"{B}your(?: new| personal)? (?:coupon|discount|voucher|promo|gift card)(?: code)?(?: is|:| -) ?(?:[a-z]+[0-9]|[0-9]+[a-z])[a-z0-9-]*(?-u:\b)",
            r"{B}ihr(?: neuer| persoenlicher)? (?:gutschein|rabatt)[a-z-]*(?: ist| lautet|:) ?(?:[a-z]+[0-9]|[0-9]+[a-z])[a-z0-9-]*(?-u:\b)",
        ],
        note: r"coupon|gutschein",
    },
    Words {
        kind: Kind::Request,
        did: "(?:processed|completed|approved|granted|fulfilled|carried out|executed)(?: [^ ,;:|]+){1,4}? (?:requests?|order)|completed (?:the|your) [a-z]+|approved (?:the|your) [a-z]+|taken care of|took care of|sorted (?:it|this|that|everything) out",
        doing: "",
        past_de: "",
        base: "take care of (?:it|this|that|your)|process your (?:request|order)",
        things: "",
        did_de: "anfrage (?:[a-z]+ )?(?:bearbeitet|abgeschlossen|genehmigt|ausgefuehrt|erledigt)",
        things_de: "",
        others: &[
            r"{B}requests?(?: [^ ,;:|]+){0,4}?(?:'s| is| are| has| have| was| were)(?: [a-z]+){0,3}? (?:approved|processed|completed|granted|carried out|executed|fulfilled|done)(?-u:\b)",
            r"{B}consider (?:it|this|that)(?: as)? (?:all )?(?:done|sorted|handled|settled)(?-u:\b)",
            r"{B}(?:anfrage|antrag)(?-u:\b){G}(?-u:\b)(?:ist|wurde)(?-u:\b){G} (?:bearbeitet|abgeschlossen|genehmigt|ausgefuehrt|erledigt)(?-u:\b)",
        ],
        note: "",
    },
];

/// Words that may stand between `have` and the verb.
const GAP: &str = "(?:,? (?:just|already|now|also|then|since|indeed|therefore|hereby|today|yesterday|again|both|all|duly|so|been|being|in fact|of course|at last|for you|as requested|as promised|as well|(?:straight|right) away|gone ahead and|went ahead and|gone and|[a-z]+ly)|, [^,;:|]*,){0,6}";
/// The same in German, where most of a sentence may stand in between.
const GAP_DE: &str = "(?:[^,;:!?|]|[0-9],[0-9]|, wie [^,]*,)*?";
/// Verbs that say that a thing, such as a refund, was made.
const MADE: &str = "issued|processed|initiated|completed|made|sent|arranged|executed|finali[sz]ed|authori[sz]ed|approved|triggered|started|created|applied|added|generated|given|gave|granted|confirmed|put through";
const FINISHED: &str = "complete|completed|done|processed|issued|initiated|made|finali[sz]ed|executed|successful|confirmed|approved|granted|triggered|arranged|started|authori[sz]ed|applied|created|in place|all set|paid(?: out)?|released|settled";
const FINISHED_DE: &str = "veranlasst|abgeschlossen|erledigt|bearbeitet|ausgefuehrt|angewiesen|eingeleitet|erfolgt|durchgefuehrt|vorgenommen|bestaetigt|genehmigt|fertig|ausgestellt|erstellt|gewaehrt|ausgeloest|ausgezahlt";
/// Verbs that count only for money and coupons: of other things they would speak of a parcel.
const SENT: &str = "|sent|through|posted|paid out|under ?way|on (?:its|the|their) way";
const SENT_DE: &str = "|geschickt|gesendet|unterwegs|auf dem weg|durch|raus";
/// Where a sentence without a verb may begin: after a list's mark, in a table's cell, behind a comma.
const START: &str = "(?:^[^a-z#]*|[,;:|] |- |(?-u:\\b)(?:and|then|und) )";

/// The forms in which the assistant claims an act as its own. `(?P<now>…)` is a verb in the present, which may also state a rule.
const OWN: &[&str] = &[
    r"{B}i did{GAP} (?:{BASE})(?-u:\b)",
    r"{B}i(?:'ve|'d| have| had| did)?{GAP} (?:{DID})(?-u:\b)",
    r"{B}i(?:'ve| have)?{GAP} (?:managed to|was able to|been able to|proceeded to) (?:{BASE})(?-u:\b)",
    r"{B}i(?:'ve| have)? (?:had|got) (?:it|this|that|your|the)(?: [^ ,;:|]+){0,4}? (?:{DID})(?-u:\b)",
];
const OWN_DE: &[&str] = &[
    r"{B}(?:ich habe?|habe? ich)(?-u:\b){G}(?-u:\b)(?:{DID_DE})(?-u:\b)",
    r"{B}ich(?-u:\b){G}(?-u:\b)(?:{DID_DE}) habe?(?-u:\b)",
];
/// The forms that say that an act is being done right now.
const DOING: &[&str] = &[r"{B}(?:i'm|i am|we're|we are|(?:our|the) (?:team|staff) is){GAP} (?:{DOING})(?-u:\b)"];
const PAST_DE: &[&str] = &[
    r"{B}(?:ich|wir|unser team) (?:{PAST_DE})(?-u:\b)",
    r"{B}(?:{PAST_DE}) (?:ich|wir|unser team)(?-u:\b)",
];
const STATE: &[&str] = &[
    r"{B}(?:we|(?:our|the) (?:team|staff|support|store|shop|manager|colleagues?)|(?:a|my) colleague|some(?:one|body)){GAP} (?:{DID})(?-u:\b)",
    r"(?:{B}(?:has|have|had|was|were|been|being|got)|'ve|(?P<now>'s|'re|{B}(?:is|are))){GAP} (?:{DID})(?-u:\b)",
    r"{START}(?P<now>)(?:all set |all done |done )?(?:your |the )?(?:(?:order|payment|purchase|address|item)(?: #?[a-z]*-?[0-9][a-z0-9-]*)?|#[a-z0-9-]+) ?[:|(>=→-]* ?(?:(?:now|already|successfully|fully) )?(?:{DID})(?-u:\b)",
    r"{START}(?P<now>)(?:(?:just|now|already|successfully|also) )*(?:{DID}) (?:(?:you|your|it|order|the|all|everything)(?-u:\b)|#|[$€£]?[0-9])",
    r"{B}consider (?:it|this|that|them|(?:your|the) [a-z]+)(?: #[a-z0-9-]+)?(?: as)?{GAP} (?:{DID})(?-u:\b)",
];
const STATE_DE: &[&str] = &[
    r"{B}(?P<now>gilt|gelten)(?-u:\b){G}(?-u:\b)als (?:{DID_DE})(?-u:\b)",
    r"{B}(?:haben|hat|hast|wurden?|worden|(?P<now>ist|sind))(?-u:\b){G}(?-u:\b)(?:{DID_DE})(?-u:\b)",
    r"{B}(?:{DID_DE})(?: worden)? (?:wurden?|haben|hat|(?P<now>ist|sind))(?-u:\b)",
    r"{START}(?P<now>)(?:ihre |die )?(?:(?:bestellung|adresse|zahlung)(?: #?[a-z]*-?[0-9][a-z0-9-]*)?|#[a-z0-9-]+) ?[:|(-]* ?(?:{DID_DE})(?-u:\b)",
];
const THINGS: &[&str] = &[
    r"{B}(?:{THINGS})s?(?: [^ ,;:|]+){0,8}?(?:(?P<now>'s| is| are)| was| were| has| have| went| looks){GAP}(?: gone)? (?:{FINISHED})(?-u:\b)",
    r"{START}(?P<now>)(?:(?:your|the|full) ){0,2}(?:{THINGS})(?: (?:of|for|to|on) [^,;:|]*?)? ?[:|-]* ?(?:(?:now|already|successfully|fully) )?(?:(?:{FINISHED})(?-u:\b)|✅|✔|☑)",
];
const THINGS_DE: &[&str] = &[
    r"{B}(?:{THINGS_DE})(?-u:\b){G}(?-u:\b)(?:wurden?|(?P<now>ist|sind))(?-u:\b){G}(?-u:\b)(?:{FINISHED_DE})(?-u:\b)",
    r"{START}(?P<now>)(?:ihre |die |der |ihr )?(?:{THINGS_DE}) ?[:|-]* ?(?:(?:{FINISHED_DE})(?-u:\b)|✅|✔|☑)",
];

/// One form of a claim.
pub(super) struct Form {
    /// None if it does not compile: then every sentence counts as such a claim.
    pub pattern: Option<Regex>,
    /// Whether the assistant says that it did the act itself.
    pub is_own: bool,
}

/// A kind of act with its compiled patterns.
pub(super) struct Act {
    pub kind: Kind,
    pub forms: Vec<Form>,
    pub note: Option<Regex>,
}

impl Words {
    /// Compiles every pattern of the act. English and German are apart, so that an empty field leaves its patterns out.
    fn forms(&self) -> Vec<Form> {
        let either = |left: String, right: String| match (left.is_empty(), right.is_empty()) {
            (true, _) => right,
            (_, true) => left,
            _ => format!("{left}|{right}"),
        };
        let when = |words: &str, pattern: String| if words.is_empty() { String::new() } else { pattern };
        let is_sent = matches!(self.kind, Kind::Refund | Kind::Cancel | Kind::Coupon);
        let finished = format!("{FINISHED}{}", if is_sent { SENT } else { "" });
        let finished_de = format!("{FINISHED_DE}{}", if is_sent { SENT_DE } else { "" });
        let made = format!("(?:{MADE})(?: [^ ,;:|]+){{0,5}}? (?:{})s?", self.things);
        let made_de = format!("(?:{})(?-u:\\b){GAP_DE}(?-u:\\b)(?:{finished_de})", self.things_de);
        let did = either(self.did.to_owned(), when(self.things, made));
        let did_de = either(self.did_de.to_owned(), when(self.things_de, made_de));
        let fill = |pattern: &str| {
            pattern
                .replace("{B}", "(?-u:\\b)")
                .replace("{START}", START)
                .replace("{GAP}", GAP)
                .replace("{G}", GAP_DE)
                .replace("{DID}", &did)
                .replace("{BASE}", self.base)
                .replace("{DOING}", self.doing)
                .replace("{PAST_DE}", self.past_de)
                .replace("{THINGS}", self.things)
                .replace("{FINISHED}", &finished)
                .replace("{DID_DE}", &did_de)
                .replace("{THINGS_DE}", self.things_de)
                .replace("{FINISHED_DE}", &finished_de)
        };
        let tables = [
            (true, OWN, &did[..]),
            (true, DOING, self.doing),
            (true, OWN_DE, &did_de),
            (true, PAST_DE, self.past_de),
            (false, STATE, &did),
            (false, STATE_DE, &did_de),
            (false, THINGS, self.things),
            (false, THINGS_DE, self.things_de),
            (false, self.others, "others"),
        ];
        let filled = tables.iter().filter(|(.., words)| !words.is_empty());
        let form = |&(is_own, pattern): &(bool, &str)| Form {
            pattern: Regex::new(&fill(pattern)).ok(),
            is_own,
        };
        let patterns = filled.flat_map(|(is_own, patterns, _)| patterns.iter().map(|pattern| (*is_own, *pattern)));
        patterns.collect::<Vec<_>>().iter().map(form).collect()
    }
}

/// Every kind of act, compiled once.
pub(super) static ALL: LazyLock<Vec<Act>> = LazyLock::new(|| {
    let act = |words: &Words| Act {
        kind: words.kind,
        forms: words.forms(),
        note: Regex::new(words.note).ok(),
    };
    ACTS.iter().map(act).collect()
});

/// The words without which there is no claim.
pub(super) static KEYWORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?-u:\b)(?:re-?fund|reimburs|revers|wired|deposit|remitt|waiv|stopped|halted|aborted|dropped|killed|withdr|scrapped|ordered|shipped|dispatched|trigger|pushed|put a|gestrichen|gestoppt|buchung|summe|back|on its way|on their way|unterwegs|promo|saved|stored|set |recorded|entered|booked|gave|given|got |put |sending|issuing|making|gilt|gelten|zahlte|tausch|credit|repa[iy]|paid|pay you|pay it|sent|transferred|returned|process|return|cancel|call(?:ed)? off|void|chang|updat|modif|amend|correct|switch|swap|exchang|replac|rerout|redirect|remov|delet|taken|took|take care|add|creat|issu|appl|complet|approv|grant|carried|execut|fulfil|sorted|request|consider|coupon|discount|voucher|store credit|gift card|money|funds|amount|cash|erstatt|zurueck|rueck|gutges|gutschr|ueberwies|ausgez|storn|abbest|annull|geaend|aenderung|adressaend|aktual|umge|umtausch|getau|ausge|austausch|ersetz|angep|korrig|entfernt|geloescht|genommen|hinzugef|aus (?:ihr|d)er bestellung|von (?:ihr|d)er bestellung|zu (?:ihr|d)er bestellung|gutschein|rabatt|retoure|anfrage|antrag|geld|betrag)",
    )
    .ok()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for act in ALL.iter() {
            assert!(
                act.note.is_some() && act.forms.iter().all(|form| form.pattern.is_some()),
                "{:?}",
                act.kind
            );
        }
        assert!(KEYWORD.is_some());
    }
}
