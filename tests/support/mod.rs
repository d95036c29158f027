//! What several tests share: worlds, calendars, servers. Nothing here asserts.

pub mod calendar;
