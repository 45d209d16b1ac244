//! What Shopify refuses about the query of a bulk operation.

use apollo_compiler::executable::{Field, FragmentMap, Selection, SelectionSet};

use super::schema;

/// The message of what is wrong with a query.
pub(super) fn check(query: &str) -> Result<(), String> {
    let document = schema::parse(query).map_err(|errors| {
        format!(
            "Invalid bulk query: {}",
            errors[0]["message"].as_str().unwrap_or_default()
        )
    })?;
    let operation = document
        .operations
        .get(None)
        .map_err(|_| "Bulk queries must contain exactly one operation.")?;
    if !operation.is_query() {
        return Err("Invalid operation type. Only `query` operations are supported.".into());
    }
    if operation.selection_set.selections.len() != 1 {
        return Err("Bulk queries must have one top level field.".into());
    }
    let mut found = Found::default();
    found.look(&document.fragments, &operation.selection_set, Place::default());
    match found {
        _ if found.connections == 0 => Err("Bulk queries must contain at least one connection.".into()),
        _ if found.top_node => Err("Bulk queries cannot contain a top level `node` field.".into()),
        _ if found.connections > 5 => Err("Bulk queries cannot contain more than 5 connections.".into()),
        _ if found.depth > 2 => {
            Err("Bulk queries cannot contain connections with a nesting depth greater than 2.".into())
        }
        _ if found.in_list => {
            Err("Queries that contain a connection field within a list field are not currently supported.".into())
        }
        _ if !found.nodes.is_empty() => Err(format!(
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: '{} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. Invalid connection fields: '{}'.",
            found.nodes[0],
            found.nodes.join("', '")
        )),
        _ if !found.without_id.is_empty() => Err(format!(
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. Connection fields without 'id': {}.",
            found.without_id.join(", ")
        )),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Found {
    connections: usize,
    depth: usize,
    top_node: bool,
    in_list: bool,
    nodes: Vec<String>,
    without_id: Vec<String>,
}

/// Where in a query one is.
#[derive(Clone, Default)]
struct Place {
    /// The connections that it is in.
    connections: Vec<String>,
    in_list: bool,
}

impl Found {
    fn look(&mut self, fragments: &FragmentMap, set: &SelectionSet, place: Place) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.look_at(fragments, set, field, place.clone()),
                Selection::InlineFragment(part) => self.look(fragments, &part.selection_set, place.clone()),
                Selection::FragmentSpread(spread) => self.look(
                    fragments,
                    &fragments[&spread.fragment_name].selection_set,
                    place.clone(),
                ),
            }
        }
    }

    fn look_at(&mut self, fragments: &FragmentMap, set: &SelectionSet, field: &Field, mut place: Place) {
        let ty = field.definition.ty.inner_named_type().as_str();
        if ty.ends_with("Connection") {
            self.connections += 1;
            self.in_list |= place.in_list;
            if let Some(parent) = place.connections.last() {
                let has_id = set.selections.iter().any(
                    |other| matches!(other, Selection::Field(other) if other.name == "id" && other.alias.is_none()),
                );
                if !has_id {
                    self.without_id.push(parent.clone());
                }
            }
            place.connections.push(field.name.to_string());
            self.depth = self.depth.max(place.connections.len());
            if field
                .selection_set
                .selections
                .iter()
                .any(|part| matches!(part, Selection::Field(part) if part.name == "nodes"))
            {
                self.nodes.push(field.name.to_string());
            }
        } else if field.definition.ty.is_list()
            && !field.selection_set.is_empty()
            && !matches!(field.name.as_str(), "edges" | "nodes")
        {
            place.in_list = true;
        }
        self.top_node |= place.connections.is_empty() && matches!(field.name.as_str(), "node" | "nodes");
        self.look(fragments, &field.selection_set, place);
    }
}
