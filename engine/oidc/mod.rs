//! Signing in with an identity provider of the office's own: OpenID Connect Core 1.0, the authorization code flow with PKCE (RFC 7636).
//!
//! This knows the provider: what it says of itself, where its login page is, and whom a token of its names. Which person of a directory that
//! is, and whether they may come in, is left to `app`; what binds an answer to a browser, to `web`.

mod setting;
mod token;

use crate::hook::{Asking, Caller, Fault, Net, TlsError};
use crate::kernel::time::Instant;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use token::Key;
use tokio::sync::Mutex;
use tokio::time::Instant as Moment;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

pub use setting::{Setting, SettingError};
pub use token::Claims;

/// What a provider says of itself is asked again after this.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// A provider that did not answer is left alone for so long, so that nobody waits for it in a row.
const PAUSE: Duration = Duration::from_secs(3);
/// A token may name a key that is new; for that the keys are asked again, but not more often than this.
const NEW_KEYS: Duration = Duration::from_secs(10);

/// Why nobody came in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    #[error("the identity provider cannot be reached: {0}")]
    Away(#[from] Fault),
    #[error("the identity provider answers {status} at {what}")]
    Status { what: &'static str, status: u16 },
    #[error("what the identity provider says at {what} cannot be used: {why}")]
    Unusable { what: &'static str, why: String },
    /// The code was used, is too late, or is not for us.
    #[error("the identity provider does not take the code: {0}")]
    Code(String),
    #[error("the token is not good: {0}")]
    Token(&'static str),
}

/// The provider of an office.
pub struct Provider {
    setting: Setting,
    caller: Caller,
    /// Where it sends people back to.
    returns_to: String,
    known: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    found: Option<(Moment, Arc<Known>)>,
    failed: Option<(Moment, No)>,
    /// When the keys were last asked for because of one that nobody knew.
    renewed: Option<Moment>,
}

/// What it says of itself.
#[derive(Debug)]
struct Known {
    metadata: Metadata,
    keys: Vec<Key>,
}

/// OpenID Connect Discovery 1.0, 3: what is used of it.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What a code was exchanged for. Nothing shows it by mistake.
#[derive(Deserialize)]
pub struct Tokens {
    pub id_token: String,
    pub access_token: Option<String>,
}

/// What goes along to the login page of the provider, and has to come back.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub state: &'a str,
    pub nonce: &'a str,
    /// Its SHA-256 goes along (S256); it is shown itself when the code is exchanged.
    pub verifier: &'a str,
}

impl Provider {
    /// `origin` is that of our own pages. Nothing is asked of the provider yet.
    pub fn new(setting: Setting, origin: &str) -> Result<Provider, TlsError> {
        // The settings name it; whoever writes them may have it anywhere.
        let caller = Caller::new(vec![Net::ALL])?;
        Ok(Provider { setting, caller, returns_to: format!("{origin}{RETURN}"), known: Mutex::default() })
    }

    pub fn title(&self) -> Option<&str> {
        self.setting.title.as_deref()
    }

    /// Whether an answer names another provider (RFC 9207).
    pub fn is_strange(&self, issuer: Option<&str>) -> bool {
        issuer.is_some_and(|issuer| issuer != self.setting.issuer)
    }

    /// The address of its login page.
    pub async fn login_page(&self, asked: Asked<'_>) -> Result<String, No> {
        let known = self.known().await?;
        let mut page = self.address("the address of the login page", &known.metadata.authorization_endpoint)?;
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.setting.client_id)
            .append_pair("redirect_uri", &self.returns_to)
            .append_pair("scope", &self.setting.scope())
            .append_pair("state", asked.state)
            .append_pair("nonce", asked.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(asked.verifier)))
            .append_pair("code_challenge_method", "S256");
        Ok(page.into())
    }

    /// Exchanges a code.
    pub async fn redeem(&self, code: &str, verifier: &str) -> Result<Tokens, No> {
        let what = "the address of tokens";
        let known = self.known().await?;
        let address = self.address(what, &known.metadata.token_endpoint)?;
        let (headers, body) = self.exchange(&known.metadata.token_endpoint_auth_methods_supported, code, verifier);
        let kind = Some("application/x-www-form-urlencoded");
        let asking = Asking { method: "POST", url: address.as_str(), headers: &headers, kind, body: &body };
        let (status, text) = self.caller.fetch(asking).await?;
        match status.0 {
            200 => serde_json::from_str(&text).map_err(|error| No::Unusable { what, why: error.to_string() }),
            400 | 401 => {
                #[derive(Default, Deserialize)]
                struct Refused {
                    error: String,
                }
                let refused: Refused = serde_json::from_str(&text).unwrap_or_default();
                Err(No::Code(refused.error.chars().take(60).collect()))
            }
            status => Err(No::Status { what, status }),
        }
    }

    /// The headers and the form with which a code is exchanged.
    fn exchange(&self, methods: &[String], code: &str, verifier: &str) -> (Vec<(&'static str, String)>, String) {
        let (id, secret) = (&self.setting.client_id, self.setting.client_secret.as_deref());
        let mut body = Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code").append_pair("code", code);
        body.append_pair("redirect_uri", &self.returns_to).append_pair("code_verifier", verifier);
        let knows = |method: &str| methods.iter().any(|known| known == method);
        let mut headers = vec![("accept", "application/json".to_string())];
        match secret {
            // RFC 6749, 2.3.1: both are encoded as in a form first.
            Some(secret) if methods.is_empty() || knows("client_secret_basic") || !knows("client_secret_post") => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let both = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
                headers.push(("authorization", format!("Basic {both}")));
            }
            Some(secret) => {
                body.append_pair("client_id", id).append_pair("client_secret", secret);
            }
            None => {
                body.append_pair("client_id", id);
            }
        }
        (headers, body.finish())
    }

    /// What an id token says, if it is the provider's, for us, for this nonce, and good now.
    pub async fn verify(&self, id_token: &str, nonce: &str, now: Instant) -> Result<Claims, No> {
        let signed = token::read(id_token).map_err(No::Token)?;
        let mut known = self.known().await?;
        if !signed.knows_key(&known.keys) {
            known = self.new_keys().await?;
        }
        let claims = signed.verify(&known.keys).map_err(No::Token)?;
        token::check(&claims, token::Wanted { issuer: &self.setting.issuer, client: &self.setting.client_id, nonce, now })
            .map_err(No::Token)?;
        Ok(claims)
    }

    /// Whom the claims name by the claim that the settings choose; the provider is asked for it where the token does not say.
    pub async fn names(&self, tokens: &Tokens, claims: &Claims) -> Result<Option<String>, No> {
        if let Some(named) = self.named(claims) {
            return Ok(Some(named));
        }
        let what = "the address of what is known of a person";
        let known = self.known().await?;
        let (Some(address), Some(access)) = (&known.metadata.userinfo_endpoint, &tokens.access_token) else { return Ok(None) };
        let address = self.address(what, address)?;
        let headers = [("authorization", format!("Bearer {access}")), ("accept", "application/json".to_string())];
        let asking = Asking { method: "GET", url: address.as_str(), headers: &headers, kind: None, body: "" };
        let (status, text) = self.caller.fetch(asking).await?;
        if status.0 != 200 {
            return Err(No::Status { what, status: status.0 });
        }
        let more: Claims = serde_json::from_str(&text).map_err(|error| No::Unusable { what, why: error.to_string() })?;
        // Core, 5.3.2: otherwise it may be what is known of somebody else.
        if more.get("sub") != claims.get("sub") {
            return Err(No::Unusable { what, why: "it speaks of somebody else".into() });
        }
        Ok(self.named(&more))
    }

    /// Whether the provider says that it has asked for a second step itself, in a way that the settings take for one.
    pub fn had_second_step(&self, claims: &Claims) -> bool {
        let ways = claims.get("amr").and_then(|amr| amr.as_array());
        ways.is_some_and(|ways| {
            ways.iter().filter_map(|way| way.as_str()).any(|way| self.setting.second_step_amr.iter().any(|known| known == way))
        })
    }

    fn named(&self, claims: &Claims) -> Option<String> {
        let claim = self.setting.person_claim.as_str();
        // An address that nobody has checked is anybody's.
        if claim == "email" && claims.get("email_verified").is_some_and(|verified| verified != true && verified != "true") {
            return None;
        }
        claims.get(claim)?.as_str().map(str::trim).filter(|named| !named.is_empty()).map(str::to_string)
    }

    /// What it says of itself. Those who ask while somebody else does wait for the same answer.
    async fn known(&self) -> Result<Arc<Known>, No> {
        let mut cache = self.known.lock().await;
        match (&cache.found, &cache.failed) {
            (Some((at, known)), _) if at.elapsed() < KEPT => return Ok(known.clone()),
            (_, Some((at, no))) if at.elapsed() < PAUSE => return Err(no.clone()),
            _ => {}
        }
        self.discover(&mut cache).await
    }

    async fn new_keys(&self) -> Result<Arc<Known>, No> {
        let mut cache = self.known.lock().await;
        if let (Some(at), Some((_, known))) = (cache.renewed, &cache.found) {
            if at.elapsed() < NEW_KEYS {
                return Ok(known.clone());
            }
        }
        cache.renewed = Some(Moment::now());
        self.discover(&mut cache).await
    }

    async fn discover(&self, cache: &mut Cache) -> Result<Arc<Known>, No> {
        match self.ask_itself().await {
            Ok(known) => {
                let known = Arc::new(known);
                (cache.found, cache.failed) = (Some((Moment::now(), known.clone())), None);
                Ok(known)
            }
            Err(no) => {
                tracing::warn!(issuer = %self.setting.issuer, error = %no, "the identity provider does not say what it is");
                cache.failed = Some((Moment::now(), no.clone()));
                Err(no)
            }
        }
    }

    async fn ask_itself(&self) -> Result<Known, No> {
        let what = "its configuration";
        let address = format!("{}/.well-known/openid-configuration", self.setting.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(what, &address).await?;
        if metadata.issuer != self.setting.issuer {
            return Err(No::Unusable { what, why: format!("it calls itself `{}`", metadata.issuer.chars().take(200).collect::<String>()) });
        }
        let keys = self.address("the address of its keys", &metadata.jwks_uri)?;
        let keys: token::Keys = self.get("the address of its keys", keys.as_str()).await?;
        Ok(Known { metadata, keys: keys.usable() })
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &'static str, url: &str) -> Result<T, No> {
        let headers = [("accept", "application/json".to_string())];
        let (status, text) = self.caller.fetch(Asking { method: "GET", url, headers: &headers, kind: None, body: "" }).await?;
        if status.0 != 200 {
            return Err(No::Status { what, status: status.0 });
        }
        serde_json::from_str(&text).map_err(|error| No::Unusable { what, why: error.to_string() })
    }

    /// An address that the provider names: what it has is not told to anybody who listens on the way.
    fn address(&self, what: &'static str, text: &str) -> Result<Url, No> {
        let unusable = |why: &str| No::Unusable { what, why: why.to_string() };
        let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
        let plain = self.setting.issuer.starts_with("http:");
        match url.scheme() {
            "https" => Ok(url),
            "http" if plain => Ok(url),
            _ => Err(unusable("it is not https")),
        }
    }
}

/// The page of ours to which the provider sends people back.
pub const RETURN: &str = "/sign-in/provider/back";
