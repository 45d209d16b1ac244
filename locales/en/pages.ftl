# The pages that mailed links lead to.

password-reset = A new password
password-join = Join the staff
password-secret = The part of the link after #
password-password = Your new password
password-hint = 10 to 256 characters, and not easy to guess: a few words that do not belong together are good.
password-save = Set password
password-set = Your password is set. Sign in with it.
password-spent = This link has been used or is too old. Ask for another one.
password-weak = This password is too short or too easy to guess. Please choose another.
password-later = That did not work just now. Please try again in a minute.
password-sign-in = To the sign-in
# The language, by its own name.
language-name = English
