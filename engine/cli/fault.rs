//! What ended a command, as people read it: faults of settings, folders, addresses and the like in the reader's language, with what to do.

use super::office::Stop;
use crate::config::ConfigError;
use crate::files::FilesError;
use crate::kernel::words::{Lang, say};
use crate::mail::AddressError;
use crate::mail::smtp::ServerError;
use crate::serve::ServeError;
use crate::store::{PlaceError, StoreError, fault_in_words, file_fault};
use std::error::Error;

/// The sentence of whatever ended a command. What nobody foresaw is told as it was found.
pub fn sentence(lang: Lang, error: &anyhow::Error) -> String {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.sentence.clone();
    }
    if let Some(known) = error.chain().find_map(|cause| known(lang, cause)) {
        return known;
    }
    // What it was that was being done is ours, the reason the system's.
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        told.push(cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string(), |error| of_io(lang, error)));
    }
    told.join(": ")
}

fn known(lang: Lang, error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return Some(of_settings(lang, error));
    }
    if let Some(error) = error.downcast_ref::<FilesError>() {
        return Some(of_files(lang, error));
    }
    if let Some(error) = error.downcast_ref::<ServeError>() {
        return Some(of_serving(lang, error));
    }
    error.downcast_ref::<StoreError>().map(|error| error.sentence(lang))
}

fn of_io(lang: Lang, error: &std::io::Error) -> String {
    fault_in_words(lang, &file_fault(error))
}

fn of_settings(lang: Lang, error: &ConfigError) -> String {
    match error {
        ConfigError::Read { path, source } => {
            say(lang, "settings.unreadable", &[("path", &path.display().to_string()), ("what", &of_io(lang, source))])
        }
        ConfigError::File { path, source } => {
            let text = source.to_string();
            let place = source.location().map(|place| format!(":{}:{}", place.line(), place.column())).unwrap_or_default();
            let place = format!("{}{place}", path.display());
            let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
            match quoted.split_first() {
                Some((name, known)) if text.contains("unknown field") => {
                    say(lang, "settings.unknown_key", &[("place", &place), ("name", name), ("known", &known.join(", "))])
                }
                _ => say(lang, "settings.not_as_written", &[("place", &place), ("what", &text)]),
            }
        }
        ConfigError::Value { name, value, wants } => {
            say(lang, "settings.value", &[("name", name), ("value", value), ("wants", &fault_in_words(lang, wants))])
        }
        ConfigError::Database(error) => of_place(lang, error),
        ConfigError::NoRules { found } if found.is_empty() => say(lang, "settings.no_rules", &[]),
        ConfigError::NoRules { found } => say(lang, "settings.several_rules", &[("found", &found.join(", "))]),
    }
}

/// Where no database can lie.
pub fn of_place(lang: Lang, PlaceError { shown, what }: &PlaceError) -> String {
    say(lang, "settings.database", &[("shown", shown), ("what", &fault_in_words(lang, what))])
}

fn of_files(lang: Lang, error: &FilesError) -> String {
    match error {
        FilesError::Read { path, source } => {
            say(lang, "files.unreadable", &[("path", &path.display().to_string()), ("what", &of_io(lang, source))])
        }
        FilesError::Frame { folder, source } => {
            let what = anyhow::Error::msg(source.to_string());
            say(lang, "files.frame", &[("folder", &folder.display().to_string()), ("what", &format!("{what:#}"))])
        }
        FilesError::Page { folder, source } => {
            say(lang, "files.page", &[("folder", &folder.display().to_string()), ("what", &source.to_string())])
        }
    }
}

/// Why nothing is served.
pub fn of_serving(lang: Lang, error: &ServeError) -> String {
    match error {
        ServeError::Address(text) => say(lang, "serve.address", &[("text", text)]),
        ServeError::InUse(address) => say(lang, "serve.in_use", &[("address", &address.to_string())]),
        ServeError::Listen { address, source } => {
            say(lang, "serve.listen", &[("address", &address.to_string()), ("what", &of_io(lang, source))])
        }
        ServeError::Zone { settings, workflow, rules } => {
            say(lang, "serve.zone", &[("settings", settings), ("workflow", workflow), ("rules", rules)])
        }
        ServeError::Files(error) => of_files(lang, error),
        ServeError::Webhook { no, .. } => {
            let values: Vec<(&str, &str)> = no.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            say(lang, "serve.webhook", &[("what", &say(lang, &format!("webhook.{}", no.why), &values))])
        }
        ServeError::Tls(error) => say(lang, "serve.webhook", &[("what", &error.to_string())]),
        ServeError::Server(error) => say(lang, "serve.mail_server", &[("what", &of_mail_server(lang, error))]),
        ServeError::Sender(error) => {
            let (key, text) = match error {
                AddressError::NotAscii(text) => ("serve.sender_not_ascii", text),
                AddressError::Malformed(text) => ("serve.sender", text),
            };
            say(lang, key, &[("text", text)])
        }
        ServeError::Folder { path, source } => {
            say(lang, "serve.folder", &[("path", &path.display().to_string()), ("what", &of_io(lang, source))])
        }
        ServeError::Store(error) => error.sentence(lang),
        ServeError::Part(part) => say(lang, "serve.part", &[("part", part)]),
        ServeError::Signals(error) => say(lang, "serve.cannot", &[("what", &of_io(lang, error))]),
    }
}

fn of_mail_server(lang: Lang, error: &ServerError) -> String {
    let (key, what) = match error {
        ServerError::Unreadable(what) => ("mail_server.unreadable", what.as_str()),
        ServerError::Scheme(what) => ("mail_server.scheme", what.as_str()),
        ServerError::NoHost => ("mail_server.no_host", ""),
        ServerError::Tls(what) => ("mail_server.tls", what.as_str()),
        ServerError::Unknown(what) => ("mail_server.unknown", what.as_str()),
        ServerError::NoUser => ("mail_server.no_user", ""),
        ServerError::NoPassword => ("mail_server.no_password", ""),
        ServerError::Certificate(what) => ("mail_server.certificate", what.as_str()),
    };
    say(lang, key, &[("what", what)])
}
