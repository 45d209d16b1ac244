# What the built-in rules answer where no language model does.

offline-help = I can look up your orders, parcels and refunds, your profile, and what we have in stock. Try: where is my order?
offline-not-understood = I did not understand that. I answer by fixed rules: orders, parcels, refunds, your profile, and what we have in stock.
offline-sign-in-first = For that I must know who you are. Please sign in first.
offline-not-allowed = That is not possible: { $reason }.
offline-not-found = I could not find that under your account. Please check the number, and that you are signed in.
offline-not-now = I could not look that up just now. Please try again in a moment.
offline-return-asked = I have asked for the return. A person will decide, and you will hear of it here and by mail.
offline-return-question = Return { $goods } of order { $number }?
offline-return-which = Which order do you want to return? { $orders }.
offline-return-not-asked = All right, I have asked for nothing.
offline-return-not-delivered = Order { $number } is { $status }: only a delivered order can be returned.
offline-return-by-person = I cannot ask for the return of order { $number } by fixed rules. Write "person" and someone of our staff takes over.
offline-return-under-way = A return of order { $number } is under way.
offline-return-unknown = I see no return of order { $number } under way; the order is { $status }.
offline-nothing-to-return = None of your orders has been delivered yet, so that there is nothing to return.
offline-proposed = I have passed your request on. Nothing is done before it is approved.
offline-no-change = I cannot cancel or change an order by fixed rules. Write "person" and someone of our staff takes over.
offline-person-offered = Fixed rules answer you here, not a person. Write "person" and someone of our staff takes over.
offline-yes = Yes
offline-no = No
offline-suggest-order = Where is my order?
offline-suggest-return = Return something
offline-suggest-return-order = Return order { $number }
offline-suggest-person = Talk to a person
offline-person-called = I have called someone of our staff, who will answer you here.
offline-no-orders = You have no orders with us yet.
offline-guest-orders = I do not know which orders are yours. Please sign in, and I can look them up.
offline-no-such-order = I found no order { $number } of yours.
offline-no-products = I found nothing like that in our store.
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
