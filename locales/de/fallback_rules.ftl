# Was die eingebauten Regeln antworten, wo kein Sprachmodell es tut.

offline-help = Ich kann nach Ihren Bestellungen, Paketen und Erstattungen sehen, in Ihr Profil und in unser Sortiment. Versuchen Sie: Wo ist meine Bestellung?
offline-not-understood = Das habe ich nicht verstanden. Ich antworte nach festen Regeln: Bestellungen, Pakete, Erstattungen, Ihr Profil und unser Sortiment.
offline-sign-in-first = Dafür muss ich wissen, wer Sie sind. Bitte melden Sie sich zuerst an.
offline-not-allowed = Das geht nicht: { $reason }.
offline-not-found = Das habe ich in Ihrem Konto nicht gefunden. Bitte prüfen Sie die Nummer und ob Sie angemeldet sind.
offline-not-now = Ich konnte gerade nicht nachsehen. Bitte versuchen Sie es gleich noch einmal.
offline-return-asked = Ich habe die Rücksendung beantragt. Ein Mensch entscheidet, und Sie hören hier und per Mail davon.
offline-return-question = { $goods } aus Bestellung { $number } zurückgeben?
offline-return-which = Welche Bestellung möchten Sie zurückgeben? { $orders }.
offline-return-not-asked = Gut, ich habe nichts beantragt.
offline-return-not-delivered = Bestellung { $number } ist { $status }: Nur eine zugestellte Bestellung kann zurückgegeben werden.
offline-return-by-person = Die Rücksendung von Bestellung { $number } kann ich nach festen Regeln nicht beantragen. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
offline-return-under-way = Eine Rücksendung zu Bestellung { $number } läuft.
offline-return-unknown = Zu Bestellung { $number } sehe ich keine laufende Rücksendung; die Bestellung ist { $status }.
offline-nothing-to-return = Noch keine Ihrer Bestellungen ist zugestellt, es gibt also nichts zurückzugeben.
offline-proposed = Ich habe Ihre Anfrage weitergegeben. Nichts geschieht, bevor sie genehmigt ist.
offline-no-change = Eine Bestellung stornieren oder ändern kann ich nach festen Regeln nicht. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
offline-person-offered = Hier antworten feste Regeln und kein Mensch. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
offline-yes = Ja
offline-no = Nein
offline-suggest-order = Wo ist meine Bestellung?
offline-suggest-return = Etwas zurückgeben
offline-suggest-return-order = Bestellung { $number } zurückgeben
offline-suggest-person = Mit einem Menschen sprechen
offline-person-called = Ich habe jemanden aus unserem Team gerufen, der Ihnen hier antwortet.
offline-no-orders = Sie haben bei uns noch nichts bestellt.
offline-guest-orders = Ich weiß nicht, welche Bestellungen Ihre sind. Bitte melden Sie sich an, dann kann ich nachsehen.
offline-no-such-order = Eine Bestellung { $number } von Ihnen habe ich nicht gefunden.
offline-no-products = So etwas habe ich in unserem Sortiment nicht gefunden.
offline-order = Bestellung { $number } ({ $items }) ist { $status }. { $tracking } Die Summe ist { $total }.
offline-tracking = { $parcels ->
    [0] Sie ist noch nicht unterwegs.
    [1] Die Sendungsnummer ist { $numbers }.
   *[other] Die Sendungsnummern sind { $numbers }.
  }
offline-orders = Ihre Bestellungen: { $orders }.
offline-one-order = { $number } ist { $status } ({ $total })
offline-no-refund = Zur Bestellung { $number } wurde nichts erstattet; bezahlt wurden { $paid }.
offline-refunds = Zur Bestellung { $number } haben wir erstattet: { $refunds }.
offline-products = Gefunden habe ich: { $products }.
offline-sold-out = { $name } (ausverkauft)
offline-product = { $name } (ab { $price })
offline-article = { $excerpt } (Aus unserer Hilfeseite „{ $title }“.)
offline-profile = Sie sind { $name } ({ $email }), { $address }. Zahlungsarten: { $methods }.
offline-no-address = keine Adresse
offline-no-methods = keine
