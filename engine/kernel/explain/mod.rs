//! Why this date, why this refusal: the derivation's own steps, asked for again and laid out. Sentences are made by `words`.

pub mod action;
pub mod due;
