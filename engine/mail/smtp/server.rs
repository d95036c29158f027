//! Which server, by which name and password, encrypted how: read from one URL.

use percent_encoding::percent_decode_str;
use std::fmt;
use url::{Host, Url};

#[derive(Clone)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub login: Option<Login>,
    /// A certificate (PEM) to trust beside those of the system, such as that of the office's own authority.
    pub extra_root: Option<Vec<u8>>,
    /// What we call ourselves; the machine's name when empty.
    pub hello_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// `smtps://`: from the first byte.
    FromStart,
    /// STARTTLS, and nothing is sent without it.
    Required,
    /// STARTTLS when the server offers it. The password is never sent without it.
    Opportunistic,
    None,
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error("the mail server's URL cannot be read: {0}")]
    Unreadable(String),
    #[error("the mail server's URL begins with `{0}:`, not with `smtp:` or `smtps:`")]
    Scheme(String),
    #[error("the mail server's URL names no host")]
    NoHost,
    #[error("`tls={0}` is not one of `required`, `opportunistic`, `none`")]
    Tls(String),
    #[error("`{0}` is not known in the mail server's URL")]
    Unknown(String),
    #[error("there is a password but no user in the mail server's URL")]
    NoUser,
    #[error("the user is named in the mail server's URL, but there is no password")]
    NoPassword,
    #[error("the certificate to trust cannot be read: {0}")]
    Certificate(String),
}

impl Server {
    /// `smtp://user:password@host:587?tls=required|opportunistic|none` or `smtps://…`. Without `tls` it is required.
    /// A password given beside the URL (from a file) wins over the one in it.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Server, ServerError> {
        let url = Url::parse(url).map_err(|error| ServerError::Unreadable(error.to_string()))?;
        let mut encryption = match url.scheme() {
            "smtp" => Encryption::Required,
            "smtps" => Encryption::FromStart,
            other => return Err(ServerError::Scheme(other.to_string())),
        };
        for (name, value) in url.query_pairs() {
            if name != "tls" || encryption == Encryption::FromStart {
                return Err(ServerError::Unknown(name.into_owned()));
            }
            encryption = match &*value {
                "required" => Encryption::Required,
                "opportunistic" => Encryption::Opportunistic,
                "none" => Encryption::None,
                _ => return Err(ServerError::Tls(value.into_owned())),
            };
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => decoded(name)?,
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(ServerError::NoHost),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(ServerError::Unknown(url.path().to_string()));
        }
        let password = match (password, url.password()) {
            (Some(password), _) => Some(password.trim_end_matches(['\r', '\n']).to_string()),
            (None, Some(password)) => Some(decoded(password)?),
            (None, None) => None,
        };
        let login = match (url.username(), password) {
            ("", None) => None,
            ("", Some(_)) => return Err(ServerError::NoUser),
            (_, None) => return Err(ServerError::NoPassword),
            (user, Some(password)) => Some(Login { user: decoded(user)?, password }),
        };
        let port = url.port().unwrap_or(match encryption {
            Encryption::FromStart => 465,
            Encryption::Required => 587,
            Encryption::Opportunistic | Encryption::None => 25,
        });
        Ok(Server { host, port, encryption, login, extra_root: None, hello_name: None })
    }
}

fn decoded(text: &str) -> Result<String, ServerError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|error| ServerError::Unreadable(error.to_string()))?;
    Ok(text.into_owned())
}

/// Without the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encryption == Encryption::FromStart { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self}, {:?}, login {})", self.encryption, if self.login.is_some() { "given" } else { "none" })
    }
}
