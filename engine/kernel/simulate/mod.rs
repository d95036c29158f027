//! Items carried through dates in memory, on the same derive and decide as a live office. Rule tests and simulations are both this.

pub mod coverage;
pub mod run;
pub mod world;
