# Mails. Eine Nachricht ist der Betreff; ihre Absätze sind die Attribute `.p1`, `.p2`, das Kleingedruckte `.note1`, `.note2`. `$plan` ist die
# Zusammenfassung einer Anfrage, in einem eigenen Absatz.

mail-greeting = Guten Tag,
mail-greeting-name = Guten Tag { $name },
mail-closing = Ihr Team von { $store }
mail-order = Bestellung
mail-amount = Betrag
mail-when = Zeitpunkt
mail-address = Von
mail-device = Gerät
mail-you = Sie

mail-code-register = Adresse bestätigen
    .p1 = mit diesem Code bestätigen Sie Ihre E-Mail-Adresse:
    .note1 = Er gilt einmal, { $minutes } Minuten lang. Niemand von { $store } wird Sie je danach fragen.
    .note2 = Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun.
mail-code-log-in = Ihr Code
    .p1 = mit diesem Code melden Sie sich an:
    .note1 = Er gilt einmal, { $minutes } Minuten lang. Niemand von { $store } wird Sie je danach fragen.
    .note2 = Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun.
mail-code-prove-order = Ihr Code
    .p1 = mit diesem Code sehen Sie Ihre Bestellung:
    .note1 = Er gilt einmal, { $minutes } Minuten lang. Niemand von { $store } wird Sie je danach fragen.
    .note2 = Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun.
mail-code-reset-password = Neues Passwort
    .p1 = über diesen Link setzen Sie ein neues Passwort:
    .note1 = Er gilt einmal, { $minutes } Minuten lang. Niemand von { $store } wird Sie je danach fragen.
    .note2 = Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun.
mail-code-invite-staff = Einladung ins Team
    .p1 = über diesen Link treten Sie dem Team bei:
    .note1 = Er gilt einmal, { $minutes } Minuten lang. Niemand von { $store } wird Sie je danach fragen.
    .note2 = Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun.
mail-account-known = Sie haben schon ein Konto
    .p1 = jemand, vielleicht Sie, wollte bei { $store } mit dieser Adresse ein Konto anlegen. Es gibt schon eines: Melden Sie sich mit Ihrem Passwort oder einem Code per Mail an, oder fordern Sie ein neues Passwort an.
    .note1 = Wenn Sie es nicht waren, brauchen Sie nichts zu tun.

mail-request-received = Ihre Anfrage ist da
    .p1 = wir haben Ihre Anfrage erhalten:
    .p2 = { $plan }
    .p3 = Es ist noch nichts geschehen. Ein Mensch sieht sie sich an, und Sie hören von uns.
mail-request-executed = Erledigt
    .p1 = Ihre Anfrage wurde genehmigt und ausgeführt:
    .p2 = { $plan }
    .p3 = { $tool ->
        [return_items] Verpacken Sie die Ware gut und legen Sie die Bestellnummer bei. Die Erstattung folgt, wenn sie angekommen ist.
        [exchange_items] Senden Sie die alte Ware zurück und legen Sie die Bestellnummer bei. Die neue geht ab, wenn sie angekommen ist.
       *[other] { "" }
      }
mail-coupon-ready = Ihr Gutschein
    .p1 = Ihr Gutschein ist da:
    .p2 = { $plan }
mail-coupon-code = Ihr Code
mail-coupon-until = Gültig bis
mail-request-executed-except-refund = Ihre Anfrage wurde genehmigt
    .p1 = Ihre Anfrage wurde genehmigt. Die Erstattung ist noch nicht ausgezahlt; Sie bekommen eine E-Mail, sobald sie es ist:
    .p2 = { $plan }
mail-request-rejected = Ihre Anfrage wurde nicht genehmigt
    .p1 = wir konnten Ihre Anfrage nicht genehmigen:
    .p2 = { $plan }
    .p3 = { $reason }
    .note1 = Bei Fragen antworten Sie auf diese Mail.
mail-request-undone = Ihre Anfrage ist beendet
    .p1 = Ihre Anfrage konnte nicht ausgeführt werden, und nichts ist geschehen:
    .p2 = { $plan }
    .p3 = Bitte fragen Sie noch einmal.
mail-payment-needed = Bitte bezahlen Sie Ihre Änderung
    .p1 = Ihre Anfrage wurde genehmigt, aber Ihre Zahlung war ohne Sie nicht möglich. Es ist nichts abgebucht oder geändert:
    .p2 = { $plan }
    .p3 = Folgen Sie diesem Link und bezahlen Sie innerhalb von 24 Stunden. Dann wird Ihre Anfrage ausgeführt:
mail-refund-made = Ihre Erstattung ist ausgezahlt
    .p1 = die Erstattung ist ausgeführt:
    .p2 = { $plan }
    .p3 = Sie sehen sie in wenigen Tagen auf Ihrem Konto.
mail-refund-failed = Ihre Erstattung konnte nicht ausgezahlt werden
    .p1 = die Erstattung konnte nicht ausgezahlt werden:
    .p2 = { $plan }
    .p3 = Unser Team weiß davon und kümmert sich darum.
    .note1 = Antworten Sie auf diese E-Mail, wenn Sie eine Frage haben.

mail-new-sign-in = Eine neue Anmeldung
    .p1 = jemand hat sich von einem Ort, den wir noch nicht kennen, bei Ihrem Konto bei { $store } angemeldet.
    .p2 = Wenn Sie es nicht waren, setzen Sie ein neues Passwort: Damit enden alle Sitzungen.
mail-budget-day = Budget
    .p1 = { $percent } % des Tagesbudgets ({ $period }) für das Sprachmodell sind verbraucht.
    .p2 = Bei 100 % antworten feste Regeln, bis der Zeitraum endet oder die Grenze steigt.
mail-budget-month = Budget
    .p1 = { $percent } % des Monatsbudgets ({ $period }) für das Sprachmodell sind verbraucht.
    .p2 = Bei 100 % antworten feste Regeln, bis der Zeitraum endet oder die Grenze steigt.
mail-model-outage-rules = Der Assistent antwortet nach festen Regeln
    .p1 = Das Sprachmodell antwortet nicht: { $reason }. Bis es das tut, antworten feste Regeln Ihren Kunden.
    .p2 = Was zu tun ist: { $mend }
    .note1 = `countersign model check` sagt mehr. Je Ausfall bekommen Sie eine Mail; die Konsole zeigt, wann er vorbei ist.
mail-model-outage-second = Das zweite Sprachmodell antwortet
    .p1 = Das erste Sprachmodell antwortet nicht: { $reason }. Bis es das tut, antwortet das zweite Ihren Kunden.
    .p2 = Was zu tun ist: { $mend }
    .note1 = `countersign model check` sagt mehr. Je Ausfall bekommen Sie eine Mail; die Konsole zeigt, wann er vorbei ist.
mail-audit-head = Bitte aufbewahren: der Kopf Ihres Protokolls
    .p1 = dies ist der Kopf der Protokollkette Ihres Shops. Wer die Datenbank ändern könnte, kann diese Mail nicht ändern:
    .note1 = `countersign audit verify STORE --head HEAD` vergleicht das Protokoll damit.
mail-transcript = Ihr Gespräch
    .p1 = das ist das Gespräch mit { $store }, um das Sie gebeten haben.
mail-staff-answer = Sie haben eine Antwort
    .p1 = ein Mensch bei { $store } hat Ihnen geantwortet. Im Chat, wo Ihr Gespräch aufbewahrt ist, können Sie weitersprechen:
mail-people-wait = Jemand wartet
    .p1 = { $count ->
        [1] eine Person möchte mit einem Menschen sprechen und wartet
       *[other] { $count } Personen möchten mit einem Menschen sprechen und warten
      } im Chat von { $store }. Der Link zeigt, wer wartet; der Zeitpunkt ist der des ersten Gesprächs:
    .note1 = So war es, als diese Mail geschrieben wurde: vielleicht ist inzwischen jemand gekommen.
