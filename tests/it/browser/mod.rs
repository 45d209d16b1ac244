//! Pages, tested in Chromium.

mod console;
mod embedding;
mod links;
mod pages;
