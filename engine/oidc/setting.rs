//! What the settings say of the identity provider.

use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use url::{Host, Url};

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// As the provider writes it itself.
    pub issuer: String,
    pub client_id: String,
    /// A client without one is a public one.
    pub client_secret: Option<String>,
    /// The secret, when it shall not stand in the settings.
    pub client_secret_file: Option<PathBuf>,
    /// Asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that names a person: the login of an account, or the name of a person of the directory.
    #[serde(default = "person_claim")]
    pub person_claim: String,
    /// What the provider is called at the door.
    pub title: Option<String>,
    /// Ways of signing in (`amr`, RFC 8176) that the office takes for a second step. With none of them our own is asked.
    #[serde(default)]
    pub second_step_amr: Vec<String>,
}

fn scopes() -> Vec<String> {
    vec!["profile".into(), "email".into()]
}

fn person_claim() -> String {
    "preferred_username".into()
}

/// Nothing shows the secret by mistake.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("issuer", &self.issuer).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Which of them cannot be meant, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    pub name: &'static str,
    pub value: String,
    pub wants: &'static str,
}

impl Setting {
    pub fn scope(&self) -> String {
        let others = self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        std::iter::once("openid").chain(others).collect::<Vec<_>>().join(" ")
    }

    pub fn fits(&self) -> Result<(), SettingError> {
        let no = |name, value: &str, wants| Err(SettingError { name, value: value.to_string(), wants });
        let is_issuer = |url: Url| match url.scheme() {
            "https" => url.query().is_none() && url.fragment().is_none(),
            "http" => is_loopback(&url),
            _ => false,
        };
        if !Url::parse(&self.issuer).is_ok_and(is_issuer) {
            return no(
                "web.oidc.issuer",
                &self.issuer,
                "write the address that the provider calls itself by, with https:// (http:// only on this machine)",
            );
        }
        if self.client_id.is_empty() {
            return no("web.oidc.client_id", "", "write the name under which the provider knows this office");
        }
        if let (Some(_), Some(file)) = (&self.client_secret, &self.client_secret_file) {
            return no("web.oidc.client_secret_file", &file.display().to_string(), "write client_secret or client_secret_file, not both");
        }
        if self.person_claim.is_empty() {
            return no("web.oidc.person_claim", "", "write a claim, as preferred_username or email");
        }
        if self.scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            return no("web.oidc.scopes", &self.scopes.join(" "), "write a list, as [profile, email]");
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}
