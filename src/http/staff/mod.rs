//! The staff's side, a file for each thing they do.

pub mod audit;
pub mod conversations;
pub mod doctor;
pub mod help;
pub mod members;
pub mod origins;
pub mod outgoing;
pub mod policies;
pub mod queue;
pub mod sessions;
pub mod status;
pub mod usage;
