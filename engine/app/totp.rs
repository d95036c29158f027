//! Codes of six digits that a person's device and we make alike from a secret and the time (RFC 6238: HMAC-SHA-1, half a minute a step, which
//! is what all devices know).

use crate::kernel::time::Instant;
use crate::store::second::Secret;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

/// In seconds.
const STEP: i64 = 30;
const DIGITS: usize = 6;
/// A device may be so many steps early or late, and a person slow.
const AROUND: i64 = 1;
/// Of RFC 4648.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// 160 random bits, as RFC 4226 advises.
pub fn new_secret() -> Secret {
    Secret(base32(&rand::random::<[u8; 20]>()))
}

/// Bytes in base32, without padding.
pub fn base32(bytes: &[u8]) -> String {
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let value = |five: &[bool]| (0..5).fold(0, |value, at| value << 1 | usize::from(five.get(at).copied().unwrap_or_default()));
    bits.chunks(5).map(|five| char::from(BASE32[value(five)])).collect()
}

fn bytes(base32: &str) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in base32.bytes() {
        held = held << 5 | BASE32.iter().position(|known| *known == c)? as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

/// The code of a step.
pub fn code(secret: &Secret, step: i64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(&bytes(&secret.0)?).ok()?;
    mac.update(&step.to_be_bytes());
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let from = usize::from(digest[19] & 15);
    let four = digest.get(from..from + 4)?.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    Some(format!("{:0DIGITS$}", (four & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32)))
}

/// The step it is.
pub fn step_at(now: Instant) -> i64 {
    now.timestamp().div_euclid(STEP)
}

/// The step after `last` of which this is the code, if it is one of now.
pub fn step_of(secret: &Secret, typed: &str, now: Instant, last: i64) -> Option<i64> {
    let now = step_at(now);
    // All are made, so that the time it takes tells nothing.
    let made: Vec<(i64, Option<String>)> = (now - AROUND..=now + AROUND).map(|step| (step, code(secret, step))).collect();
    made.into_iter().filter(|(step, made)| *step > last && made.as_deref() == Some(typed)).map(|(step, _)| step).next_back()
}

/// What a device reads from a picture: the secret, and whose it is where.
pub fn address(secret: &Secret, office: &str, login: &str) -> String {
    let plain = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("otpauth://totp/{0}:{1}?secret={2}&issuer={0}", plain(office), plain(login), secret.0)
}
