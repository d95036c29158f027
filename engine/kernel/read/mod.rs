//! YAML into nouns: rule sets, the directory and calendars. Every mistake becomes a `Problem` with its place, and reading goes on.
//!
//! `tree` is the only file that knows the YAML libraries. What is read may still be wrong in meaning: that is for `check`.

mod actions;
mod branches;
pub mod calendar;
pub mod characters;
mod deadlines;
pub mod directory;
mod fields;
mod imports;
mod notices;
mod people;
pub mod phrase;
pub mod reader;
mod repair;
mod requests;
pub mod story;
pub mod steps;
pub mod tree;
mod values;
pub mod workflow;
mod world;
