//! YAML into nouns: rule sets, the directory and calendars. Every mistake becomes a `Problem` with its place, and reading goes on.
//!
//! `gate` is the only file that knows the YAML libraries. What is read may still be wrong in meaning: that is for `check`.

mod actions;
mod branches;
pub mod calendar;
pub mod characters;
mod deadlines;
pub mod desks;
pub mod directory;
mod fields;
pub mod gate;
mod imports;
pub mod keys;
mod notices;
mod people;
pub mod phrase;
pub mod reader;
mod repair;
mod reports;
mod requests;
pub mod steps;
pub mod story;
pub mod tree;
mod values;
mod walk;
pub mod workflow;
mod world;
