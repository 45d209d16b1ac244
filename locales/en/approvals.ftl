# What a shopper reads in the chat about a request. `$plan` is the plan's summary.

request-approved = Your request was approved and is being carried out.
request-withdrawn = Your request was withdrawn. Nothing was changed.
request-rejected = Your request was not approved:
request-order-changed = Your request no longer fits your order, which has changed. Please ask again.
request-expired = Your request was not decided in time and has expired.
request-not-paid-in-time = The payment for your request was not made in time, and it has expired. Nothing was charged or changed.
request-stale = Your request no longer fits, because something changed meanwhile. Nothing was done. Please ask again.
request-too-many-wait = Many visitors wait for our staff just now, so nobody was called. Please sign in and ask again, or try later.
request-failed = Your request could not be carried out. Nothing was done. Our staff has been told.
request-staff-collects = Your request was approved. It costs more, and our staff collects the difference first. Nothing has been charged or changed yet: { $plan }
request-charging = Your request was approved. It is carried out as soon as your payment is confirmed: { $plan }
request-please-pay = Your payment could not be taken without you. Nothing was charged or changed. Please pay on this page within 24 hours, then your request is carried out: { $link }
request-not-paid = The payment for your request was not made. Nothing was charged or changed. Please ask again.
request-called-off = Your request was called off, and your order is as it was. What was paid for it goes back: { $plan }
request-done = Done: { $plan }
request-done-coupon = Done: { $plan } Your code is { $code }. You can use it once, until { $until }.
request-coupon-follows = Your request was approved. The shop creates your code, and you get it here and by mail: { $plan }
coupon-ready = Your coupon is ready: { $plan } Your code is { $code }. You can use it once, until { $until }.
request-done-except-refund = Done, except for the refund, which has not been paid yet. You are told here when it is: { $plan }
refund-requested = Your request was approved. The refund has not been paid yet. You are told here when it is: { $plan }
refund-paid = The refund has been paid: { $plan } ({ $amount })
refund-failed = The refund could not be paid. Our staff has been told and looks after it: { $plan }
