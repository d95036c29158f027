//! One process that does everything: it builds mailer, routes and loops round an app, and ends them together.

use crate::api::{Api, BodyLimits, accept};
use crate::app::send::{Brake, MailLinks, Post};
use crate::app::webhooks::{Declared, Line, NotDeclared};
use crate::app::workshop::Workshop;
use crate::app::{AccountNo, Integrity, OfficeError, Offices, random_text};
use crate::attach::Limits as FileLimits;
use crate::config::{self, MailSettings, Settings};
use crate::files::{self, FilesError};
use crate::hook::{Caller, TlsError};
use crate::kernel::rules::RuleSet;
use crate::kernel::time::Instant;
use crate::mail::guard::Guard;
use crate::mail::smtp::{Limits, Server, ServerError, Smtp};
use crate::mail::{Address, AddressError, Folder, Transport};
use crate::oidc::{Provider, Setting};
use crate::scheduler::{self, Pulse};
use crate::store::StoreError;
use crate::web::Web;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// What is under way has so long to come to its end.
const LAST_MINUTE: Duration = Duration::from_secs(20);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the address `{0}` cannot be read; write it as 127.0.0.1:8080")]
    Address(String),
    #[error("the address `{0}` is in use by another program")]
    InUse(SocketAddr),
    #[error("listening on `{address}`")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the settings name the zone `{settings}`, but the workflow `{workflow}` lives in `{rules}`")]
    Zone { settings: String, workflow: String, rules: String },
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("mail")]
    Server(#[from] ServerError),
    #[error("mail")]
    Sender(#[from] AddressError),
    #[error("mail: the folder `{path}`")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("calling other programs")]
    Tls(#[from] TlsError),
    /// One of the settings cannot be meant; the catalogue says why under `webhook.WHY`.
    #[error("the webhook `{url}` of the settings: {}", no.why)]
    Webhook { url: String, no: AccountNo },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0} of the server ended by itself")]
    Part(String),
    #[error("waiting for signals")]
    Signals(std::io::Error),
}

/// How mails leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They wait in the outbox.
    Nowhere,
    Folder(PathBuf),
    /// By this server; `everybody` in production, else those on the list.
    Server {
        host: String,
        everybody: bool,
        allowed: usize,
    },
}

/// What runs, once it does.
#[derive(Clone, Debug)]
pub struct Ready {
    pub address: SocketAddr,
    pub leaving: Leaving,
    /// The last process did not end in good order.
    pub unclean: bool,
    /// What a look through the database found after that; otherwise it is looked through while it is in use.
    pub integrity: Option<Integrity>,
    pub next: Option<Instant>,
}

/// Takes the address, before anything else is touched.
pub async fn listen(address: &str) -> Result<TcpListener, ServeError> {
    let parsed: SocketAddr = address.parse().map_err(|_| ServeError::Address(address.to_string()))?;
    TcpListener::bind(parsed).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::InUse(parsed),
        _ => ServeError::Listen { address: parsed, source },
    })
}

/// Serves all offices of a database until a signal comes or `stop` is given. `ready` is called once everything runs.
pub async fn serve(
    mut offices: Offices,
    listener: TcpListener,
    settings: &Settings,
    stop: CancellationToken,
    ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    for app in offices.open() {
        check_zone(&app.rules(), settings)?;
    }
    offices.policy = settings.web.policy();
    offices.domain.clone_from(&settings.mail.domain);
    offices.lease = TimeDelta::seconds(i64::from(settings.lease_seconds.max(1)));
    let offices = Arc::new(offices);
    let (post, leaving) = post(&offices, &settings.mail, settings)?;
    let pulse = Arc::new(Pulse::new(&offices.clock));
    let address = listener.local_addr().map_err(|source| ServeError::Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), source })?;
    let token = format!("{}{}", random_text(), random_text());
    let tokens = config::tokens_now(settings);
    let limits = BodyLimits { bytes: settings.largest_body, ..BodyLimits::default() };
    let pages = web(&offices, &pulse, settings)?;
    let (attachments, pages) = (pages.attachments.clone(), pages.routes());
    let routes = Api { offices: offices.clone(), pulse: pulse.clone(), token: token.clone(), tokens, limits, attachments }.routes(pages);
    let signals = signals(stop.clone())?;
    let caller = Caller::new(settings.webhooks.allow.clone())?;
    let line = Arc::new(Line { caller, origin: settings.web.origin.clone(), chance: rand::random::<f64> });
    declare_webhooks(&offices, settings).await?;

    // After an unclean stop nothing is told before it is known what the facts say.
    let unclean = offices.store.unclean;
    if offices.store.without_log {
        tracing::error!(
            "the log beside the database (its -wal file) is gone although the last process left one: what was done last may be lost; put \
             the file back, or compare with the last backup"
        );
    }
    let integrity = match unclean {
        true => scheduler::look_through(&offices, &pulse, &stop).await,
        false => None,
    };
    let mut tasks = JoinSet::new();
    let looking = (!unclean).then(|| {
        let (offices, pulse, stop) = (offices.clone(), pulse.clone(), stop.clone());
        tokio::spawn(async move { scheduler::look_through(&offices, &pulse, &stop).await })
    });
    let accepting = accept::accept(listener, routes, accept::Limits::default(), stop.clone());
    tasks.spawn(named("accept loop", accepting));
    tasks.spawn(named("scheduler", scheduler::run_engine(offices.clone(), pulse.clone(), stop.clone())));
    tasks.spawn(named("news", scheduler::run_news(offices.clone(), pulse.clone(), stop.clone())));
    if let Some(folder) = settings.mail.incoming_folder.clone() {
        tasks.spawn(named("inbox", scheduler::run_inbox(offices.clone(), folder, pulse.clone(), stop.clone())));
    }
    tasks.spawn(named("mailer", scheduler::run_mail(offices.clone(), post, pulse.clone(), stop.clone())));
    tasks.spawn(named("webhooks", scheduler::run_webhooks(offices.clone(), line, pulse, stop.clone())));
    let (store, stopping) = (offices.store.clone(), stop.clone());
    tasks.spawn(named("storage", async move {
        tokio::select! {
            () = store.disk_failed() => {}
            () = stopping.cancelled() => {}
        }
    }));
    offices.store.announce(address.to_string(), token)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the local API can be reached from other machines, without encryption");
    }
    let next = offices.next_moments().await?.wake_up;
    ready(&Ready { address, leaving, unclean, integrity, next });
    notify("READY=1");
    tracing::info!(%address, "serving");

    let ended = until_one_ends(tasks, &stop).await;
    signals.abort();
    if let Some(looking) = looking {
        // It sees `stop` at the next item.
        let _ = looking.await;
    }
    offices.store.clone().close().await;
    tracing::info!("stopped");
    ended
}

/// The programs that the settings name, of the office that is meant and of each that they name.
async fn declare_webhooks(offices: &Offices, settings: &Settings) -> Result<(), ServeError> {
    let mut by_office: BTreeMap<&str, Vec<Declared>> = BTreeMap::from([(settings.jurisdiction.as_str(), Vec::new())]);
    for hook in &settings.webhooks.hooks {
        let here = hook.jurisdiction.as_deref().unwrap_or(&settings.jurisdiction);
        let declared = Declared { url: hook.url.clone(), events: hook.events.clone(), secret: hook.secret.clone() };
        by_office.entry(here).or_default().push(declared);
    }
    for (here, declared) in by_office {
        let app = match offices.app(here).await {
            Ok(app) => app,
            Err(OfficeError::Store(error)) => return Err(error.into()),
            // It is told elsewhere that the office cannot be worked.
            Err(_) => continue,
        };
        match app.declare_webhooks(&declared).await {
            Ok(()) => {}
            Err(NotDeclared::Store(error)) => return Err(error.into()),
            Err(NotDeclared::No(no)) => {
                let url = declared.first().map(|first| first.url.clone()).unwrap_or_default();
                return Err(ServeError::Webhook { url, no });
            }
        }
    }
    Ok(())
}

async fn named(name: &'static str, part: impl Future<Output = ()>) -> &'static str {
    part.await;
    name
}

/// Waits for `stop`, or for a part to end by itself, and brings all to their end. A part that ends by itself has failed: nobody is
/// served by half a process, and whoever started it shall see that it did not end in good order.
pub async fn until_one_ends(mut tasks: JoinSet<&'static str>, stop: &CancellationToken) -> Result<(), ServeError> {
    let mut failed = None;
    let mut note = |ended: Result<&'static str, JoinError>| {
        let what = match ended {
            Ok(_) if stop.is_cancelled() => return,
            Ok(name) => name.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(%what, "a part of the server failed");
        failed.get_or_insert(what);
    };
    tokio::select! {
        () = stop.cancelled() => {}
        Some(first) = tasks.join_next() => note(first),
    }
    stop.cancel();
    notify("STOPPING=1");
    tracing::info!("stopping");
    let rest = async {
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    };
    if tokio::time::timeout(LAST_MINUTE, rest).await.is_err() {
        tracing::warn!("what was under way did not end in time");
        tasks.shutdown().await;
    }
    failed.map_or(Ok(()), |what| Err(ServeError::Part(what)))
}

/// Tells whoever started us how far we are (sd_notify(3)); nobody has to listen.
fn notify(state: &str) {
    #[cfg(unix)]
    if let Some(socket) = crate::config::notify_socket() {
        let told = std::os::unix::net::UnixDatagram::unbound().and_then(|from| match abstract_name(&socket) {
            #[cfg(target_os = "linux")]
            Some(name) => {
                use std::os::linux::net::SocketAddrExt;
                from.send_to_addr(state.as_bytes(), &std::os::unix::net::SocketAddr::from_abstract_name(name)?)
            }
            _ => from.send_to(state.as_bytes(), &socket),
        });
        if let Err(error) = told {
            tracing::warn!(%error, "whoever started us cannot be told");
        }
    }
}

/// The name of a socket that is no file; it is written with an `@`.
#[cfg(unix)]
fn abstract_name(socket: &std::ffi::OsStr) -> Option<&[u8]> {
    std::os::unix::ffi::OsStrExt::as_bytes(socket).strip_prefix(b"@")
}

/// A wrong zone in the settings is noticed here, not by mails at the wrong hour.
pub fn check_zone(rules: &RuleSet, settings: &Settings) -> Result<(), ServeError> {
    let Some(zone) = &settings.zone else { return Ok(()) };
    for (name, rules) in &rules.workflows {
        let own = rules.setting.workflow.timezone.name();
        if own != zone {
            return Err(ServeError::Zone { settings: zone.clone(), workflow: name.to_string(), rules: own.to_string() });
        }
    }
    Ok(())
}

/// Settings of mail that cannot be meant are noticed before a database is made.
pub fn check_mail(mail: &MailSettings) -> Result<(), ServeError> {
    mail_server(mail)?;
    Address::parse(&mail.from)?;
    mail.reply_to.as_deref().map(Address::parse).transpose()?;
    Ok(())
}

/// The mail server of the settings, if they name one.
pub fn mail_server(mail: &MailSettings) -> Result<Option<Server>, ServeError> {
    let Some(url) = &mail.smtp_url else { return Ok(None) };
    let password = match &mail.smtp_password_file {
        Some(path) => Some(files::text(path)?.trim_end().to_string()),
        None => None,
    };
    Ok(Some(Server::parse(url, password.as_deref())?))
}

/// The pages for people.
fn web(offices: &Arc<Offices>, pulse: &Arc<Pulse>, settings: &Settings) -> Result<Web, ServeError> {
    for kind in settings.attachments.unknown_kinds() {
        tracing::warn!(kind, "nobody here can tell whether a file is of this kind (`attachments.kinds`), so none is taken");
    }
    Ok(Web {
        offices: offices.clone(),
        pulse: pulse.clone(),
        pages: files::web_pages(settings.templates.as_deref())?,
        policy: settings.web.policy(),
        jurisdiction: settings.jurisdiction.clone(),
        origin: settings.web.origin.clone(),
        provider: provider(settings)?,
        workshop: Workshop::new(settings.own_rules().then(|| settings.rules_folder().ok()).flatten()),
        open_house: settings.open_house,
        gate: settings.web.gate(),
        largest: settings.largest_body,
        attachments: FileLimits { scan_folder: config::scratch(), ..settings.attachments.clone() },
    })
}

/// The identity provider of the settings; it is asked when somebody wants to sign in with it, so that nobody waits for it here.
fn provider(settings: &Settings) -> Result<Option<Provider>, ServeError> {
    let (Some(setting), Some(origin)) = (settings.web.oidc.clone(), &settings.web.origin) else { return Ok(None) };
    let kept = setting.client_secret_file.as_deref().map(files::text).transpose()?.map(|secret| secret.trim_end().to_string());
    let client_secret = kept.or_else(|| setting.client_secret.clone());
    Ok(Some(Provider::new(Setting { client_secret, ..setting }, origin)?))
}

fn post(offices: &Offices, mail: &MailSettings, settings: &Settings) -> Result<(Arc<Post>, Leaving), ServeError> {
    let instance = offices.store.instance();
    let frames = files::mail_frames(settings.templates.as_deref())?;
    let guard = Guard { production: mail.instance.clone().filter(|_| mail.production), allow: mail.allow.clone() };
    let (transport, leaving) = match (mail_server(mail)?, &mail.folder) {
        (Some(server), _) => {
            let host = format!("{}:{}", server.host, server.port);
            let leaving = Leaving::Server { host, everybody: guard.is_production(instance), allowed: guard.allow.len() };
            (Some(Transport::Smtp(Box::new(Smtp::new(server, Limits::default())?))), leaving)
        }
        (None, Some(path)) => {
            let zone =
                offices.open().first().and_then(|app| app.rules().workflows.values().next().map(|rules| rules.setting.workflow.timezone));
            let zone = zone.unwrap_or(chrono_tz::UTC);
            let folder = Folder::open(path, zone).map_err(|source| ServeError::Folder { path: path.clone(), source })?;
            (Some(Transport::Folder(folder)), Leaving::Folder(path.clone()))
        }
        (None, None) => (None, Leaving::Nowhere),
    };
    // Never the same twice, so that nobody takes another process for the one that died.
    let name = format!("serve:{}:{:08x}", std::process::id(), rand::random::<u32>());
    let mut post = Post::new(transport, frames, Address::parse(&mail.from)?, guard, name);
    post.reply_to = mail.reply_to.as_deref().map(Address::parse).transpose()?;
    post.domain.clone_from(&mail.domain);
    post.unrecorded = settings.unrecorded;
    post.brake = (mail.volume_factor > 0).then_some(Brake { factor: mail.volume_factor, at_least: mail.volume_at_least });
    post.links =
        settings.web.origin.clone().map(|origin| MailLinks { origin, good_for: TimeDelta::hours(settings.web.mail_link_hours.into()) });
    Ok((Arc::new(post), leaving))
}

/// The first signal stops in good order.
fn signals(stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>, ServeError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
        Ok(tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
        }))
    }
    #[cfg(not(unix))]
    {
        Ok(tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
            }
        }))
    }
}
