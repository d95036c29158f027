//! Items carried through dates in memory, on the same derive and decide as a live office. Rule tests and simulations are both this.

pub mod coverage;
mod expect;
pub mod explore;
pub mod forecast;
pub mod idle;
pub mod names;
mod never;
mod people;
pub mod replay;
pub mod run;
pub mod stories;
mod tables;
pub mod world;
