//! Mail that leaves, read by somebody else's tools.

mod end_to_end;
