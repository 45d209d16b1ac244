# Was Kunden im Chat über eine Anfrage lesen. `$plan` ist die Zusammenfassung des Plans.

request-approved = Ihre Anfrage wurde genehmigt und wird ausgeführt.
request-withdrawn = Ihre Anfrage wurde zurückgezogen. Es ist nichts geändert.
request-rejected = Ihre Anfrage wurde nicht genehmigt:
request-order-changed = Ihre Anfrage passt nicht mehr zu Ihrer Bestellung, die sich geändert hat. Bitte fragen Sie noch einmal.
request-expired = Über Ihre Anfrage wurde nicht rechtzeitig entschieden; sie ist abgelaufen.
request-not-paid-in-time = Die Zahlung für Ihre Anfrage kam nicht rechtzeitig; sie ist abgelaufen. Es ist nichts abgebucht oder geändert.
request-stale = Ihre Anfrage passt nicht mehr, weil sich inzwischen etwas geändert hat. Es ist nichts geschehen. Bitte fragen Sie noch einmal.
request-too-many-wait = Gerade warten viele auf unser Team, deshalb wurde niemand gerufen. Bitte melden Sie sich an und fragen Sie noch einmal, oder versuchen Sie es später.
request-failed = Ihre Anfrage konnte nicht ausgeführt werden. Es ist nichts geschehen. Unser Team weiß davon.
request-staff-collects = Ihre Anfrage wurde genehmigt. Sie kostet mehr, und unser Team zieht den Unterschied zuerst ein. Noch ist nichts abgebucht oder geändert: { $plan }
request-charging = Ihre Anfrage wurde genehmigt. Sie wird ausgeführt, sobald Ihre Zahlung bestätigt ist: { $plan }
request-please-pay = Ihre Zahlung war ohne Sie nicht möglich. Es ist nichts abgebucht oder geändert. Bitte bezahlen Sie innerhalb von 24 Stunden auf dieser Seite, dann wird Ihre Anfrage ausgeführt: { $link }
request-not-paid = Die Zahlung für Ihre Anfrage kam nicht zustande. Es ist nichts abgebucht oder geändert. Bitte fragen Sie noch einmal.
request-called-off = Ihre Anfrage wurde aufgehoben, und Ihre Bestellung ist wie zuvor. Was dafür bezahlt wurde, geht zurück: { $plan }
request-done = Erledigt: { $plan }
request-done-coupon = Erledigt: { $plan } Ihr Code ist { $code }. Sie können ihn einmal einlösen, bis zum { $until }.
request-coupon-follows = Ihre Anfrage wurde genehmigt. Der Shop legt Ihren Code an, und Sie bekommen ihn hier und per E-Mail: { $plan }
coupon-ready = Ihr Gutschein ist da: { $plan } Ihr Code ist { $code }. Sie können ihn einmal einlösen, bis zum { $until }.
request-done-except-refund = Erledigt bis auf die Erstattung, die noch nicht ausgezahlt ist. Sie erfahren es hier, sobald sie es ist: { $plan }
refund-requested = Ihre Anfrage wurde genehmigt. Die Erstattung ist noch nicht ausgezahlt. Sie erfahren es hier, sobald sie es ist: { $plan }
refund-paid = Die Erstattung wurde ausgezahlt: { $plan } ({ $amount })
refund-failed = Die Erstattung konnte nicht ausgezahlt werden. Unser Team weiß davon und kümmert sich darum: { $plan }
