#![doc = include_str!("README.md")]

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod files;
pub mod generate;
pub mod kernel;
pub mod mail;
pub mod observe;
pub mod scheduler;
pub mod serve;
pub mod sheet;
pub mod store;
