# Was eine Anfrage täte: ihre Zusammenfassung, die Zeilen, die gezeigt werden, wenn jemand entscheidet, und der Stand einer Bestellung.

plan-add-crm-note = Eine Notiz für unser Personal machen.
plan-hand-off = Unser Team in dieses Gespräch holen.
plan-cancel = Bestellung { $number } stornieren und { $amounts } erstatten.
plan-cancel-unpaid = Bestellung { $number } stornieren. Es war nichts bezahlt.
plan-order-address = Bestellung { $number } senden an: { $address }.
plan-profile-address = Ihre Standardadresse ändern auf: { $address }.
plan-change-items = { $goods } der Bestellung { $number } ändern; der Unterschied von { $difference } geht über { $method }.
plan-exchange = { $goods } der Bestellung { $number } umtauschen; der Unterschied von { $difference } geht über { $method }.
plan-payment = Bestellung { $number } ({ $amount }) mit { $new } statt mit { $old } bezahlen.
plan-coupon = Einen Gutschein über { $worth } ausstellen, einmal gültig innerhalb von { $days } Tagen.
plan-refund = Zur Bestellung { $number } { $amounts } erstatten.
plan-return = { $goods } der Bestellung { $number } im Wert von { $worth } zurücksenden; die Erstattung geht an { $method }.
plan-return-rest = { $goods } der Bestellung { $number } im Wert von { $worth } zurücksenden; { $refund }, der noch nicht erstattete Rest, geht an { $method }.

# Teile der Zusammenfassungen.
percent-coupon = { $percent } % (höchstens { $amount })
amount-to-method = { $amount } an { $method }
two-and-more = { $first } und { $last }
more-goods = { $count } weitere

# Die Zeilen.
detail-refunded-before = Auf diese Bestellung bereits erstattet
detail-promised-before = Für eine laufende Rückgabe oder einen Umtausch zugesagt
detail-order-status = Status der Bestellung
detail-delivery-address = Lieferadresse
detail-profile-address = Adresse in Ihrem Profil
detail-charge = Abbuchung
detail-refund = Erstattung
detail-gift-card-balance = Guthaben der Geschenkkarte
detail-returned-item = Artikel, der zurückkommt
detail-refund-on-return = Erstattung nach der Rückkehr
detail-exchange = Umtausch
detail-difference = Unterschied im Preis
detail-percent = { $percent } %, höchstens { $amount }
detail-coupon = Gutschein
detail-valid-days = Gültig für so viele Tage
detail-at-the-shop = Im Shop
detail-by-hand = Unser Team macht diese Änderung dort von Hand
detail-note = Notiz, vom Assistenten geschrieben
detail-hand-off = Für unser Team, vom Assistenten geschrieben
detail-payment-method = Zahlungsart
detail-street = Straße
detail-second-line = zweite Zeile
detail-city = Ort
detail-state = Bundesland
detail-postal-code = Postleitzahl
detail-country = Land
detail-item = Artikel
detail-quantity = Anzahl
detail-price = Einzelpreis
detail-line-total = zusammen bezahlt
detail-item-number = Artikelnummer
detail-product = Produkt

# Stand einer Bestellung.
order-status-pending = bestellt
order-status-pending-items-modified = bestellt und geändert
order-status-processed = versandt
order-status-partly-shipped = teilweise versandt
order-status-shipped = versandt
order-status-out-for-delivery = in Zustellung
order-status-delivered = zugestellt
order-status-cancelled = storniert
order-status-return-requested = zur Rücksendung angemeldet
order-status-exchange-requested = zum Umtausch angemeldet

# What payment methods are called.
method-brand-and-digits = { $brand } mit den Endziffern { $digits }
method-digits = Karte mit den Endziffern { $digits }
method-card = Karte
method-paypal = PayPal
method-gift-card = Geschenkkarte
