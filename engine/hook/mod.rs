//! Calling other programs: which addresses may be called, what proves that it was we who called, and one call over HTTP.
//!
//! When to call, what to say and what is recorded of it are left to `app`.

mod call;
mod guard;
mod sign;

pub use call::{Answer, Asking, Caller, Fault, TlsError};
pub use guard::{Net, NetError};
pub use sign::{Secret, SecretError};
