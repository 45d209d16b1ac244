//! Connections: lists in pages, as Relay defines them.

use std::borrow::Cow;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    execute::{Context, child, error},
    world::Kind,
};

/// A node that is at hand, or is made when it is selected.
pub(super) enum Source<'a> {
    Value(Cow<'a, Value>),
    Listed(Kind, u64),
}

type Keyed<'a> = ((i64, u64), Source<'a>);

pub(super) struct Connection<'a> {
    context: &'a Context<'a>,
    node: String,
    ty: String,
    edge: String,
    page: Vec<Keyed<'a>>,
    has_next: bool,
    has_previous: bool,
    root: Option<&'a Value>,
}

fn cursor((key, id): (i64, u64)) -> String {
    BASE64_STANDARD.encode(json!({ "last_id": id, "last_value": key.to_string() }).to_string())
}

pub(super) fn read_cursor(text: &Value) -> Result<Option<(i64, u64)>, FieldError> {
    let Some(text) = text.as_str() else { return Ok(None) };
    let read = || {
        let json: Value = serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok()?;
        Some((json["last_value"].as_str()?.parse().ok()?, json["last_id"].as_u64()?))
    };
    read()
        .map(Some)
        .ok_or_else(|| error(format!("Invalid cursor for current pagination sort: {text}")))
}

impl<'a> Connection<'a> {
    /// The page of a list that the arguments ask for. The list is in ascending order of its keys.
    pub(super) fn of(
        context: &'a Context<'a>,
        node: &str,
        mut all: Vec<Keyed<'a>>,
        arguments: &Value,
        root: Option<&'a Value>,
    ) -> Result<Self, FieldError> {
        // A bulk operation ignores how much of a list it asks for.
        if context.bulk.is_some() {
            return Ok(Self::new(context, node, all, (false, false), root));
        }
        let reverse = arguments["reverse"] == true;
        if reverse {
            all.reverse();
        }
        let (after, before) = (read_cursor(&arguments["after"])?, read_cursor(&arguments["before"])?);
        let length = all.len();
        if let Some(after) = after {
            all.retain(|(key, _)| if reverse { *key < after } else { *key > after });
        }
        let mut has_previous = after.is_some() || all.len() < length;
        let length = all.len();
        if let Some(before) = before {
            all.retain(|(key, _)| if reverse { *key > before } else { *key < before });
        }
        let mut has_next = all.len() < length;
        match (arguments["first"].as_i64(), arguments["last"].as_i64()) {
            (Some(_), Some(_)) => return Err(error("providing both first and last is not supported")),
            (Some(count), None) | (None, Some(count)) if !(0..=250).contains(&count) => {
                return Err(error(format!("{count} is not a number of objects between 0 and 250")));
            }
            (Some(first), None) => {
                has_next |= all.len() > first as usize;
                all.truncate(first as usize);
            }
            (None, Some(last)) => {
                let cut = all.len().saturating_sub(last as usize);
                has_previous |= cut > 0;
                all.drain(..cut);
            }
            (None, None) => return Err(error("you must provide one of first or last")),
        }
        Ok(Self::new(context, node, all, (has_next, has_previous), root))
    }

    fn new(
        context: &'a Context<'a>,
        node: &str,
        page: Vec<Keyed<'a>>,
        (has_next, has_previous): (bool, bool),
        root: Option<&'a Value>,
    ) -> Self {
        let (ty, edge) = (format!("{node}Connection"), format!("{node}Edge"));
        Self {
            context,
            node: node.to_owned(),
            ty,
            edge,
            page,
            has_next,
            has_previous,
            root,
        }
    }

    fn node(&self, source: &Source<'a>) -> ResolvedValue<'a> {
        let value = match source {
            Source::Value(value) => value.clone(),
            Source::Listed(kind, id) => Cow::Owned(self.context.world.borrow().get(*kind, *id).unwrap_or_default()),
        };
        child(self.context, &self.node, value, self.root)
    }
}

impl ObjectValue for Connection<'_> {
    fn type_name(&self) -> &str {
        &self.ty
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        match info.field_name() {
            "nodes" => Ok(ResolvedValue::list(
                self.page.iter().map(|(_, source)| self.node(source)),
            )),
            "edges" => Ok(ResolvedValue::list((0..self.page.len()).map(|place| {
                ResolvedValue::object(Edge {
                    connection: self,
                    place,
                })
            }))),
            "pageInfo" => {
                let cursor_of = |end: Option<&Keyed<'_>>| end.map(|(key, _)| cursor(*key));
                let info = json!({ "hasNextPage": self.has_next, "hasPreviousPage": self.has_previous,
                    "startCursor": cursor_of(self.page.first()), "endCursor": cursor_of(self.page.last()) });
                Ok(child(self.context, "PageInfo", Cow::Owned(info), None))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct Edge<'a> {
    connection: &'a Connection<'a>,
    place: usize,
}

impl ObjectValue for Edge<'_> {
    fn type_name(&self) -> &str {
        &self.connection.edge
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let (key, source) = &self.connection.page[self.place];
        match info.field_name() {
            "cursor" => Ok(ResolvedValue::leaf(cursor(*key))),
            "node" => Ok(self.connection.node(source)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
