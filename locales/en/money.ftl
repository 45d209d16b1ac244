# How amounts are written. `$amount` is decimal text such as 12.50, with this language's separator.

decimal-separator = .
money = { $amount } { $currency }
