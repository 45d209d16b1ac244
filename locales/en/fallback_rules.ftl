# What the built-in rules answer where no language model does.

fallback-help = I can look up your orders, parcels and refunds, your profile, and what we have in stock. Try: where is my order?
fallback-not-understood = I did not understand that. I answer by fixed rules: orders, parcels, refunds, your profile, and what we have in stock.
fallback-sign-in-first = For that I must know who you are. Please sign in first.
fallback-not-allowed = That is not possible: { $reason }.
fallback-not-found = I could not find that under your account. Please check the number, and that you are signed in.
fallback-not-now = I could not look that up just now. Please try again in a moment.
fallback-return-asked = I have asked for the return. A person will decide, and you will hear of it here and by mail.
fallback-return-question = Return { $goods } of order { $number }?
fallback-return-which = Which order do you want to return? { $orders }.
fallback-return-not-asked = All right, I have asked for nothing.
fallback-return-not-delivered = Order { $number } is { $status }: only a delivered order can be returned.
fallback-return-by-person = I cannot ask for the return of order { $number } by fixed rules. Write "person" and someone of our staff takes over.
fallback-return-under-way = A return of order { $number } is under way.
fallback-return-unknown = I see no return of order { $number } under way; the order is { $status }.
fallback-nothing-to-return = None of your orders has been delivered yet, so that there is nothing to return.
fallback-proposed = I have passed your request on. Nothing is done before it is approved.
fallback-no-change = I cannot cancel or change an order by fixed rules. Write "person" and someone of our staff takes over.
fallback-person-offered = Fixed rules answer you here, not a person. Write "person" and someone of our staff takes over.
fallback-yes = Yes
fallback-no = No
fallback-suggest-order = Where is my order?
fallback-suggest-return = Return something
fallback-suggest-return-order = Return order { $number }
fallback-suggest-person = Talk to a person
fallback-person-called = I have called someone of our staff, who will answer you here.
fallback-no-orders = You have no orders with us yet.
fallback-guest-orders = I do not know which orders are yours. Please sign in, and I can look them up.
fallback-no-such-order = I found no order { $number } of yours.
fallback-no-products = I found nothing like that in our store.
fallback-order = Order { $number } ({ $items }) is { $status }.
fallback-empty-order = Order { $number } is { $status }.
fallback-total = The total is { $total }.
fallback-total-of-parts = The total is { $total }: { $parts }.
fallback-part-goods = goods { $amount }
fallback-part-discount = discount −{ $amount }
fallback-part-tax = tax { $amount }
fallback-part-tax-included = { $amount } tax included
fallback-part-shipping = shipping { $amount }
fallback-part-tip = tip { $amount }
fallback-part-fees = fees { $amount }
fallback-part-duties = duties { $amount }
fallback-unpaid = { $amount } is still to be paid.
fallback-tracking = { $parcels ->
    [0] It has not been shipped yet.
    [1] Its tracking number is { $numbers }.
   *[other] Its tracking numbers are { $numbers }.
  }
fallback-no-tracking = It was sent without a tracking number.
fallback-orders = Your orders: { $orders }.
fallback-one-order = { $number } is { $status } ({ $total })
fallback-no-refund = No refund has been made on order { $number }; { $paid } was paid.
fallback-refunds = On order { $number } we refunded { $refunds }.
fallback-products = I found: { $products }.
fallback-sold-out = { $name } (sold out)
fallback-product = { $name } (from { $price })
fallback-article = { $excerpt } (From our help page “{ $title }”.)
fallback-profile = You are { $name } ({ $email }), { $address }. Payment methods: { $methods }.
fallback-no-address = no address
fallback-no-methods = none
