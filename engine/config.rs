//! Settings: one struct, read from a file and from the environment. Nothing else reads the environment.
//!
//! A flag of the command line wins over the environment (`DUBAN_…`), that over the file (`duban.yaml`), that over the default.

use crate::api::{Tokens, TokensNow};
use crate::app::accounts::Policy;
use crate::hook::Net;
use crate::kernel::words::Lang;
use crate::oidc;
use crate::store::{LOCAL, Place, PlaceError};
use crate::web::Gate;
use chrono::TimeDelta;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The file that is read when no other is named.
pub const FILE: &str = "duban.yaml";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A SQLite file, or the URL of a PostgreSQL database.
    pub database: Place,
    /// Which office of the database, where it serves several.
    pub jurisdiction: String,
    /// The folder of the rule set.
    pub rules: Option<PathBuf>,
    /// A folder whose `mail/` replaces frames of mails.
    pub templates: Option<PathBuf>,
    pub listen: String,
    /// `zh` or `en`
    pub lang: Option<String>,
    /// Has to be the rule set's zone; named here so that a wrong one is noticed at start.
    pub zone: Option<String>,
    pub mail: MailSettings,
    pub web: WebSettings,
    pub webhooks: WebhookSettings,
    /// Files that people hand in.
    pub attachments: crate::attach::Limits,
    /// Tokens of the API: SHA-256 in hexadecimal → person. Taken out here, a token opens nothing any more, also of a server that runs.
    pub tokens: BTreeMap<String, Holder>,
    /// Tokens of the office's own programs, which name the person for whom they act.
    pub office_tokens: Vec<OfficeToken>,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// Anybody may sign in as whoever has something to do: only `duban demo --serve` says so.
    #[serde(skip)]
    pub open_house: bool,
    /// The file that was read.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// The office for which `rules` was written; nothing, if for whichever is meant.
    #[serde(skip)]
    pub rules_of: Option<String>,
    /// `text` or `json`
    pub log: String,
    /// At most so many accepted mails wait for their record; the most that a crash can send twice.
    pub unrecorded: usize,
    /// On PostgreSQL: so long other processes leave alone what a process has taken, after it was last heard of.
    pub lease_seconds: u32,
}

/// Whose a token is. Without a jurisdiction, of the one that the settings name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write a person, or { person: …, jurisdiction: … }")]
pub enum Holder {
    Here(String),
    Elsewhere { person: String, jurisdiction: String },
}

/// SHA-256 in hexadecimal of an office's token. Without a jurisdiction, of the one that the settings name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write a digest, or { token: …, jurisdiction: … }")]
pub enum OfficeToken {
    Here(String),
    Elsewhere { token: String, jurisdiction: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailSettings {
    /// `smtp://user:pass@host:587?tls=required`; without it, and without `folder`, mails stay in the outbox.
    pub smtp_url: Option<String>,
    /// The password, when it shall not stand in the URL.
    pub smtp_password_file: Option<PathBuf>,
    /// Mails are written here as `.eml` files instead.
    pub folder: Option<PathBuf>,
    /// A Maildir to which the office's mail server delivers what comes back: reports of delivery, and answers.
    pub incoming_folder: Option<PathBuf>,
    pub from: String,
    pub reply_to: Option<String>,
    /// The right side of Message-IDs.
    pub domain: String,
    /// Only with this, and the instance id of the database, mails leave to everybody.
    pub production: bool,
    pub instance: Option<String>,
    /// Otherwise only these addresses and domains (`@example.org`) are written to.
    pub allow: Vec<String>,
    /// More than so many times the mails that are usual in an hour, or were foreseen for the day, wait for a person; 0 lets any number go.
    pub volume_factor: u64,
    /// So many mails within an hour never wait for that.
    pub volume_at_least: u64,
}

/// Other programs that are told of what happens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Networks behind this machine that may be called; public addresses always may.
    pub allow: Vec<Net>,
    /// Those that stand here; a page makes more.
    pub hooks: Vec<HookSetting>,
}

/// Without a jurisdiction, of the one that the settings name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSetting {
    pub url: String,
    pub events: Vec<String>,
    /// `whsec_…`, as Standard Webhooks writes it.
    pub secret: String,
    pub jurisdiction: Option<String>,
}

/// The pages, and who may sign in to them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSettings {
    /// Where people reach the pages: `https://duban.example.gov.cn`. Links in mails begin with it.
    pub origin: Option<String>,
    /// A session in which nothing happens ends after this.
    pub idle_minutes: u32,
    /// Every session ends after this.
    pub session_hours: u32,
    /// A password has so many characters or more.
    pub password_length: u32,
    /// So many tries that fail one after the other lock a login …
    pub lock_after: u32,
    /// … for so long.
    pub lock_minutes: u32,
    /// So long an invitation is good.
    pub invitation_days: u32,
    /// Groups of the directory whose members sign in with a second step (a code of a device after the password).
    pub second_step: Vec<String>,
    /// So many tries that fail, within `lock_minutes`, may come from one address, whatever the logins; then it waits.
    pub address_tries: u32,
    /// Addresses of proxies in front of the server whose `x-forwarded-for` says where a request comes from. Without any, nobody's does.
    pub trusted_proxies: Vec<IpAddr>,
    /// So long a link of a mail, by which something may be done without a password, is good.
    pub mail_link_hours: u32,
    /// The office's identity provider, with which people sign in as well.
    pub oidc: Option<oidc::Setting>,
}

impl WebSettings {
    /// What is asked of passwords and sessions.
    pub fn policy(&self) -> Policy {
        Policy {
            idle: TimeDelta::minutes(self.idle_minutes.into()),
            longest: TimeDelta::hours(self.session_hours.into()),
            shortest_password: self.password_length as usize,
            failures: self.lock_after,
            locked: TimeDelta::minutes(self.lock_minutes.into()),
            invitation: TimeDelta::days(self.invitation_days.into()),
            second_step: self.second_step.iter().map(|group| group.as_str().into()).collect(),
        }
    }

    /// How often one address may try to come in.
    pub fn gate(&self) -> Gate {
        Gate::new(self.address_tries, TimeDelta::minutes(self.lock_minutes.into()), self.trusted_proxies.clone())
    }

    /// Everything is as it can be meant.
    fn fits(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("web.idle_minutes", self.idle_minutes, 1..=1440, "write 1 to 1440 minutes"),
            ("web.session_hours", self.session_hours, 1..=168, "write 1 to 168 hours"),
            ("web.password_length", self.password_length, 8..=128, "write 8 to 128 characters"),
            ("web.lock_after", self.lock_after, 1..=100, "write 1 to 100 tries"),
            // What was tried with logins that do not exist is kept as long.
            ("web.lock_minutes", self.lock_minutes, 1..=120, "write 1 to 120 minutes"),
            ("web.address_tries", self.address_tries, 1..=100_000, "write 1 to 100000 tries"),
            ("web.invitation_days", self.invitation_days, 1..=60, "write 1 to 60 days"),
            ("web.mail_link_hours", self.mail_link_hours, 1..=720, "write 1 to 720 hours"),
        ];
        for (name, value, range, wants) in numbers {
            if !range.contains(&value) {
                return Err(ConfigError::Value { name: name.into(), value: value.to_string(), wants });
            }
        }
        if let Some(oidc) = &self.oidc {
            oidc.fits().map_err(|no| ConfigError::Value { name: no.name.into(), value: no.value, wants: no.wants })?;
            if self.origin.is_none() {
                let wants = "set web.origin: the provider sends people back there";
                return Err(ConfigError::Value { name: "web.oidc".into(), value: oidc.issuer.clone(), wants });
            }
        }
        match &self.origin {
            Some(origin) if !is_origin(origin) => {
                let wants = "write https:// or http://, the name of the machine, and nothing behind it";
                Err(ConfigError::Value { name: "web.origin".into(), value: origin.clone(), wants })
            }
            _ => Ok(()),
        }
    }
}

/// A scheme, a host and perhaps a port, as a browser writes them.
fn is_origin(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    ["http", "https"].contains(&url.scheme()) && url.origin().ascii_serialization() == text
}

impl Default for WebSettings {
    fn default() -> Self {
        WebSettings {
            origin: None,
            idle_minutes: 30,
            session_hours: 8,
            password_length: 10,
            lock_after: 5,
            lock_minutes: 15,
            invitation_days: 7,
            second_step: Vec::new(),
            address_tries: 100,
            trusted_proxies: Vec::new(),
            mail_link_hours: 72,
            oidc: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            database: Place::File("duban.db".into()),
            jurisdiction: LOCAL.into(),
            rules: None,
            templates: None,
            listen: "127.0.0.1:8080".into(),
            lang: None,
            zone: None,
            mail: MailSettings::default(),
            web: WebSettings::default(),
            webhooks: WebhookSettings::default(),
            attachments: Default::default(),
            tokens: Default::default(),
            office_tokens: Default::default(),
            largest_body: 2 << 20,
            open_house: false,
            file: None,
            rules_of: None,
            log: "text".into(),
            unrecorded: 16,
            lease_seconds: 60,
        }
    }
}

impl Default for MailSettings {
    fn default() -> Self {
        MailSettings {
            smtp_url: None,
            smtp_password_file: None,
            folder: None,
            incoming_folder: None,
            from: "duban@localhost.localdomain".into(),
            reply_to: None,
            domain: "duban.localdomain".into(),
            production: false,
            instance: None,
            allow: Vec::new(),
            volume_factor: 3,
            volume_at_least: 50,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("reading settings `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("settings `{path}`")]
    File { path: PathBuf, source: serde_yaml::Error },
    #[error("`{name}` cannot be `{value}`; {wants}")]
    Value { name: String, value: String, wants: &'static str },
    #[error(transparent)]
    Database(#[from] PlaceError),
    #[error("no rule set: name its folder with --rules, DUBAN_RULES or `rules:` in {FILE} (found: {found:?})")]
    NoRules { found: Vec<String> },
}

impl Settings {
    /// Reads the named file (which must be there), else `duban.yaml` when there is one, and then the environment.
    pub fn load(file: Option<&Path>) -> Result<Settings, ConfigError> {
        Self::from(file, |name| std::env::var(name).ok())
    }

    /// The same over any source of variables.
    pub fn from(file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, ConfigError> {
        let named = file.map(Path::to_path_buf).or_else(|| variable("DUBAN_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| FILE.into());
        let mut settings = match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Settings::default(),
            Ok(text) => {
                let settings = serde_yaml::from_str(&text).map_err(|source| ConfigError::File { path: path.clone(), source })?;
                Settings { file: Some(path), ..settings }
            }
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let written = settings.rules.is_some().then(|| settings.jurisdiction.clone());
        settings.environment(&variable)?;
        settings.web.fits()?;
        let named = variable("DUBAN_RULES").is_some();
        settings.rules_of = written.filter(|_| !named).or_else(|| Some(settings.jurisdiction.clone()));
        Ok(settings)
    }

    fn environment(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let path = |name: &str| variable(name).map(PathBuf::from);
        if let Some(url) = variable("DATABASE_URL").or_else(|| variable("DUBAN_DATABASE")) {
            self.database = url.parse()?;
        }
        let set = |slot: &mut Option<PathBuf>, name: &str| {
            if let Some(value) = path(name) {
                *slot = Some(value);
            }
        };
        set(&mut self.rules, "DUBAN_RULES");
        set(&mut self.templates, "DUBAN_TEMPLATES");
        set(&mut self.mail.folder, "DUBAN_MAIL_FOLDER");
        set(&mut self.mail.incoming_folder, "DUBAN_MAIL_INCOMING_FOLDER");
        set(&mut self.mail.smtp_password_file, "DUBAN_SMTP_PASSWORD_FILE");
        let text = |slot: &mut String, name: &str| {
            if let Some(value) = variable(name) {
                *slot = value;
            }
        };
        text(&mut self.jurisdiction, "DUBAN_JURISDICTION");
        text(&mut self.listen, "DUBAN_LISTEN");
        text(&mut self.log, "DUBAN_LOG");
        text(&mut self.mail.from, "DUBAN_MAIL_FROM");
        text(&mut self.mail.domain, "DUBAN_MAIL_DOMAIN");
        let optional = |slot: &mut Option<String>, name: &str| {
            if let Some(value) = variable(name) {
                *slot = Some(value).filter(|value| !value.is_empty());
            }
        };
        optional(&mut self.lang, "DUBAN_LANG");
        optional(&mut self.zone, "DUBAN_ZONE");
        optional(&mut self.mail.smtp_url, "DUBAN_SMTP_URL");
        optional(&mut self.mail.reply_to, "DUBAN_MAIL_REPLY_TO");
        optional(&mut self.mail.instance, "DUBAN_INSTANCE");
        optional(&mut self.web.origin, "DUBAN_ORIGIN");
        if let Some(oidc) = &mut self.web.oidc {
            optional(&mut oidc.client_secret, "DUBAN_OIDC_SECRET");
            set(&mut oidc.client_secret_file, "DUBAN_OIDC_SECRET_FILE");
        }
        if let Some(value) = variable("DUBAN_PRODUCTION") {
            self.mail.production = match value.as_str() {
                "true" | "1" => true,
                "false" | "0" | "" => false,
                _ => return Err(ConfigError::Value { name: "DUBAN_PRODUCTION".into(), value, wants: "write true or false" }),
            };
        }
        if let Some(value) = variable("DUBAN_LEASE_SECONDS") {
            let wants = "write a number of seconds";
            self.lease_seconds = value.parse().map_err(|_| ConfigError::Value { name: "DUBAN_LEASE_SECONDS".into(), value, wants })?;
        }
        for (slot, name) in
            [(&mut self.mail.volume_factor, "DUBAN_VOLUME_FACTOR"), (&mut self.mail.volume_at_least, "DUBAN_VOLUME_AT_LEAST")]
        {
            if let Some(value) = variable(name) {
                *slot = value.parse().map_err(|_| ConfigError::Value { name: name.into(), value, wants: "write a whole number" })?;
            }
        }
        if let Some(value) = variable("DUBAN_MAIL_ALLOW") {
            self.mail.allow = value.split(',').map(|entry| entry.trim().to_string()).filter(|entry| !entry.is_empty()).collect();
        }
        if let Some(value) = variable("DUBAN_WEBHOOK_ALLOW") {
            let wants = "write networks with a comma between, as 10.20.0.0/16";
            let nets = value.split(',').map(str::trim).filter(|net| !net.is_empty()).map(str::parse).collect::<Result<_, _>>();
            self.webhooks.allow = nets.map_err(|_| ConfigError::Value { name: "DUBAN_WEBHOOK_ALLOW".into(), value, wants })?;
        }
        Ok(())
    }

    /// Whether the folder is the meant office's own: what a file says of the rules holds for the office that it names, and for no other one
    /// that a command line or the environment names over it.
    pub fn own_rules(&self) -> bool {
        self.rules_of.as_ref().is_none_or(|office| *office == self.jurisdiction)
    }

    /// The rule set's folder: as named, or the only one under `rules/`.
    pub fn rules_folder(&self) -> Result<PathBuf, ConfigError> {
        self.rules_folder_with("")
    }

    /// The same, of those that hold this file where there are several.
    pub fn rules_folder_with(&self, file: &str) -> Result<PathBuf, ConfigError> {
        if let Some(folder) = &self.rules {
            return Ok(folder.clone());
        }
        let mut found: Vec<PathBuf> = std::fs::read_dir("rules")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join("directory.yaml").is_file() || path.join("directory").is_dir())
            .collect();
        found.sort();
        let holding: Vec<&PathBuf> = found.iter().filter(|folder| folder.join(file).exists()).collect();
        if let (false, [only]) = (file.is_empty(), holding.as_slice()) {
            return Ok((*only).clone());
        }
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(ConfigError::NoRules { found: Vec::new() }),
            several => Err(ConfigError::NoRules { found: several.iter().map(|path| path.display().to_string()).collect() }),
        }
    }

    /// The language for people: as set, else by the locale, else Chinese.
    pub fn lang(&self) -> Lang {
        let by = |text: &str| match text {
            text if text.starts_with("en") => Some(Lang::En),
            text if text.starts_with("zh") => Some(Lang::Zh),
            _ => None,
        };
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        self.lang.as_deref().and_then(by).or_else(|| locale.as_deref().and_then(by)).unwrap_or_default()
    }
}

/// The language for people before the settings are read, or while they cannot be: as named, else as the environment says, else as the
/// settings file does, whatever else stands in it.
pub fn lang_without_settings(named: Option<&str>, file: Option<&Path>) -> Lang {
    let environment = || std::env::var("DUBAN_LANG").ok();
    let lang = named.map(str::to_string).or_else(environment).or_else(|| written_lang(file));
    Settings { lang, ..Settings::default() }.lang()
}

fn written_lang(file: Option<&Path>) -> Option<String> {
    let path = file.map(Path::to_path_buf).or_else(|| std::env::var("DUBAN_CONFIG").ok().map(PathBuf::from)).unwrap_or_else(|| FILE.into());
    // What can be read only once (a pipe) is left to whoever reads all of it.
    let text = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file).and_then(|_| std::fs::read_to_string(&path).ok())?;
    let settings: serde_yaml::Value = serde_yaml::from_str(&text).ok()?;
    settings.get("lang")?.as_str().map(str::to_string)
}

/// What was typed behind the name of the program.
pub fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The tokens of the API as the settings file has them now. A file that cannot be read leaves them as they were. A token that names no
/// office stays with the one that the process was started for, whoever named that.
pub fn tokens_now(settings: &Settings) -> TokensNow {
    let known = Mutex::new((settings.file.as_deref().and_then(looks), Arc::new(tokens(settings))));
    let (file, jurisdiction) = (settings.file.clone(), settings.jurisdiction.clone());
    Box::new(move || {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = file.as_deref().and_then(looks);
        if looks != known.0 {
            match Settings::from(file.as_deref(), |_| None) {
                Ok(settings) => *known = (looks, Arc::new(tokens(&Settings { jurisdiction: jurisdiction.clone(), ..settings }))),
                Err(error) => tracing::warn!(%error, "the settings were changed, but cannot be read"),
            }
        }
        known.1.clone()
    })
}

/// What tells whether a file was changed.
fn looks(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn tokens(settings: &Settings) -> Tokens {
    let here: Arc<str> = settings.jurisdiction.as_str().into();
    let persons = settings.tokens.iter().map(|(digest, holder)| {
        let whose = match holder {
            Holder::Here(person) => (here.clone(), person.as_str().into()),
            Holder::Elsewhere { person, jurisdiction } => (jurisdiction.as_str().into(), person.as_str().into()),
        };
        (digest.to_lowercase(), whose)
    });
    let office = settings.office_tokens.iter().map(|token| match token {
        OfficeToken::Here(digest) => (digest.to_lowercase(), here.clone()),
        OfficeToken::Elsewhere { token, jurisdiction } => (token.to_lowercase(), jurisdiction.as_str().into()),
    });
    Tokens { persons: persons.collect(), office: office.collect() }
}

/// Where whoever started us (systemd) wants to hear that we are ready.
pub fn notify_socket() -> Option<std::ffi::OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
}

/// Where files lie that are soon gone.
pub fn scratch() -> PathBuf {
    std::env::temp_dir()
}

/// The file of this very program.
pub fn own_binary() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// The operating-system user, recorded beside what is done on the command line.
pub fn system_user() -> Option<String> {
    std::env::var("USER").ok().filter(|user| !user.is_empty())
}

/// Whether colour is wanted: `NO_COLOR` and `CLICOLOR_FORCE` are what they are elsewhere.
pub fn colour_wished() -> Option<bool> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    match (set("NO_COLOR"), set("CLICOLOR_FORCE")) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}
