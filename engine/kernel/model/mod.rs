//! The nouns: plain data that every other module speaks about. Nothing here decides or computes.

pub mod attached;
pub mod command;
pub mod decision;
pub mod definition;
pub mod desk;
pub mod directory;
pub mod event;
pub mod fact;
pub mod item;
pub mod links;
pub mod problem;
pub mod renames;
pub mod report;
pub mod step;
pub mod story;
pub mod value;

/// An identifier out of a rule set (a state, an action, a field …), shared and cheap to copy.
pub type Name = std::sync::Arc<str>;
