//! Tests of the pure kernel, one file a module.

mod render;
