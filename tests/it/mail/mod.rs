//! Outgoing mail, checked by independent tools.

mod end_to_end;
