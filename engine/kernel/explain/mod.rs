//! Why this date, this mail, no mail, this refusal, this person: the derivation's own steps, asked for again and laid out. Sentences are made
//! by `words`.

pub mod action;
pub mod days;
pub mod doers;
pub mod due;
pub mod ladder;
pub mod mail;
pub mod silence;
pub mod values;
pub mod wakeups;
pub mod who;
