# Die Seiten, zu denen Links in Mails führen.

password-reset = Ein neues Passwort
password-join = Zum Team
password-secret = Der Teil des Links nach dem #
password-password = Ihr neues Passwort
password-hint = 10 bis 256 Zeichen und nicht leicht zu erraten: gut sind ein paar Wörter, die nicht zusammengehören.
password-save = Passwort festlegen
password-set = Ihr Passwort ist festgelegt. Melden Sie sich damit an.
password-spent = Dieser Link ist verbraucht oder zu alt. Lassen Sie sich einen neuen schicken.
password-weak = Dieses Passwort ist zu kurz oder zu leicht zu erraten. Bitte wählen Sie ein anderes.
password-later = Das hat gerade nicht geklappt. Bitte versuchen Sie es in einer Minute noch einmal.
password-sign-in = Zur Anmeldung
# The language, by its own name.
language-name = Deutsch
