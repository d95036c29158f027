//! A mail address that any server can take: ASCII, one mailbox, nothing that could break out of a command or a header.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(lettre::Address);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It would need SMTPUTF8, which many servers lack.
    #[error("the address `{0}` holds characters outside ASCII")]
    NotAscii(String),
    #[error("`{0}` is not a mail address")]
    Malformed(String),
}

impl Address {
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if !text.is_ascii() {
            return Err(AddressError::NotAscii(text.to_string()));
        }
        let malformed = || AddressError::Malformed(text.escape_default().to_string());
        // A quoted local part or an address literal is legal, but never what a directory means.
        if text.len() > 254 || text.contains(|c: char| c.is_ascii_control() || c == ' ' || "\"<>()[],;:\\".contains(c)) {
            return Err(malformed());
        }
        text.parse().map(Address).map_err(|_| malformed())
    }

    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    pub fn user(&self) -> &str {
        self.0.user()
    }

    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(super) fn to_lettre(&self) -> lettre::Address {
        self.0.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
