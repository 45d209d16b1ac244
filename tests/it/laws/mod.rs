//! Tests of the source tree, the schema and the documents.

mod checklist;
mod database_laws;
mod deployment;
mod glossary;
mod imports;
pub mod openapi;
mod problems;
mod templates;
