//! One test binary: the list of modules, nothing else. `tests/README.md` says how to add a test.

mod amend;
mod api;
mod app;
mod broken;
mod check;
mod cli;
mod clocks;
mod crash;
mod defects;
mod docs;
mod generate;
mod kernel;
mod mail;
mod moving;
mod nodes;
mod offices;
mod operations;
mod power;
mod rules;
mod sample;
mod serve;
mod sheet;
mod simulation;
mod store;
mod support;
mod tidy;
