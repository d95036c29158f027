//! Signatures of the Standard Webhooks scheme: HMAC-SHA256 over id, moment and body, under a secret that both sides know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

const PREFIX: &str = "whsec_";
/// In bytes, as the scheme asks.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// What both sides know. Nothing shows it by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret is written as whsec_ and 24 to 64 bytes in base64")]
pub struct SecretError;

impl Secret {
    /// Of 32 random bytes.
    pub fn new(random: [u8; 32]) -> Secret {
        Secret(random.to_vec())
    }

    /// As it is written.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        bytes.filter(|bytes| LENGTHS.contains(&bytes.len())).map(Secret).ok_or(SecretError)
    }

    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// What stands in `webhook-signature`. `timestamp` is in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // Keys of any length do (RFC 2104).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}
