//! What several tests share: worlds, calendars, servers. Nothing here asserts.

pub mod calendar;
pub mod checker;
pub mod disk;
pub mod expressions;
pub mod ground;
pub mod line;
pub mod office;
pub mod old;
pub mod postgres;
pub mod rule_set;
pub mod smtp;
pub mod world;
