# Was mit dem Sprachmodell nicht stimmt, für Personal und Betreiber. Jeder Text beendet einen Satz; `.mend` sagt, was zu tun ist.

model-answered = es antwortet
model-called-tools = es ruft die Werkzeuge auf und antwortet aus ihren Ergebnissen
model-ignored-tools = es antwortet ohne die Werkzeuge, die es bekommt
    .mend = Vielleicht lässt der Server Werkzeuge stillschweigend weg, weil die Chat-Vorlage des Modells keine kennt. Setzen Sie in { $model } ein Modell, das Werkzeuge aufrufen kann, oder starten Sie den Server mit einer Vorlage dafür.
model-call-as-text = es schreibt seine Aufrufe in den Text
    .mend = Der Server liest Aufrufe nicht aus dem Text. Schalten Sie das ein (vLLM: --enable-auto-tool-choice und --tool-call-parser; llama.cpp: --jinja), oder nehmen Sie ein anderes Modell in { $model }.
model-called-unknown-tool = es ruft ein Werkzeug auf, das es nicht gibt
    .mend = Das Modell ist zu schwach für Werkzeuge. Nehmen Sie ein größeres in { $model }.
model-called-with-wrong-arguments = es ruft ein Werkzeug mit falschen Angaben auf
    .mend = Das Modell ist zu schwach für Werkzeuge, oder sein Server liest Aufrufe falsch. Nehmen Sie ein anderes in { $model }.
model-called-too-few-tools = es ruft nicht alle Werkzeuge auf, die eine Frage braucht
    .mend = Das Modell ist schwach mit Werkzeugen; Fragen nach zwei Dingen bleiben vielleicht halb beantwortet. Nehmen Sie ein größeres in { $model }.
model-called-without-end = es ruft immer wieder Werkzeuge auf und antwortet nie
    .mend = Vielleicht lässt die Vorlage des Servers die Ergebnisse weg. Nehmen Sie ein anderes Modell in { $model } oder eine andere Vorlage.
model-ignored-results = es ruft die Werkzeuge auf und sagt nicht, was sie ergeben
    .mend = Vielleicht lässt die Vorlage des Servers die Ergebnisse weg. Nehmen Sie ein anderes Modell in { $model } oder eine andere Vorlage.

model-too-slow = es antwortet nicht rechtzeitig
    .mend = Ist der Server überlastet, oder lädt er das Modell noch? Warten Sie, nehmen Sie ein schnelleres Modell in { $model }, oder erhöhen Sie MODEL_FIRST_TOKEN_SECONDS und MODEL_TOTAL_SECONDS.
model-rate-limited = der Anbieter nimmt zurzeit keine Anfragen mehr an
    .mend = Bitten Sie den Anbieter um eine höhere Grenze, oder setzen Sie SECOND_MODEL auf ein Modell woanders.
model-no-credit = das Konto beim Anbieter hat kein Guthaben mehr
    .mend = Laden Sie das Konto auf, oder setzen Sie in { $key } den Schlüssel eines anderen Kontos.
model-key-refused = der Anbieter lehnt den Schlüssel ab
    .mend = Setzen Sie in { $key } einen gültigen Schlüssel: vom Anbieter unter { $url }, nicht abgelaufen und für das Modell zugelassen.
model-unknown = der Anbieter kennt das Modell nicht
    .mend = Schreiben Sie { $model } so, wie der Anbieter es aufführt, und prüfen Sie, ob das Konto es nutzen darf. Auf einem eigenen Server laden Sie das Modell zuerst.
model-wrong-address = unter der Adresse gibt es keine solche Schnittstelle
    .mend = Prüfen Sie den Pfad von { $url }: Er endet, wo die Schnittstelle beginnt, bei den meisten Anbietern auf /v1, und nennt keine Route wie /chat/completions.
model-no-tools = das Modell nimmt keine Werkzeuge an
    .mend = Setzen Sie in { $model } ein Modell, das Werkzeuge aufrufen kann; ohne sie kann der Assistent nichts nachsehen.
model-parameter-refused = der Anbieter lehnt etwas in der Anfrage ab ({ $status })
    .mend = Setzen Sie { $dialect } auf den Server, den Sie nutzen. Wenn Sie MODEL_TEMPERATURE, MODEL_TOP_P oder MODEL_REASONING_EFFORT gesetzt haben, versuchen Sie es ohne.
model-context-too-long = die Anfrage ist länger, als das Modell lesen kann
    .mend = Setzen Sie { $context_tokens } auf das, was das Modell lesen kann, oder lassen Sie seinen Server mehr lesen (Ollama: OLLAMA_CONTEXT_LENGTH, llama.cpp: --ctx-size). Der Assistent braucht mindestens 8192.
model-status = der Anbieter antwortet mit einem Fehler ({ $status })
    .mend = Sehen Sie auf der Statusseite des Anbieters nach, und prüfen Sie { $url }. SECOND_MODEL würde inzwischen antworten.
model-not-reached = der Anbieter ist nicht erreichbar
    .mend = Prüfen Sie Host und Port von { $url }, und ob dieser Rechner sich dorthin verbinden darf: DNS, Firewall, und in einem Container ist 127.0.0.1 der Container selbst.
model-breaks-off = seine Antworten brechen ab
    .mend = Sehen Sie auf der Statusseite des Anbieters oder im Protokoll des Modellservers nach. SECOND_MODEL würde inzwischen antworten.
model-length-limit = seine Antwort erreicht die Längengrenze
    .mend = Erhöhen Sie MODEL_OUTPUT_TOKENS, oder lassen Sie das Modell mit MODEL_REASONING_EFFORT=low weniger nachdenken.
model-content-filter = der Filter des Anbieters hält die Antwort zurück
    .mend = Lockern Sie den Filter beim Anbieter, oder nehmen Sie ein anderes Modell in { $model }.
model-garbage = was unter der Adresse antwortet, spricht diese Schnittstelle nicht
    .mend = Prüfen Sie { $url }: Es muss die Adresse der Schnittstelle sein, nicht die einer Webseite. MODEL sagt, welche Schnittstelle dort gesprochen wird.
model-empty = seine Antwort ist leer
    .mend = Wenn es nachdenkt, erhöhen Sie MODEL_OUTPUT_TOKENS, oder setzen Sie MODEL_REASONING_EFFORT=low. Sonst ist vielleicht seine Chat-Vorlage falsch: Nehmen Sie ein anderes Modell in { $model }.
