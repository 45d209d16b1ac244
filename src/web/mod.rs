//! Pages for people: server-rendered, without a build step.

pub mod inbox;
