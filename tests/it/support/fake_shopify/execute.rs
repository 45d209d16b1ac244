//! Answers GraphQL documents from the world: exactly the fields that are selected, in the shape of the schema.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

use apollo_compiler::{
    resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::JsonValue,
    schema::ExtendedType,
};
use serde_json::{Value, json};

use super::{
    bulk,
    connection::{self, Connection, Source},
    derived, money, mutations,
    search::Filter,
    world::{Kind, SortKey, Window, World, find},
};

type Resolved<'a> = Result<ResolvedValue<'a>, FieldError>;

/// What one document is executed with.
pub(super) struct Context<'w> {
    pub world: &'w RefCell<World>,
    /// How many objects were answered, which the query's actual cost follows from.
    pub objects: Cell<usize>,
    /// In a bulk operation, the part of the list at the root that is executed now. Lists inside it are whole.
    pub bulk: Option<Window>,
    /// The last object of that part, if others may follow.
    pub bulk_last: Cell<Option<(i64, u64)>>,
}

impl Context<'_> {
    pub(super) fn node(&self, gid: &str) -> Option<Value> {
        self.world.borrow().node(gid)
    }
}

pub(super) fn error(message: impl Into<String>) -> FieldError {
    FieldError {
        message: message.into(),
    }
}

pub(super) fn arguments(info: &ResolveInfo<'_>) -> Value {
    serde_json::to_value(info.arguments()).expect("JSON")
}

/// An object of the world, or a part of one.
pub(super) struct Object<'a> {
    pub context: &'a Context<'a>,
    pub ty: String,
    pub value: Cow<'a, Value>,
    pub root: Root<'a>,
}

/// The object that an object is a part of, which most often is an order.
pub(super) enum Root<'a> {
    Itself,
    Shared(&'a Value),
    Own(Box<Value>),
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.ty
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let name = info.field_name();
        let root: &Value = match &self.root {
            Root::Itself => &self.value,
            Root::Shared(root) => root,
            Root::Own(root) => root,
        };
        let value = match self.value.get(name) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(self.compute(root, name, &arguments(info))),
        };
        resolve(self.context, info, value, Some(root))
    }
}

impl Object<'_> {
    fn compute(&self, root: &Value, name: &str, arguments: &Value) -> Value {
        let id = || self.value["id"].as_str().expect("an id");
        match (self.ty.as_str(), name) {
            ("Order", "suggestedRefund") => derived::suggested_refund(&self.value, arguments),
            ("Customer", "numberOfOrders" | "orders") => {
                let world = self.context.world.borrow();
                let filter = Filter::parse(&format!("customer_id:{}", id()));
                let orders = world.list(Kind::Order, &filter, SortKey::Id, Window::ALL);
                match name {
                    "orders" => orders.into_iter().map(|(_, id)| json!(Kind::Order.gid(id))).collect(),
                    _ => json!(orders.len().to_string()),
                }
            }
            ("RefundLineItem", "restocked") => json!(self.value["restockType"] != "NO_RESTOCK"),
            (ty, name) => derived::field(ty, &self.value, root, name).unwrap_or_default(),
        }
    }
}

/// Makes what a field answers of the value that an object has for it.
pub(super) fn resolve<'a>(
    context: &'a Context<'a>,
    info: &ResolveInfo<'a>,
    value: Cow<'a, Value>,
    root: Option<&'a Value>,
) -> Resolved<'a> {
    let ty = &info.field_definition().ty;
    let inner = ty.inner_named_type().as_str().to_owned();
    if let Some(node) = inner.strip_suffix("Connection") {
        let items: Vec<Cow<'a, Value>> = match value {
            Cow::Borrowed(Value::Array(items)) => items.iter().map(Cow::Borrowed).collect(),
            Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
            _ => Vec::new(),
        };
        let sources = items
            .into_iter()
            .enumerate()
            .map(|(place, item)| ((place as i64, place as u64), Source::Value(item)));
        let connection = Connection::of(context, node, sources.collect(), &arguments(info), root)?;
        return Ok(ResolvedValue::object(connection));
    }
    let is_object = matches!(
        info.schema().types.get(inner.as_str()),
        Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
    );
    if !is_object {
        let leaf = match (&*value, inner.as_str()) {
            (Value::Number(number), "UnsignedInt64" | "Decimal" | "Money") => json!(number.to_string()),
            _ => value.into_owned(),
        };
        return Ok(match leaf {
            Value::Array(items) if ty.is_list() => {
                ResolvedValue::list(items.into_iter().map(|item| ResolvedValue::leaf(JsonValue::from(item))))
            }
            leaf => ResolvedValue::leaf(JsonValue::from(leaf)),
        });
    }
    if !ty.is_list() {
        return Ok(child(context, &inner, value, root));
    }
    let first = info.arguments().get("first").and_then(JsonValue::as_u64);
    let most = first.map_or(usize::MAX, |first| first as usize);
    let children: Vec<ResolvedValue<'a>> = match value {
        Cow::Borrowed(Value::Array(items)) => items
            .iter()
            .take(most)
            .map(|item| child(context, &inner, Cow::Borrowed(item), root))
            .collect(),
        Cow::Owned(Value::Array(items)) => items
            .into_iter()
            .take(most)
            .map(|item| child(context, &inner, Cow::Owned(item), root))
            .collect(),
        _ => return Ok(ResolvedValue::null()),
    };
    Ok(ResolvedValue::list(children))
}

/// An object that a value is or means. An id means an object of the world, or a part of the same order; an amount means a money bag.
pub(super) fn child<'a>(
    context: &'a Context<'a>,
    ty: &str,
    value: Cow<'a, Value>,
    root: Option<&'a Value>,
) -> ResolvedValue<'a> {
    let (ty, value, root) = match (&*value, ty) {
        (Value::Null, _) => return ResolvedValue::null(),
        (Value::String(_) | Value::Number(_), "MoneyBag" | "MoneyV2") => {
            let order = root.unwrap_or(&Value::Null);
            let currency = order["currencyCode"]
                .as_str()
                .map_or_else(|| context.world.borrow().currency(), Into::into);
            let money = json!({ "amount": money::decimal(money::of(&value)), "currencyCode": currency });
            let bag = if ty == "MoneyBag" {
                json!({ "shopMoney": money, "presentmentMoney": money })
            } else {
                money
            };
            (ty.to_owned(), Cow::Owned(bag), Root::Itself)
        }
        (Value::String(gid), _) => {
            let ty = type_of(gid, ty);
            if let Some((root, found)) = root.and_then(|root| Some((root, find(root, gid)?))) {
                (ty, Cow::Borrowed(found), Root::Shared(root))
            } else if let Some(found) = context.node(gid) {
                (ty, Cow::Owned(found), Root::Itself)
            } else {
                let Some(order) = context.world.borrow().order_with(gid) else {
                    return ResolvedValue::null();
                };
                let found = find(&order, gid).expect("found").clone();
                (ty, Cow::Owned(found), Root::Own(Box::new(order)))
            }
        }
        (Value::Object(object), _) => {
            let ty = match (object.get("__typename"), object.get("id")) {
                (Some(Value::String(name)), _) => name.clone(),
                (None, Some(Value::String(gid))) if gid.starts_with("gid://") => type_of(gid, ty),
                _ => ty.to_owned(),
            };
            (ty, value, root.map_or(Root::Itself, Root::Shared))
        }
        (other, ty) => panic!("{other} is no {ty}"),
    };
    if !matches!(ty.as_str(), "MoneyBag" | "MoneyV2") {
        context.objects.set(context.objects.get() + 1);
    }
    ResolvedValue::object(Object {
        context,
        ty,
        value,
        root,
    })
}

fn type_of(gid: &str, declared: &str) -> String {
    let named = gid
        .strip_prefix("gid://shopify/")
        .and_then(|rest| rest.split('/').next());
    named.unwrap_or(declared).to_owned()
}

/// `QueryRoot` or `Mutation`.
pub(super) struct Operation<'a> {
    pub context: &'a Context<'a>,
    pub ty: &'static str,
}

impl ObjectValue for Operation<'_> {
    fn type_name(&self) -> &str {
        self.ty
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let arguments = arguments(info);
        let name = info.field_name();
        let world = self.context.world;
        if let Some(scope) = scope_of(name)
            && !world.borrow().scopes.iter().any(|granted| granted == scope)
        {
            return Err(error(format!(
                "Access denied for {name} field. Required access: `{scope}` access scope."
            )));
        }
        if self.ty == "Mutation" {
            let payload = mutations::run(&mut world.borrow_mut(), name, &arguments);
            return resolve(self.context, info, Cow::Owned(payload), None);
        }
        let id = arguments["id"].as_str().unwrap_or_default();
        let (kind, keys) = match name {
            "orders" => (Kind::Order, "CREATED_AT PROCESSED_AT"),
            "customers" => (Kind::Customer, "CREATED_AT"),
            "products" => (Kind::Product, "CREATED_AT"),
            "productVariants" => (Kind::ProductVariant, ""),
            _ => {
                let value = self.one(name, id, &arguments);
                return resolve(self.context, info, Cow::Owned(value), None);
            }
        };
        let filter = Filter::parse(arguments["query"].as_str().unwrap_or_default());
        world
            .borrow_mut()
            .books
            .unknown_search_terms
            .extend(filter.unknown.iter().cloned());
        let key = match arguments["sortKey"].as_str() {
            Some("UPDATED_AT") => SortKey::Updated,
            Some(key) if keys.split(' ').any(|known| known == key) => SortKey::Created,
            _ => SortKey::Id,
        };
        let forward = arguments["reverse"] != true && arguments["before"].is_null();
        let window = match (self.context.bulk, arguments["first"].as_u64()) {
            (Some(window), _) => window,
            (None, Some(first)) if forward => Window {
                after: connection::read_cursor(&arguments["after"])?,
                most: first as usize + 1,
            },
            _ => Window::ALL,
        };
        let found = world.borrow().list(kind, &filter, key, window);
        self.context
            .bulk_last
            .set(found.last().copied().filter(|_| found.len() == window.most));
        let sources = found.into_iter().map(|(key, id)| ((key, id), Source::Listed(kind, id)));
        let connection = Connection::of(self.context, &format!("{kind:?}"), sources.collect(), &arguments, None)?;
        Ok(ResolvedValue::object(connection))
    }
}

impl Operation<'_> {
    /// The value of a field that is no list of the world.
    fn one(&self, name: &str, id: &str, arguments: &Value) -> Value {
        match (name, id) {
            ("currentBulkOperation", _) => return bulk::poll(self.context.world, None),
            ("node", id) if id.starts_with("gid://shopify/BulkOperation/") => {
                return bulk::poll(self.context.world, Some(id));
            }
            _ => {}
        }
        let world = self.context.world.borrow();
        match name {
            "shop" => world.shop.clone(),
            "currentAppInstallation" => {
                let scopes = world
                    .scopes
                    .iter()
                    .map(|scope| json!({ "handle": scope, "description": scope }));
                json!({ "id": "gid://shopify/AppInstallation/1", "accessScopes": scopes.collect::<Vec<_>>() })
            }
            "node" => json!(id),
            "nodes" => arguments["ids"].clone(),
            "job" => match world.books.jobs.iter().any(|job| job == id) {
                true => json!({ "id": id, "done": true }),
                false => Value::Null,
            },
            "webhookSubscriptions" => {
                let wanted = |webhook: &&super::books::WebhookSubscription| {
                    let topics = arguments["topics"].as_array();
                    topics.is_none_or(|topics| topics.iter().any(|topic| *topic == webhook.topic))
                        && ["uri", "callbackUrl"]
                            .iter()
                            .all(|name| arguments[name].is_null() || arguments[name] == webhook.address)
                };
                world
                    .books
                    .webhooks
                    .iter()
                    .filter(wanted)
                    .map(|webhook| webhook.object.clone())
                    .collect()
            }
            "codeDiscountNodeByCode" => {
                let code = arguments["code"].as_str().unwrap_or_default();
                let found = world
                    .books
                    .discount_codes
                    .iter()
                    .find(|known| known.code.eq_ignore_ascii_case(code));
                found.map_or(Value::Null, mutations::discount_node)
            }
            // Each takes the id of its own kind only.
            name => {
                let kind = type_of(id, "");
                let same = kind.eq_ignore_ascii_case(name);
                if same { json!(id) } else { Value::Null }
            }
        }
    }
}

fn scope_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "order" | "orders" => "read_orders",
        "customer" | "customers" => "read_customers",
        "product" | "products" | "productVariant" | "productVariants" => "read_products",
        "return" => "read_returns",
        "orderCancel" | "refundCreate" | "orderUpdate" | "tagsAdd" => "write_orders",
        "returnRequest" | "returnCreate" | "returnApproveRequest" => "write_returns",
        "discountCodeBasicCreate" => "write_discounts",
        _ => return None,
    })
}
