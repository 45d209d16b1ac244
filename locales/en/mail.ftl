# Mails. A message is the subject; its paragraphs are the attributes `.p1`, `.p2`, its small print `.note1`, `.note2`. `$plan` is the
# summary of a request, on a line of its own.

mail-greeting = Hello,
mail-greeting-name = Hello { $name },
mail-closing = Your { $store } team
mail-order = Order
mail-amount = Amount
mail-when = When
mail-address = From
mail-device = Device
mail-you = You

mail-code-register = Confirm your address
    .p1 = type this code to confirm your e-mail address:
    .note1 = It works once, for { $minutes } minutes. Nobody of { $store } will ever ask you for it.
    .note2 = If you did not ask for it, you need not do anything.
mail-code-log-in = Your code
    .p1 = type this code to sign in:
    .note1 = It works once, for { $minutes } minutes. Nobody of { $store } will ever ask you for it.
    .note2 = If you did not ask for it, you need not do anything.
mail-code-prove-order = Your code
    .p1 = type this code to see your order:
    .note1 = It works once, for { $minutes } minutes. Nobody of { $store } will ever ask you for it.
    .note2 = If you did not ask for it, you need not do anything.
mail-code-reset-password = A new password
    .p1 = follow this link to set a new password:
    .note1 = It works once, for { $minutes } minutes. Nobody of { $store } will ever ask you for it.
    .note2 = If you did not ask for it, you need not do anything.
mail-code-invite-staff = Join the staff
    .p1 = follow this link to join the staff:
    .note1 = It works once, for { $minutes } minutes. Nobody of { $store } will ever ask you for it.
    .note2 = If you did not ask for it, you need not do anything.
mail-account-known = You have an account
    .p1 = somebody, perhaps you, wanted to make an account at { $store } with this address. It has one already: sign in with your password, with a code by mail, or ask for a new password.
    .note1 = If it was not you, you need not do anything.

mail-request-received = We have your request
    .p1 = we have received your request:
    .p2 = { $plan }
    .p3 = Nothing has been done yet. A person looks at it and you hear from us.
mail-request-executed = Done
    .p1 = your request was approved and carried out:
    .p2 = { $plan }
    .p3 = { $tool ->
        [return_items] Pack the items well and put the order's number in the parcel. Your refund follows once they have arrived.
        [exchange_items] Send the old items back and put the order's number in the parcel. The new ones leave once they have arrived.
       *[other] { "" }
      }
mail-coupon-ready = Your coupon
    .p1 = your coupon is ready:
    .p2 = { $plan }
mail-coupon-code = Your code
mail-coupon-until = Valid until
mail-request-executed-except-refund = Your request was approved
    .p1 = your request was approved. The refund has not been paid yet, and you get a mail when it is:
    .p2 = { $plan }
mail-request-rejected = Your request was not approved
    .p1 = we could not approve your request:
    .p2 = { $plan }
    .p3 = { $reason }
    .note1 = Answer this mail if you have a question.
mail-request-undone = Your request has ended
    .p1 = your request could not be carried out, and nothing was done:
    .p2 = { $plan }
    .p3 = Please ask again.
mail-payment-needed = Please pay for your change
    .p1 = your request was approved, and your payment could not be taken without you. Nothing was charged or changed:
    .p2 = { $plan }
    .p3 = Follow this link and pay within 24 hours. Your request is carried out then:
mail-refund-made = Your refund has been made
    .p1 = the refund has been made:
    .p2 = { $plan }
    .p3 = It shows on your account within a few days.
mail-refund-failed = Your refund could not be paid
    .p1 = the refund could not be paid:
    .p2 = { $plan }
    .p3 = Our staff has been told and looks after it.
    .note1 = Answer this mail if you have a question.

mail-new-sign-in = A new sign-in
    .p1 = somebody signed in to your account at { $store } from a place we have not seen before.
    .p2 = If it was not you, set a new password: that ends every session.
mail-budget-day = Budget
    .p1 = { $percent } % of the daily budget ({ $period }) for the language model is used up.
    .p2 = At 100 % shoppers are answered by fixed rules until the period is over or the cap is raised.
mail-budget-month = Budget
    .p1 = { $percent } % of the monthly budget ({ $period }) for the language model is used up.
    .p2 = At 100 % shoppers are answered by fixed rules until the period is over or the cap is raised.
mail-model-outage-rules = The assistant answers by fixed rules
    .p1 = The language model does not answer: { $reason }. Until it does, fixed rules answer your shoppers.
    .p2 = What to do: { $mend }
    .note1 = `countersign model check` says more. You get one mail for each outage; the console says when it is over.
mail-model-outage-second = The second language model answers
    .p1 = The first language model does not answer: { $reason }. Until it does, the second one answers your shoppers.
    .p2 = What to do: { $mend }
    .note1 = `countersign model check` says more. You get one mail for each outage; the console says when it is over.
mail-audit-head = Keep this mail: the head of your audit
    .p1 = this is the head of your store's audit chain. Whoever could change the database cannot change this mail:
    .note1 = `countersign audit verify STORE --head HEAD` compares the audit with it.
mail-transcript = Your conversation
    .p1 = this is the conversation with { $store } that you asked for.
mail-staff-answer = You have an answer
    .p1 = a person at { $store } has answered you. You can go on in the chat, where your conversation is kept:
mail-people-wait = Somebody waits for you
    .p1 = { $count ->
        [1] one shopper has asked for a person and waits
       *[other] { $count } shoppers have asked for a person and wait
      } in the chat of { $store }. This link shows who waits; the time is that of the first:
    .note1 = It was so when this was written: a colleague may have come since.
