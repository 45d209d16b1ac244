//! Proposals, decisions and the money that they move.

mod decisions;
mod money;
mod write_tools;
