# What the built-in rules answer where no language model does.

offline-help = I can look up your orders, parcels and refunds, your profile, and what we have in stock. Try: where is my order #1001?
offline-sign-in-first = For that I must know who you are. Please sign in first.
offline-not-allowed = That is not possible: { $reason }.
offline-not-found = I could not find that under your account. Please check the number, and that you are signed in.
offline-not-now = I could not look that up just now. Please try again in a moment.
offline-return-asked = I have asked for the return. A person will decide, and you will hear of it here and by mail.
offline-person-called = I have called someone of our staff, who will answer you here.
offline-no-orders = You have no orders with us yet.
offline-no-products = I found nothing like that in our shop.
offline-order = Order { $number } ({ $items }) is { $status }. { $tracking } The total is { $total }.
offline-tracking = { $parcels ->
    [0] It has not been shipped yet.
    [1] Its tracking number is { $numbers }.
   *[other] Its tracking numbers are { $numbers }.
  }
offline-orders = Your orders: { $orders }.
offline-one-order = { $number } is { $status } ({ $total })
offline-no-refund = No refund has been made on order { $number }; { $paid } was paid.
offline-refunds = On order { $number } we refunded { $refunds }.
offline-products = I found: { $products }.
offline-sold-out = { $name } (sold out)
offline-product = { $name } (from { $price })
offline-article = { $excerpt } (From our help page “{ $title }”.)
offline-profile = You are { $name } ({ $email }), { $address }. Payment methods: { $methods }.
offline-no-address = no address
offline-no-methods = none
offline-status-pending = pending
offline-status-pending-items-modified = pending items modified
offline-status-processed = processed
offline-status-delivered = delivered
offline-status-cancelled = cancelled
offline-status-return-requested = return requested
offline-status-exchange-requested = exchange requested
