//! An id token: a JWS in its compact form (RFC 7515), its keys (RFC 7517, 7518), and what has to be true of its claims
//! (OpenID Connect Core 1.0, 3.1.3.7). Signatures are checked by ring; only those of public keys are taken, never `none` or a shared secret.

use crate::kernel::time::Instant;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a provider says of somebody.
pub type Claims = Map<String, Value>;

/// Clocks of two machines differ by no more than this.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// A token that was made longer ago was not made for this.
const OLDEST: TimeDelta = TimeDelta::minutes(15);
/// A longer one is none.
const LONGEST: usize = 32 << 10;

/// What a provider publishes.
#[derive(Deserialize)]
pub struct Keys {
    keys: Vec<Value>,
}

impl Keys {
    /// Those that check signatures in a way that we know.
    pub fn usable(self) -> Vec<Key> {
        let keys = self.keys.into_iter().filter_map(|key| serde_json::from_value::<Key>(key).ok());
        keys.filter(|key| key.used_for.as_deref().is_none_or(|used_for| used_for == "sig")).collect()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    #[serde(flatten)]
    material: Material,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String },
}

impl Key {
    /// Whether this key has made a signature.
    fn made(&self, alg: &str, message: &[u8], made: &[u8]) -> bool {
        if self.alg.as_deref().is_some_and(|own| own != alg) {
            return false;
        }
        match &self.material {
            Material::Rsa { n, e } => {
                let way = match alg {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                let (Some(n), Some(e)) = (decoded(n), decoded(e)) else { return false };
                RsaPublicKeyComponents { n, e }.verify(way, message, made).is_ok()
            }
            Material::Ec { crv, x, y } => {
                let (way, width): (&dyn signature::VerificationAlgorithm, usize) = match (alg, crv.as_str()) {
                    ("ES256", "P-256") => (&signature::ECDSA_P256_SHA256_FIXED, 32),
                    ("ES384", "P-384") => (&signature::ECDSA_P384_SHA384_FIXED, 48),
                    _ => return false,
                };
                let (Some(x), Some(y)) = (decoded(x), decoded(y)) else { return false };
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                x.len() == width && y.len() == width && UnparsedPublicKey::new(way, point).verify(message, made).is_ok()
            }
            Material::Okp { crv, x } => {
                let Some(x) = decoded(x).filter(|_| crv == "Ed25519" && ["EdDSA", "Ed25519"].contains(&alg)) else { return false };
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, made).is_ok()
            }
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that have to be understood, of which we know none.
    crit: Option<Value>,
}

/// A token whose signature nobody has checked yet.
pub struct Signed<'t> {
    header: Header,
    message: &'t str,
    payload: Vec<u8>,
    made: Vec<u8>,
}

/// Takes a token apart. What is wrong with it is told to whoever reads the log.
pub fn read(token: &str) -> Result<Signed<'_>, &'static str> {
    if token.len() > LONGEST {
        return Err("it is too long");
    }
    let (message, made) = token.rsplit_once('.').ok_or("it has no signature")?;
    let (header, payload) = message.split_once('.').ok_or("it has no claims")?;
    let header = decoded(header).and_then(|header| serde_json::from_slice::<Header>(&header).ok()).ok_or("its header cannot be read")?;
    if header.crit.is_some() {
        return Err("its header asks for something that nobody here knows");
    }
    let (payload, made) = (decoded(payload).ok_or("its claims cannot be read")?, decoded(made).ok_or("its signature cannot be read")?);
    Ok(Signed { header, message, payload, made })
}

impl Signed<'_> {
    /// Whether there is a key that it may have been signed with.
    pub fn knows_key(&self, keys: &[Key]) -> bool {
        self.candidates(keys).next().is_some()
    }

    pub fn verify(&self, keys: &[Key]) -> Result<Claims, &'static str> {
        let made = |key: &Key| key.made(&self.header.alg, self.message.as_bytes(), &self.made);
        match self.candidates(keys).any(made) {
            true => serde_json::from_slice(&self.payload).map_err(|_| "its claims cannot be read"),
            false => Err("no key of the provider has signed it"),
        }
    }

    /// The key that it names; any, where it names none.
    fn candidates<'k>(&self, keys: &'k [Key]) -> impl Iterator<Item = &'k Key> {
        let kid = self.header.kid.clone();
        keys.iter().filter(move |key| kid.is_none() || key.kid.is_none() || key.kid == kid)
    }
}

/// Of whom, for whom and when a token has to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub issuer: &'a str,
    pub client: &'a str,
    pub nonce: &'a str,
    pub now: Instant,
}

pub fn check(claims: &Claims, wanted: Wanted<'_>) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(wanted.issuer) {
        return Err("another provider has made it");
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err("it speaks of nobody");
    }
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&wanted.client) {
        return Err("it is for another program");
    }
    // With several, the one for whom it was made is named.
    match claims.get("azp") {
        Some(azp) if azp.as_str() != Some(wanted.client) => return Err("it was made for another program"),
        None if audience.len() > 1 => return Err("it does not say for which program it was made"),
        _ => {}
    }
    if text("nonce") != Some(wanted.nonce) {
        return Err("it belongs to another try");
    }
    let ends = moment(claims.get("exp")).ok_or("it does not say how long it is good")?;
    let made = moment(claims.get("iat")).ok_or("it does not say when it was made")?;
    if wanted.now >= ends + SKEW {
        return Err("it is too late");
    }
    if made > wanted.now + SKEW || moment(claims.get("nbf")).is_some_and(|from| from > wanted.now + SKEW) {
        return Err("it is of a time to come");
    }
    if made < wanted.now - OLDEST {
        return Err("it was made too long ago");
    }
    Ok(())
}

/// Seconds since 1970, perhaps with parts.
fn moment(value: Option<&Value>) -> Option<Instant> {
    let value = value?;
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
    // What is as far away as this is not meant.
    DateTime::from_timestamp(seconds, 0).filter(|_| (0..=9_999_999_999).contains(&seconds))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
