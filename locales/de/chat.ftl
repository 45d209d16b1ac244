# Was der Server selbst im Chat sagt.

no-answer = Ich kann gerade nicht antworten. Ihre Nachricht ist gespeichert; bitte versuchen Sie es in einer Minute noch einmal.
answer-cut-short = (Meine Antwort ist abgebrochen. Bitte fragen Sie noch einmal.)
answer-withheld = (Der Rest meiner Antwort wird zurückgehalten.)
answer-interrupted = Meine Antwort wurde unterbrochen. Bitte senden Sie Ihre Nachricht noch einmal.
answer-by-mail = Wenn Sie dann nicht mehr hier sind, kommt die Antwort per Mail.
answer-by-mail-once-signed-in = Melden Sie sich hier an, dann kommt die Antwort per Mail, wenn Sie nicht mehr hier sind.
not-done = Das habe ich nicht selbst getan: Eine Änderung geschieht erst, wenn sie genehmigt ist, und Sie erfahren es dann hier.
budget-used-up = Ich habe verbraucht, was ich vorerst für Antworten ausgeben darf, und kann nur nach festen Regeln nach Bestellungen, Paketen und Artikeln sehen. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
model-unreachable = Ich kann gerade nicht frei denken und nur nach festen Regeln nach Bestellungen, Paketen und Artikeln sehen. Schreiben Sie „Mensch“, und jemand aus unserem Team übernimmt.
working = Ich arbeite daran…
staff-takes-over = Ein Mensch aus unserem Team hat das Gespräch jetzt und antwortet Ihnen hier.
assistant-again = Jetzt antwortet Ihnen wieder unser Assistent.
with-staff = Ihre Nachricht ist bei unserem Team, das Ihnen hier antwortet.
staff-away = Unser Team ist gerade nicht da.
staff-back = Unser Team ist gerade nicht da und kommt am { $day }, um { $time } Uhr wieder (Ortszeit { $place }).
# `$weekday` ist 1 am Montag und 7 am Sonntag.
day = { $weekday ->
    [1] Montag
    [2] Dienstag
    [3] Mittwoch
    [4] Donnerstag
    [5] Freitag
    [6] Samstag
   *[7] Sonntag
  }, { $date }.{ $month }.
