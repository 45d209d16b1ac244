//! Documents: whether they are valid in the schema of `tests/fixtures/shopify.graphql`, and what they cost.

use std::sync::LazyLock;

use apollo_compiler::{
    ExecutableDocument, Schema,
    executable::{Field, Operation, Selection, SelectionSet, Value as Literal},
    response::JsonMap,
    validation::{DiagnosticList, Valid},
};
use serde_json::{Value, json};

pub(super) static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    let sdl = include_str!("../../../fixtures/shopify.graphql");
    Schema::parse_and_validate(sdl, "shopify.graphql").unwrap_or_else(|errors| panic!("{}", errors.errors))
});

/// A document that is valid, or the errors that Shopify answers.
pub(super) fn parse(query: &str) -> Result<Valid<ExecutableDocument>, Vec<Value>> {
    ExecutableDocument::parse_and_validate(&SCHEMA, query, "request").map_err(|invalid| errors(&invalid.errors))
}

fn errors(list: &DiagnosticList) -> Vec<Value> {
    let found = list.iter().map(|diagnostic| {
        let text = diagnostic.error.to_string();
        let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let name = diagnostic.error.unstable_error_name().unwrap_or("Invalid");
        let locations = diagnostic
            .line_column_range()
            .map(|range| json!([{ "line": range.start.line, "column": range.start.column }]));
        let (message, extensions) = match (name, quoted.as_slice()) {
            ("UndefinedField", [ty, field]) => (
                format!("Field '{field}' doesn't exist on type '{ty}'"),
                json!({ "code": "undefinedField", "typeName": ty, "fieldName": field }),
            ),
            ("UndefinedArgument", [argument, coordinate, ..]) => {
                let field = coordinate.rsplit('.').next().unwrap_or_default();
                (
                    format!("Field '{field}' doesn't accept argument '{argument}'"),
                    json!({ "code": "argumentNotAccepted", "argumentName": argument }),
                )
            }
            _ => (text.clone(), json!({ "code": name })),
        };
        json!({ "message": message, "locations": locations, "extensions": extensions })
    });
    found.collect()
}

/// The most that one query may cost.
pub(super) const MAX_COST: u64 = 1000;

/// What a list of so many costs, in objects: Shopify's costs grow slower than lists. Measured at a real shop; between these it is as steep
/// as a line.
const SIZES: [(f64, f64); 9] = [
    (0., 0.),
    (1., 1.),
    (3., 2.),
    (5., 3.),
    (10., 4.),
    (20., 5.),
    (50., 7.),
    (100., 9.),
    (250., 11.),
];

fn objects_of(first: u64) -> u64 {
    let wanted = first as f64;
    let next = SIZES
        .iter()
        .position(|(size, _)| *size >= wanted)
        .unwrap_or(SIZES.len() - 1)
        .max(1);
    let ((low, from), (high, to)) = (SIZES[next - 1], SIZES[next]);
    (from + (to - from) * (wanted - low) / (high - low)).ceil() as u64
}

/// What an operation costs before it is executed: an object 1, a mutation 10, a list 2 and its objects. Money is free.
pub(super) fn cost(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> u64 {
    let counted = Costs { document, variables };
    match operation.is_mutation() {
        true => operation.selection_set.selections.len() as u64 * 10,
        false => counted.of(&operation.selection_set),
    }
}

struct Costs<'a> {
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
}

impl Costs<'_> {
    fn of(&self, set: &SelectionSet) -> u64 {
        let costs = set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.of_field(field),
            Selection::InlineFragment(part) => self.of(&part.selection_set),
            Selection::FragmentSpread(spread) => self
                .document
                .fragments
                .get(&spread.fragment_name)
                .map_or(0, |fragment| self.of(&fragment.selection_set)),
        });
        costs.sum()
    }

    fn of_field(&self, field: &Field) -> u64 {
        let ty = field.definition.ty.inner_named_type().as_str();
        if field.selection_set.is_empty() || matches!(ty, "MoneyBag" | "MoneyV2" | "PageInfo") {
            return 0;
        }
        if ty.ends_with("Connection") {
            let size = ["first", "last"].iter().find_map(|name| self.number(field, name));
            return 2 + objects_of(size.unwrap_or_default()) * self.of(&field.selection_set);
        }
        match ty.ends_with("Edge") {
            true => self.of(&field.selection_set),
            false => 1 + self.of(&field.selection_set),
        }
    }

    fn number(&self, field: &Field, name: &str) -> Option<u64> {
        match &**field.argument_by_name(name).ok()? {
            Literal::Int(number) => number.as_str().parse().ok(),
            Literal::Variable(name) => self.variables.get(name.as_str())?.as_u64(),
            _ => None,
        }
    }
}
