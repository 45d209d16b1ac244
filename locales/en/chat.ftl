# What the server itself says in the chat.

no-answer = I cannot answer right now. Your message is saved; please try again in a minute.
answer-cut-short = (My answer was cut short. Please ask again.)
answer-withheld = (The rest of my answer is withheld.)
answer-interrupted = My answer was interrupted. Please send your message again.
answer-by-mail = If you have gone by then, the answer comes by mail.
answer-by-mail-once-signed-in = Sign in here, and the answer comes by mail if you have gone by then.
not-done = I have not done that myself: a change is made only once it has been approved, and you are told here when it is.
budget-used-up = I have used up what I may spend on answers for now, so I can only look up orders, parcels and products by fixed rules. Write "person" and someone of our staff takes over.
model-unreachable = I cannot think freely right now, so I can only look up orders, parcels and products by fixed rules. Write "person" and someone of our staff takes over.
working = Working…
staff-takes-over = A person of our staff has this conversation now and answers you here.
assistant-again = Our assistant answers you again.
with-staff = Your message is with our staff, who will answer you here.
staff-away = Our staff is away now.
staff-back = Our staff is away now and back on { $day }, at { $time } ({ $place } time).
# `$weekday` is 1 on Monday and 7 on Sunday.
day = { $weekday ->
    [1] Monday
    [2] Tuesday
    [3] Wednesday
    [4] Thursday
    [5] Friday
    [6] Saturday
   *[7] Sunday
  }, { $date } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
  }
