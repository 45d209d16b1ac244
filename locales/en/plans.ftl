# What a request would do: its summary, the rows that whoever decides is shown, and how an order stands.

plan-add-crm-note = Make a note for our staff.
plan-hand-off = Ask our staff to join this conversation.
plan-cancel = Cancel order { $number } and refund { $amounts }.
plan-cancel-unpaid = Cancel order { $number }. Nothing was paid.
plan-order-address = Send order { $number } to { $address }.
plan-profile-address = Change your default address to { $address }.
plan-change-items = Change { $goods } of order { $number }; the difference of { $difference } goes by { $method }.
plan-exchange = Exchange { $goods } of order { $number }; the difference of { $difference } goes by { $method }.
plan-payment = Pay order { $number } ({ $amount }) by { $new } instead of { $old }.
plan-coupon = Give a coupon of { $worth }, usable once within { $days } days.
plan-refund = Refund { $amounts } on order { $number }.
plan-return = Return { $goods } of order { $number }, worth { $worth }; the refund will go to { $method }.
plan-return-rest = Return { $goods } of order { $number }, worth { $worth }; { $refund }, which is what was not refunded yet, will go to { $method }.

# Parts of summaries.
percent-coupon = { $percent } % (at most { $amount })
amount-to-method = { $amount } to { $method }
two-and-more = { $first } and { $last }
more-goods = { $count } more

# The rows.
detail-refunded-before = Refunded on this order before
detail-promised-before = Promised for a return or exchange under way
detail-order-status = Status of the order
detail-delivery-address = Delivery address
detail-profile-address = Address in your profile
detail-charge = Charge
detail-refund = Refund
detail-gift-card-balance = Balance of the gift card
detail-returned-item = Item that comes back
detail-refund-on-return = Refund when it is back
detail-exchange = Exchange
detail-difference = Difference in price
detail-percent = { $percent } %, at most { $amount }
detail-coupon = Coupon
detail-valid-days = Valid for so many days
detail-at-the-shop = At the shop
detail-by-hand = Our staff makes this change there by hand
detail-note = Note, written by the assistant
detail-hand-off = For our staff, written by the assistant
detail-payment-method = Payment method
detail-street = street
detail-second-line = second line
detail-city = city
detail-state = state
detail-postal-code = postal code
detail-country = country
detail-item = Item
detail-quantity = quantity
detail-price = price of one
detail-line-total = paid in all
detail-item-number = item number
detail-product = product

# How an order stands.
order-status-pending = placed
order-status-pending-items-modified = placed and changed
order-status-processed = shipped
order-status-partly-shipped = partly shipped
order-status-shipped = shipped
order-status-out-for-delivery = out for delivery
order-status-delivered = delivered
order-status-cancelled = cancelled
order-status-return-requested = awaiting return
order-status-exchange-requested = awaiting exchange

# What payment methods are called.
method-brand-and-digits = { $brand } ending in { $digits }
method-digits = card ending in { $digits }
method-card = card
method-paypal = PayPal
method-gift-card = gift card
