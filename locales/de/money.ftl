# Wie Beträge geschrieben werden. `$amount` ist Dezimaltext wie 12,50 mit dem Trennzeichen dieser Sprache.

decimal-separator = ,
money = { $amount } { $currency }
