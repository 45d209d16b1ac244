# Was die eingebauten Regeln antworten, wo kein Sprachmodell es tut.

fallback-help = Ich kann nach Ihren Bestellungen, Paketen und Erstattungen sehen, in Ihr Profil und in unser Sortiment. Versuchen Sie: Wo ist meine Bestellung?
fallback-not-understood = Das habe ich nicht verstanden. Ich antworte nach festen Regeln: Bestellungen, Pakete, Erstattungen, Ihr Profil und unser Sortiment.
fallback-sign-in-first = Dafür muss ich wissen, wer Sie sind. Bitte melden Sie sich zuerst an.
fallback-not-allowed = Das geht nicht: { $reason }.
fallback-not-found = Das habe ich in Ihrem Konto nicht gefunden. Bitte prüfen Sie die Nummer und ob Sie angemeldet sind.
fallback-not-now = Ich konnte gerade nicht nachsehen. Bitte versuchen Sie es gleich noch einmal.
fallback-return-asked = Ich habe die Rücksendung beantragt. Ein Mensch entscheidet, und Sie hören hier und per Mail davon.
fallback-return-question = { $goods } aus Bestellung { $number } zurückgeben?
fallback-return-which = Welche Bestellung möchten Sie zurückgeben? { $orders }.
fallback-return-not-asked = Gut, ich habe nichts beantragt.
fallback-return-not-delivered = Bestellung { $number } ist { $status }: Nur eine zugestellte Bestellung kann zurückgegeben werden.
fallback-return-by-person = Die Rücksendung von Bestellung { $number } kann ich nach festen Regeln nicht beantragen. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
fallback-return-under-way = Eine Rücksendung zu Bestellung { $number } läuft.
fallback-return-unknown = Zu Bestellung { $number } sehe ich keine laufende Rücksendung; die Bestellung ist { $status }.
fallback-nothing-to-return = Noch keine Ihrer Bestellungen ist zugestellt, es gibt also nichts zurückzugeben.
fallback-proposed = Ich habe Ihre Anfrage weitergegeben. Nichts geschieht, bevor sie genehmigt ist.
fallback-no-change = Eine Bestellung stornieren oder ändern kann ich nach festen Regeln nicht. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
fallback-person-offered = Hier antworten feste Regeln und kein Mensch. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
fallback-yes = Ja
fallback-no = Nein
fallback-suggest-order = Wo ist meine Bestellung?
fallback-suggest-return = Etwas zurückgeben
fallback-suggest-return-order = Bestellung { $number } zurückgeben
fallback-suggest-person = Mit einem Menschen sprechen
fallback-person-called = Ich habe jemanden aus unserem Team gerufen, der Ihnen hier antwortet.
fallback-no-orders = Sie haben bei uns noch nichts bestellt.
fallback-guest-orders = Ich weiß nicht, welche Bestellungen Ihre sind. Bitte melden Sie sich an, dann kann ich nachsehen.
fallback-no-such-order = Eine Bestellung { $number } von Ihnen habe ich nicht gefunden.
fallback-no-products = So etwas habe ich in unserem Sortiment nicht gefunden.
fallback-order = Bestellung { $number } ({ $items }) ist { $status }.
fallback-empty-order = Bestellung { $number } ist { $status }.
fallback-total = Die Summe ist { $total }.
fallback-total-of-parts = Die Summe ist { $total }: { $parts }.
fallback-part-goods = Ware { $amount }
fallback-part-discount = Rabatt −{ $amount }
fallback-part-tax = Steuer { $amount }
fallback-part-tax-included = darin { $amount } Steuer
fallback-part-shipping = Versand { $amount }
fallback-part-tip = Trinkgeld { $amount }
fallback-part-fees = Gebühren { $amount }
fallback-part-duties = Zoll { $amount }
fallback-unpaid = { $amount } ist noch zu zahlen.
fallback-tracking = { $parcels ->
    [0] Sie ist noch nicht unterwegs.
    [1] Die Sendungsnummer ist { $numbers }.
   *[other] Die Sendungsnummern sind { $numbers }.
  }
fallback-no-tracking = Sie wurde ohne Sendungsnummer verschickt.
fallback-orders = Ihre Bestellungen: { $orders }.
fallback-one-order = { $number } ist { $status } ({ $total })
fallback-no-refund = Zur Bestellung { $number } wurde nichts erstattet; bezahlt wurden { $paid }.
fallback-refunds = Zur Bestellung { $number } haben wir erstattet: { $refunds }.
fallback-products = Gefunden habe ich: { $products }.
fallback-sold-out = { $name } (ausverkauft)
fallback-product = { $name } (ab { $price })
fallback-article = { $excerpt } (Aus unserer Hilfeseite „{ $title }“.)
fallback-profile = Sie sind { $name } ({ $email }), { $address }. Zahlungsarten: { $methods }.
fallback-no-address = keine Adresse
fallback-no-methods = keine
