//! The words by which the rules know what is meant. English and German stand side by side: none means something else in the other language.
//! All are read in the form of `clauses::read`: small letters, umlauts as two letters, straight apostrophes.

use std::sync::LazyLock;

use regex::Regex;

pub(super) type Pattern = LazyLock<Option<Regex>>;

pub(super) fn has(pattern: &Pattern, words: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(words))
}

macro_rules! patterns {
    ($($(#[doc = $doc:literal])+ $name:ident = $pattern:expr;)+) => {
        $($(#[doc = $doc])+ pub(super) static $name: Pattern = LazyLock::new(|| Regex::new($pattern).ok());)+
        /// Each pattern, for the test that all can be read.
        #[cfg(test)]
        static EVERY: &[&Pattern] = &[$(&$name),+];
    };
}

patterns! {
    /// What a message or clause may open with before it says anything.
    OPENING = r"^(?:(?:hi|hello|hey|hallo|moin|servus|good (?:morning|afternoon|evening|day)|guten (?:tag|morgen|abend)|gruess (?:gott|dich)|dear (?:team|sir|madam|all)|sehr geehrte\w*(?: damen und herren)?|liebes? team|there|ok|okay|well|also|so|and|und|then|dann|oh|um|now|just|jetzt|sorry|excuse me|entschuldigung|entschuldigen sie|thanks|thank you|danke|yes|ja)\b[ ,.!]*)+";
    /// A message that greets or thanks, and asks for nothing.
    GREETING = r"^(?:(?:hi|hello|hey|hallo|moin|servus|good (?:morning|afternoon|evening|day)|guten (?:tag|morgen|abend)|gruess (?:gott|dich)|there|thanks?|thank you|thx|danke|vielen dank|dankeschoen|so much|very much|schoen|sehr|help|hilfe|start|menu|menue|bye|tschuess)[ ,.!?]*)+$";
    /// Something is denied.
    NEGATION = r"\b(?:not|never|cannot|dont|doesnt|didnt|wont|cant|isnt|wouldnt|couldnt|without|neither|nor|nicht|nie|niemals|kein[a-z]*|ohne|weder)\b|n't\b|\bno (?:return|refund|exchange|cancell?ation|person|human|agent|longer|need)";
    /// A clause that only supposes.
    SUPPOSES = r"^(?:if|unless|whether|wenn|falls|ob|dass|that|in case|suppose|angenommen)\b";
    /// A clause that asks about facts, and asks for nothing to be done.
    ASKS = r"^(?:what|how|when|where|who|whom|why|which|has|have|had|hasn't|haven't|is|isn't|are|aren't|was|were|did|didn't|does|doesn't|do|don't you|will|would|should|shall|what's|how's|when's|where's|who's|wheres|whats|was|wie|wann|wo|wohin|woher|warum|wieso|weshalb|wer|wem|welche[a-z]*|wieviel|hat|habt|haben|habe|hatte|ist|sind|seid|wurde[a-z]*|war|waren|wird|werden|soll|sollte|muss ich|gibt|in welche[a-z]*|an wen|an welche[a-z]*|bis wann|ab wann|auf welche[a-z]*)\b";

    /// To send goods back: the act.
    RETURN = r"\b(?:return(?:ing)?|(?:send|give|bring|ship|mail|hand|take)(?:ing)? (?:[^ ]+ ){0,7}?back|zurueck ?(?:zu)?(?:geben|senden|schicken|bringen)|zurueckzu(?:geben|senden|schicken|bringen)|retournieren|ruecksenden|zuruckgeben|zuruckschicken|zurucksenden)\b|\b(?:gebe|sende|schicke|bringe|geb|schick)\b.*\bzurueck\b";
    /// To send goods back: the procedure.
    START_RETURN = r"\b(?:start|open|request|begin|make|initiate|file|arrange|register|create|set up|submit|process|schedule|want|need|like) (?:a |an |my |the |to (?:start|make|request) a )?returns?\b|^(?:a )?return (?:for|of|please|request)\b|\b(?:ruecksendung|rueckgabe|retoure|ruecknahme) (?:[^ ]+ ){0,6}?(?:anmelden|starten|beantragen|einleiten|veranlassen|machen|anstossen|anfordern|ausloesen)\b|\b(?:moechte|will|brauche|beantrage|haette gern[a-z]*|wuensche)\b.*\b(?:ruecksendung|retoure|rueckgabe)$|^(?:eine )?(?:ruecksendung|retoure|rueckgabe)(?: (?:bitte|fuer|von|zu|der|des)\b|$)";
    /// What makes an act a wish: before it, or by its form.
    WISHES = r"\b(?:(?:want|like|wish|need|have|love|going|wanting|planning|plan|decided|trying|prefer|hope|looking) (?:[^ ]+ ){0,2}?to|gonna|wanna|wanna|please|let me|lemme|i'll|ill|i will|i'm|im|i am|(?:can|could|may|might) (?:i|we|you)|can't i just|rather|help me|moechte[a-z]*|moecht|will|wollen|wuerde[a-z]*|wuerd|muss|mag|kann|koennte[a-z]*|koennen|darf|duerfte|bitte|gerne?|hiermit|wuensche|beabsichtige|helfen sie mir)\b";
    /// An act at the very beginning is a wish too.
    IMPERATIVE = r"^(?:please |bitte |kindly )?(?:return|send (?:[^ ]+ ){0,7}?back|give (?:[^ ]+ ){0,7}?back|take (?:[^ ]+ ){0,7}?back)\b";
    /// German says the act alone, at the end: "Bestellung 1002 zurückgeben".
    INFINITIVE = r"(?:zurueck ?(?:geben|senden|schicken|bringen)|retournieren|ruecksenden|zuruckgeben|zuruckschicken|zurucksenden)(?: bitte)?$|^(?:ich )?(?:gebe|sende|schicke|bringe|geb|schick)\b.*\bzurueck";
    /// A verb or pronoun that makes a German clause more than an infinitive.
    FINITE = r"\b(?:ich|er|es|sie|wir|man|hat|habe|ist|wurde|werden|koennen|muessen|sollte|soll|wie|wann|wo|was|ob)\b";
    /// "Return" as something else than sending goods back.
    OTHER_RETURN = r"\breturn (?:status|state|parcel|package|request)\b|\breturn to (?:your|the|my|a|this|our) ?(?:shop|store|site|website|page|chat|menu|start|list)|\breturn(?:ing)? (?:me )?(?:my|the|a|your|this|his|her)? ?(?:call|calls|e-?mails?|message|messages|favou?r|money|payment|flight|ticket|customer|trip)\b|\bin return\b|\breturn (?:to|from) (?:sender|work|school|home)\b|\breturns? (?:key|of investment)\b|\b(?:come|came|get|call|write|report) (?:[^ ]+ )?back\b|\bgeld\b.*\bzurueck|\bzurueck(?:rufen|schreiben|melden)";
    /// How returns work: for the help articles.
    RETURN_RULES = r"\breturns? (?:address|polic|label|window|period|deadline|cost|fee|shipping|postage|slip|form|condition|instruction|process|procedure|portal|rule|department|center|centre|time|warehouse|right)|\b(?:ruecksende|rueckgabe|ruecksendungs|retouren|ruecknahme)-?(?:adress|frist|recht|beding|richtlinie|kost|etikett|label|schein|formular|zeit|anschrift|portal|regel|stelle)|\bwiderruf|\b(?:free|kostenlose[a-z]*) (?:returns?|retouren?|ruecksendung)|\bumtauschrecht|^returns$|\breturns\b.*\bfree\b";
    /// A return is to be called off.
    CANCEL_RETURN = r"\b(?:cancel|stop|undo|withdraw|call off|abbrechen|stornieren|zurueckziehen)\b.*\b(?:returns?|ruecksendung|retoure|rueckgabe)\b|\b(?:ruecksendung|retoure|rueckgabe)\b.*\b(?:abbrechen|stornieren|zurueckziehen)\b";
    /// A return that is under way or over.
    RETURN_STATE = r"\breturned\b|\bmy returns?\b|\b(?:the|our|that|this) return\b|\breturns? (?:status|state|parcel|package|request)|\bstatus of (?:my|the|a) return|\b(?:sent|gave|given|brought|shipped|mailed) (?:[^ ]+ ){0,6}?back\b|\bsent back\b|\bzurueck ?ge(?:schickt|sandt|sendet|geben|bracht|gangen|kommen)|\bretournierte?[nsrm]?\b|\b(?:mein[a-z]*|unser[a-z]*|d(?:ie|er)) (?:ruecksendung|retoure|rueckgabe|ruecksendepaket)\b|\b(?:ruecksendung|retoure|rueckgabe)\b.*\b(?:angekommen|eingetroffen|erhalten|status|da|bearbeitet|unterwegs|eingegangen)\b|\bstatus (?:der|meiner) (?:ruecksendung|retoure|rueckgabe)";
    /// Money back.
    REFUND = r"\b(?:refund[a-z]*|money back|paid back|pay me back|repaid|reimburs[a-z]*|credited|chargeback|return(?:ing)? (?:me )?(?:my|the) (?:money|payment)|erstatt[a-z]*|rueckerstatt[a-z]*|zurueckerstatt[a-z]*|gutschrift|gutgeschrieben|rueckzahlung|zurueckgezahlt|zurueckbezahlt)\b|\b(?:mein |das )?geld\b.*\bzurueck|\bwhere(?:'s| is) (?:my|the) money|\bwo (?:ist|bleibt) mein geld";
    /// Orders are to be changed in a way that no rule can.
    CHANGE = r"\b(?:cancel|cancelling|canceling|cancellation|storno|stornier(?:en|e|t|ung)|stornierungen|exchange|swap|umtausch(?:en|e)?|umzutauschen|tauschen|eintauschen)\b|\b(?:change|update|modify|correct|edit|amend|replace|add|remove|aendern|aendere|korrigieren|ersetzen|hinzufuegen|entfernen|umleiten|redirect)\b.*\b(?:orders?|address|adresse|bestellung|items?|size|groesse|colou?r|farbe|payment|zahlung[a-z]*|lieferadresse|anschrift|quantity|menge|artikel|name)\b|\b(?:orders?|address|adresse|bestellung|lieferadresse|anschrift|zahlungsart)\b.*\b(?:aendern|korrigieren|changed|updated)\b|\b(?:wrong|falsche?[nrs]?) (?:size|address|item|colou?r|groesse|adresse|artikel|farbe)\b";
    /// Orders and parcels.
    ORDERS = r"\b(?:orders?|ordered|parcels?|packages?|deliver(?:y|ies|ed)?|shipments?|shipped|tracking|track|purchases?|bought|bestellung(?:en)?|bestellt[a-z]*|bestellstatus|auftrag|auftraege|paket[a-z]*|paeckchen|lieferung(?:en)?|geliefert|sendung(?:en)?|sendungs[a-z]+|sendungsverfolgung|unterwegs|zustellung|zugestellt|gekauft|lieferstatus|versendet|verschickt|versandt)\b|\bwhere(?:'s| is|s) (?:it|my stuff|my things?|everything)\b|\bhas it (?:arrived|shipped|been)\b|\b(?:when|will) (?:will )?(?:it|they) (?:arrive|come|get here|be here)\b|\bwo (?:ist|bleibt|sind) (?:sie|es|das|er|meine?[a-z]*|die)\b|\bwann (?:kommt|kommen) (?:sie|es|das|er|meine?[a-z]*)\b|\b(?:angekommen|order status)\b";
    /// A question about orders in general, and not about one's own.
    IN_GENERAL = r"^(?:how (?:long|much|fast|quickly|often|do|does|can|are|is)|what (?:are|is|does|do|happens|if|payment|kind|types?)|do you|can i|can you|could i|which|when (?:do|does|can) |is there|are there|is it|may i|wie (?:lange|viel|teuer|schnell|hoch|oft|kann|bezahle|zahle|funktioniert|laeuft|geht|bestelle)|was (?:kostet|kosten|passiert|ist|sind)|ab (?:wann|welche[a-z]*)|liefern sie|versenden sie|liefert ihr|kann (?:ich|man)|koennen sie|darf (?:ich|man)|muss (?:ich|man)|welche[a-z]*|gibt es|wohin|bieten sie|is shipping|are returns)\b";
    /// One's own.
    MINE = r"\b(?:my|mine|our|i|it|meine?[a-z]*|unsere?[a-z]*|ich|mir)\b";
    /// A thing of one's own.
    OWN = r"\b(?:my|our|mein|meine[a-z]*|unser[a-z]*)\b";
    /// Anything about sending goods back.
    RETURN_WORD = r"\breturn|\bsend(?:ing)? (?:[^ ]+ ){0,7}?back\b|\bruecksend|\bretour|\brueckgabe|\bzurueck ?(?:zu)?(?:geben|senden|schicken)|\bzuruck(?:geben|schicken)";
    /// A possession that is an order, rather than an account or a question of taste.
    MY_ORDER = r"\b(?:my|our|meine?[a-z]*|unsere?[a-z]*) (?:[a-z]+ )?(?:orders?|parcels?|packages?|delivery|deliveries|shipments?|stuff|purchases?|refund|money|bestellung(?:en)?|pakete?s?|lieferung|sendung|erstattung|geld)\b|\bi (?:ordered|bought)\b|\b(?:habe ich|ich habe) (?:[^ ]+ ){0,4}?(?:bestellt|gekauft)\b|\bit (?:arrive|come|be delivered)";
    /// One's account.
    PROFILE = r"\b(?:my (?:[a-z]+ )?(?:profile|address|e-?mail|payment|account|gift ?card|data|details|name)|gift ?card|mein (?:profil|konto|name|kundenkonto|guthaben)|meine (?:adresse|e-?mail|daten|zahlung[a-z]*|anschrift|lieferadresse|karte|mail[a-z]*)|geschenkkarte|gutscheinguthaben|what do you know about me|welche daten)\b";
    /// What comes before goods; they follow.
    GOODS = r"\b(?:do you (?:have|sell|carry|stock|offer)|have you got|got any|looking for|search(?:ing)? for|price of|cost of|how much (?:is|are|does|do)|in stock:|show me|find me|i need a|available:|buy|haben sie|habt ihr|verkaufen sie|verkauft ihr|fuehren sie|ich suche|suche nach|suchen nach|suche|was kostet|was kosten|wie viel kostet|wieviel kostet|wie teuer (?:ist|sind)|preis von|preis der|preis des|zeigen sie mir|zeig mir|gibt es|kaufen)\b";
    /// What stands behind such words and is no goods.
    NOT_GOODS = r"^ ?(?:an? |the |any |your |my |hier |auch |here |die |der |das |eine? |einen |ihre? )*(?:time|idea|minute|moment|person|human|agent|phone|number|store|shop|location|branch|newsletter|discount|offer|warranty|question|problem|help|shipping|delivery|return|refund|policy|hours|opening|job|office|zeit|moment|minute|filiale|laden|geschaeft|newsletter|rabatt|angebot|garantie|frage|problem|hilfe|versand|lieferung|ruecksendung|oeffnungszeiten|telefon|nummer|mitarbeiter|mensch|express|gutschein|jemand|way|moeglichkeit)";
    /// Subjects of help articles.
    HELP_SUBJECTS = r"\b(?:shipping|postage|delivery (?:times?|costs?|options?|fees?|areas?)|opening (?:hours|times)|business hours|payment (?:methods?|options?)|warranty|guarantee|polic(?:y|ies)|terms|newsletter|discounts?|vouchers?|imprint|privacy|care (?:instructions?|guide)|size (?:guide|chart)|contact|versand(?:kosten|zeit|art|arten|dauer)?|lieferzeit(?:en)?|lieferkosten|oeffnungszeiten|zahlungsarten|zahlungsmoeglichkeiten|zahlungsmethoden|garantie|gewaehrleistung|agb|impressum|datenschutz|pflege(?:hinweise|anleitung)?|groessentabelle|kontakt|rabatt[a-z]*|gutschein[a-z]*|filialen?|porto)\b";

    /// A wish for a person: with a verb of speaking.
    SPEAK_TO_PERSON = r"\b(?:talk|speak|chat|connect (?:me|us)|transfer (?:me|us)|put (?:me|us) (?:through|in touch|in contact)|get (?:me |us )?(?:in touch|in contact|hold|through)|hand (?:me|this|it) over|pass (?:me|this) on|escalate(?: this)?|forward (?:me|this)|redirect me|route me|switch me|talking|speaking|chatting) (?:[a-z']+ ){0,3}?(?:to|with|of) (?:(?:a|an|the|your|some|one of your|any|another|real|live|actual|human|proper|someone|somebody|from|customer|service|support|sales|member|of|in) )*(?:person|people|humans?|human being|agents?|representatives?|reps?|operators?|someone|somebody|anyone|staff|employees?|advis[eo]rs?|support|service|team|manager|supervisor|colleague|assistant manager|customer care|consultant)\b";
    /// A wish for a person: to have one.
    WANT_PERSON = r"\b(?:want|need|would like|i'd like|get me|give me|prefer|bring me|find me|request|require|call|fetch) (?:(?:a|an|the|some|your|to have|to get|real|live|actual|human|proper|another|customer|service|support) )*(?:person|human(?: being)?|agent|representative|rep|operator|advisor|adviser|employee|supervisor|manager|someone real|real someone|staff member|member of staff|human help|human support)(?:$| (?:please|now|to|who|here|instead|on the|asap|immediately|not|and|right)\b)";
    /// A wish for a person: that one acts.
    PERSON_ACTS = r"\b(?:can|could|may|let|have|get|is there|are there)(?: there)?(?: be)? (?:(?:a|an|any|some|real|human|live|one of your|your) )*(?:person|human|agent|representative|staff(?: member)?|employee|colleague)s? (?:from [a-z ]+)?(?:i |we |who |that |to )?(?:can |could |may )?(?:i )?(?:help|call|answer me|take over|contact|talk|speak|chat|assist|take care|look into)\b|\b(?:can|could|may) (?:someone|somebody|anyone|anybody) (?:from [a-z ]+)?(?:please )?(?:call|contact|phone|ring) (?:me|us)\b|\b(?:someone|somebody|anyone|anybody) (?:real )?(?:i |we )(?:can|could|may) (?:talk|speak|chat)\b";
    /// The same in German.
    PERSON_DE = r"\b(?:sprechen|reden|chatten|telefonieren|verbinden|verbinde|verbindet|verbunden werden|weiterleiten|durchstellen|durchgestellt|sprech|sprich|spreche|rede)\b.*\b(?:ein(?:e[mnr]?)?|den|dem|der|ihre[mnr]?|eure[mnr]?|echte[mnr]?|richtige[mnr]?|menschliche[mnr]?|lebende[mnr]?|andere[mnr]?|vom|von|aus|mit|zu|zum|an|um) (?:[a-z]+ )?(?:mensch(?:en)?|mitarbeiter(?:in|innen|n|s)?|berater(?:in|n)?|kundenberater(?:in|n)?|kundenbetreuer(?:in|n)?|kundenservice|kundendienst|service-?mitarbeiter(?:in|n)?|support|person|personal|ansprechpartner(?:in|n)?|jemand(?:en|em)?|vorgesetzten?|chef|kolleg(?:e|en|in)|agenten?)\b|\b(?:(?:ein(?:e[mnr]?)?|den|dem|der|ihre[mnr]?|eure[mnr]?|echte[mnr]?|richtige[mnr]?|menschliche[mnr]?|lebende[mnr]?|andere[mnr]?|vom|von|aus|mit|zu|zum|an|um) (?:[a-z]+ )?|jetzt |bitte |gern[e]? |^)(?:mensch(?:en)?|mitarbeiter(?:in|innen|n|s)?|berater(?:in|n)?|kundenberater(?:in|n)?|kundenbetreuer(?:in|n)?|kundenservice|kundendienst|service-?mitarbeiter(?:in|n)?|support|person|personal|ansprechpartner(?:in|n)?|jemand(?:en|em)?|vorgesetzten?|chef|kolleg(?:e|en|in)|agenten?)\b.*\b(?:sprechen|reden|chatten|telefonieren|verbinden|verbunden werden|weiterleiten|durchstellen|durchgestellt)\b|\b(?:jemand|jemanden|jemandem) (?:[a-z]+ )?(?:sprechen|reden|chatten)\b|\b(?:brauche|brauch|moechte|will|wuensche|verlange|haette gern[e]?|bitte um|geben sie mir|gib mir|holen sie|hol|rufen sie|bitte|lieber) (?:(?:ich|mir|bitte|jetzt|sofort|nur|endlich|einfach|gern[e]?|hilfe|lieber|kontakt) )*(?:(?:ein(?:e[mnr]?)?|den|dem|der|ihre[mnr]?|eure[mnr]?|echte[mnr]?|richtige[mnr]?|menschliche[mnr]?|lebende[mnr]?|andere[mnr]?|vom|von|aus|mit|zu|zum|an|um) )*(?:mensch(?:en)?|mitarbeiter(?:in|n)?|berater(?:in|n)?|kundenbetreuer(?:in|n)?|kundenservice|kundendienst|person|ansprechpartner(?:in|n)?|vorgesetzten?|chef)(?:$| (?:bitte|jetzt|sofort|hier|haben|und|der|die|holen)\b)|\b(?:kann|koennte|soll|darf) (?:(?:mir|mich|bitte|hier|das|sich) )*(?:ein(?:e|er)? )(?:[a-z]+ )?(?:mensch|mitarbeiter(?:in)?|berater(?:in)?|person)\b.*\b(?:helfen|uebernehmen|anrufen|antworten|kuemmern)|\bkann (?:mich|uns) (?:bitte )?jemand (?:bitte )?(?:anrufen|zurueckrufen|kontaktieren)\b";
    /// Nothing but the word.
    PERSON_ALONE = r"^(?:(?:a|an|the|real|live|human|to|please|bitte|einen?|ein|echte[nrm]?|richtige[nrm]?|speak to|talk to|now|jetzt|sofort|nur|mit|get|customer|no bot|kein bot) ?)*(?:person|human|human being|agent|operator|representative|live chat|staff|mensch|menschen|mitarbeiter|mitarbeiterin|mitarbeitern|kundenservice|kundendienst|berater|beraterin|ansprechpartner|customer service|customer support|support agent|person bitte)(?: (?:please|now|bitte|jetzt|sofort|asap|here))*$";
    /// A question about who is there, which is no wish.
    WHO_IS_THERE = r"\b(?:are|r) (?:you|u) (?:[a-z]+ ){0,3}?(?:person|human|bot|robot|real|machine|ai|people)\b|\b(?:is|am|was) (?:this|that|it|i|there|a|an|any|some|somebody|someone|anyone|anybody)\b.*\b(?:person|human|bot|robot|agent|staff|people|reading|somebody|someone|anyone|anybody|there)\b|\b(?:does|do|did|will|has) (?:a|an|any|your|some)? ?(?:real )?(?:person|human|people|agents?|staff|anybody|anyone|somebody|someone)\b|\bwho (?:is|am|are|reads|answers|writes)\b|\b(?:bist du|sind sie|ist das|ist da|ist dort|spreche ich|rede ich|schreibe ich|chatte ich|liest|antwortet|sitzt|bin ich)\b.*\b(?:mensch[a-z]*|person|bot|roboter|maschine|mitarbeiter[a-z]*|jemand|echt|wer|ki)\b|\bgibt es\b.*\b(?:mensch[a-z]*|mitarbeiter[a-z]*)|\bwer (?:liest|antwortet|schreibt|ist|bist|sind)\b";
    /// Talk of a person that wants none now: it was, or why.
    PERSON_TALK = r"^(?:why|warum|wieso|weshalb)\b|\b(?:talked|spoke|spoken|chatted|was talking|have to (?:talk|speak)|had to (?:talk|speak)|gesprochen|geredet|telefoniert)\b|\b(?:did|do|does) (?:i|you|we) (?:talk|speak|have to)\b";
}

/// Words of a plain yes. One of the first row has to be there.
pub(super) const YES: [&str; 22] = [
    "yes",
    "yep",
    "yeah",
    "yup",
    "yess",
    "sure",
    "ok",
    "okay",
    "y",
    "ja",
    "jap",
    "jo",
    "jawohl",
    "klar",
    "genau",
    "gerne",
    "gern",
    "absolutely",
    "definitely",
    "correct",
    "exactly",
    "natuerlich",
];
/// What may stand around it.
pub(super) const YES_FILLERS: [&str; 30] = [
    "please",
    "bitte",
    "do",
    "it",
    "that",
    "this",
    "them",
    "all",
    "thanks",
    "thank",
    "you",
    "danke",
    "go",
    "ahead",
    "that's",
    "right",
    "of",
    "course",
    "machen",
    "sie",
    "das",
    "return",
    "zurueckgeben",
    "zurueckschicken",
    "zuruecksenden",
    "order",
    "bestellung",
    "the",
    "alles",
    "i",
];
/// A yes without the word.
pub(super) const YES_PHRASES: [&str; 10] = [
    "please do",
    "do it",
    "go ahead",
    "of course",
    "that's right",
    "machen sie das",
    "mach das",
    "einverstanden",
    "in ordnung",
    "passt",
];
pub(super) const NO: [&str; 8] = ["no", "nope", "nah", "n", "nein", "nee", "noe", "lieber"];
pub(super) const NO_FILLERS: [&str; 16] = [
    "thanks", "thank", "you", "danke", "please", "bitte", "doch", "nicht", "not", "now", "don't", "do", "sorry",
    "jetzt", "it", "that",
];
pub(super) const NO_PHRASES: [&str; 12] = [
    "never mind",
    "nevermind",
    "don't",
    "do not",
    "better not",
    "lieber nicht",
    "doch nicht",
    "stop",
    "abbrechen",
    "vergessen sie es",
    "vergiss es",
    "cancel",
];

/// Words around goods that are no part of their name.
pub(super) const FILLERS: [&str; 58] = [
    "a",
    "an",
    "the",
    "any",
    "some",
    "in",
    "stock",
    "please",
    "your",
    "for",
    "me",
    "to",
    "of",
    "you",
    "is",
    "are",
    "it",
    "cost",
    "does",
    "do",
    "still",
    "available",
    "there",
    "this",
    "these",
    "that",
    "ein",
    "eine",
    "einen",
    "einem",
    "der",
    "die",
    "das",
    "den",
    "des",
    "auf",
    "lager",
    "im",
    "sortiment",
    "bitte",
    "ihre",
    "ihr",
    "ihnen",
    "mir",
    "noch",
    "bei",
    "nach",
    "fuer",
    "auch",
    "vorraetig",
    "verfuegbar",
    "one",
    "new",
    "neue",
    "neuen",
    "denn",
    "gerade",
    "sie",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_read() {
        for (at, pattern) in EVERY.iter().enumerate() {
            assert!(pattern.is_some(), "pattern {at}");
            assert!(!has(pattern, ""), "pattern {at} is in everything");
        }
    }
}
