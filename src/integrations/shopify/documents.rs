//! The GraphQL documents for Shopify's Admin API. `ops` of the project cannot check them against Shopify's schema, because it is not ours to
//! distribute; the tests check them against the part of it that they use.

/// The version of the API that the documents are written for: <https://shopify.dev/docs/api/usage/versioning>.
pub const API_VERSION: &str = "2025-10";

macro_rules! money {
    ($($field:literal),*) => {
        concat!($($field, " { shopMoney { amount currencyCode } } "),*)
    };
}

/// An order but for its lines. No connection stands in a list, which bulk operations do not take.
macro_rules! order_fields {
    () => {
        concat!(
            "id name email createdAt updatedAt cancelledAt currencyCode taxesIncluded displayFinancialStatus displayFulfillmentStatus ",
            money!(
                "totalPriceSet",
                "currentTotalPriceSet",
                "totalDiscountsSet",
                "currentTotalDiscountsSet",
                "totalTaxSet",
                "currentTotalTaxSet",
                "totalShippingPriceSet",
                "currentShippingPriceSet",
                "totalTipReceivedSet",
                "originalTotalDutiesSet",
                "currentTotalDutiesSet",
                "totalOutstandingSet"
            ),
            "shippingAddress { address1 address2 city province zip country } ",
            "customer { id firstName lastName defaultEmailAddress { emailAddress } defaultAddress { address1 address2 city province zip country } } ",
            "transactions(first: 50) { id kind status gateway amountSet { shopMoney { amount currencyCode } } } ",
            "refunds(first: 50) { id note totalRefundedSet { shopMoney { amount } } } ",
            "fulfillments(first: 20) { id status displayStatus createdAt updatedAt trackingInfo { company number url } } "
        )
    };
}

macro_rules! line_fields {
    () => {
        "id title variantTitle quantity currentQuantity originalUnitPriceSet { shopMoney { amount } } \
         discountAllocations { allocatedAmountSet { shopMoney { amount } } } taxLines { priceSet { shopMoney { amount } } } \
         variant { id } product { id } "
    };
}

macro_rules! product_fields {
    () => {
        "id title descriptionHtml status updatedAt featuredMedia { preview { image { url } } } "
    };
}

macro_rules! variant_fields {
    () => {
        "id price inventoryPolicy inventoryQuantity inventoryItem { tracked } selectedOptions { name value } "
    };
}

macro_rules! customer_fields {
    () => {
        "id firstName lastName updatedAt defaultEmailAddress { emailAddress } defaultAddress { address1 address2 city province zip country } "
    };
}

pub const BULK_PRODUCTS: &str = concat!(
    "{ products { edges { node { ",
    product_fields!(),
    "variants { edges { node { ",
    variant_fields!(),
    "} } } } } } }"
);
pub const BULK_CUSTOMERS: &str = concat!("{ customers { edges { node { ", customer_fields!(), "} } } }");
pub const BULK_ORDERS: &str = concat!(
    "{ orders { edges { node { ",
    order_fields!(),
    "lineItems { edges { node { ",
    line_fields!(),
    "} } } } } } }"
);

pub const PAGE_OF_PRODUCTS: &str = concat!(
    "query ProductsPage($after: String, $query: String) { result: products(first: 10, after: $after, query: $query, sortKey: UPDATED_AT) { nodes { ",
    product_fields!(),
    "variants(first: 100) { nodes { ",
    variant_fields!(),
    "} pageInfo { hasNextPage } } } pageInfo { hasNextPage endCursor } } }"
);
pub const PAGE_OF_CUSTOMERS: &str = concat!(
    "query CustomersPage($after: String, $query: String) { result: customers(first: 100, after: $after, query: $query, sortKey: UPDATED_AT) { nodes { ",
    customer_fields!(),
    "} pageInfo { hasNextPage endCursor } } }"
);
pub const PAGE_OF_ORDERS: &str = concat!(
    "query OrdersPage($after: String, $query: String) { result: orders(first: 10, after: $after, query: $query, sortKey: UPDATED_AT) { nodes { ",
    order_fields!(),
    "lineItems(first: 50) { nodes { ",
    line_fields!(),
    "} pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage endCursor } } }"
);
/// The lines of an order, of which a page shows only the first.
pub const LINES: &str = concat!(
    "query OrderLines($id: ID!, $after: String) { result: order(id: $id) { lineItems(first: 100, after: $after) { nodes { ",
    line_fields!(),
    "} pageInfo { hasNextPage endCursor } } } }"
);
pub const ORDER_BY_NUMBER: &str = concat!(
    "query OrderByNumber($query: String!) { result: orders(first: 3, query: $query) { nodes { ",
    order_fields!(),
    "lineItems(first: 100) { nodes { ",
    line_fields!(),
    "} pageInfo { hasNextPage endCursor } } } } }"
);

pub const SHOP: &str = "query Shop { shop { name currencyCode } currentAppInstallation { accessScopes { handle } } }";
pub const WEBHOOKS: &str = "query Webhooks($after: String) { result: webhookSubscriptions(first: 100, after: $after) { nodes { id topic uri } pageInfo { hasNextPage endCursor } } }";
pub const ADD_WEBHOOK: &str = "mutation AddWebhook($topic: WebhookSubscriptionTopic!, $to: WebhookSubscriptionInput!) { result: webhookSubscriptionCreate(topic: $topic, webhookSubscription: $to) { webhookSubscription { id } userErrors { field } } }";

pub const RUN_BULK: &str = "mutation RunBulk($query: String!) { result: bulkOperationRunQuery(query: $query, groupObjects: true) { bulkOperation { id status } userErrors { field code } } }";
pub const RUNNING_BULK: &str = "query RunningBulk { result: currentBulkOperation { id status query } }";
pub const BULK_OPERATION: &str = "query BulkStatus($id: ID!) { result: node(id: $id) { ... on BulkOperation { id status errorCode objectCount rootObjectCount url } } }";

pub const IS_CANCELLED: &str = "query IsCancelled($id: ID!) { order(id: $id) { cancelledAt } }";
/// Nothing is refunded by it: the ledger's refund is a call of its own.
pub const CANCEL: &str = "mutation Cancel($id: ID!) { result: orderCancel(orderId: $id, reason: CUSTOMER, refund: false, restock: true, notifyCustomer: false) { userErrors: orderCancelUserErrors { code field } } }";
pub const SET_ADDRESS: &str = "mutation SetAddress($id: ID!, $address: MailingAddressInput!) { result: orderUpdate(input: { id: $id, shippingAddress: $address }) { userErrors { field } } }";
pub const TAG: &str =
    "mutation Tag($id: ID!, $tags: [String!]!) { result: tagsAdd(id: $id, tags: $tags) { userErrors { field } } }";
/// Refunds are a list without pages: it is cut after so many.
pub const PAID_AND_REFUNDED: &str = "query PaidAndRefunded($id: ID!) { order(id: $id) { presentmentCurrencyCode currencyCode transactions(first: 50) { id kind status gateway amountSet { shopMoney { amount } presentmentMoney { amount } } } refunds(first: 250) { id note } } }";
pub const REFUND: &str = "mutation Refund($input: RefundInput!) { result: refundCreate(input: $input) { refund { id } userErrors { field } } }";
pub const RETURNABLE: &str = "query Returnable($id: ID!) { order(id: $id) { returns(first: 50) { nodes { id name returnLineItems(first: 50) { nodes { returnReasonNote } } } } fulfillments(first: 50) { status fulfillmentLineItems(first: 100) { nodes { id quantity lineItem { variant { id } refundableQuantity } } } } } }";
pub const RETURN: &str = "mutation Return($input: ReturnInput!) { result: returnCreate(returnInput: $input) { return { id name } userErrors { code field } } }";
pub const ADD_COUPON: &str = "mutation AddCoupon($discount: DiscountCodeBasicInput!) { result: discountCodeBasicCreate(basicCodeDiscount: $discount) { codeDiscountNode { id } userErrors { code field } } }";
