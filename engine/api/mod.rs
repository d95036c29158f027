//! The server's interface for programs: readiness, and the local API through which the command line writes while a server holds the file.

pub mod client;
