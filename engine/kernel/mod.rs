//! All that is pure: no clock, no I/O, no randomness, no async. The caller passes in `now`, the rules and the calendar.

pub mod access;
pub mod agenda;
pub mod author;
pub mod calendar;
pub mod check;
pub mod decide;
pub mod derive;
pub mod explain;
pub mod form;
pub mod model;
pub mod plan;
pub mod read;
pub mod render;
pub mod report;
pub mod rules;
pub mod similar;
pub mod simulate;
pub mod time;
pub mod words;
