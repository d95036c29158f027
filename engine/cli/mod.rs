//! The command line: one file a command. Each parses, calls the kernel or the app, and prints for people or, with `--json`, for programs.

pub mod date;
