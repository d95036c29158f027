//! The author's tools: a rule set said in sentences, compared with another by meaning, drawn, described to editors, and put in order.
//!
//! All of it is read off the typed rule set; nothing here checks or runs anything.

pub mod clauses;
pub mod diff;
pub mod graph;
pub mod layout;
pub mod say;
pub mod schema;
mod speaker;
mod spoken;

pub use speaker::Speaker;
