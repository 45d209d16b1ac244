//! Pages, tested in Chromium.

pub mod console;
mod embedding;
mod links;
mod pages;
