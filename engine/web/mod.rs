//! The pages for people: rendered here, complete without a script, and whole from this one server.
//!
//! A handler reads what came, calls the app, and fills a template of `templates/web`. What may be seen and done is the kernel's to say; no
//! state, class, label or colour of a procedure stands here.

mod accounts;
mod act;
mod assets;
mod attachments;
mod bulk;
mod calendar;
mod deadline;
mod desk;
mod desk_parts;
mod door;
mod feed;
mod filters;
mod form;
mod item;
mod ledger;
mod mail_link;
mod me;
mod outbox;
mod page;
mod provider;
mod public;
mod qr;
mod reports;
mod second;
mod session;
mod sheet;
mod source;
mod system;
mod todo;
mod tokens;
mod trouble;
mod webhooks;
mod welcome;
mod workshop;

use crate::app::accounts::Policy;
use crate::app::workshop::Workshop;
use crate::app::{App, Offices};
use crate::attach::Limits;
use crate::kernel::render::Pages;
use crate::oidc::{Provider, RETURN};
use crate::scheduler::Pulse;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use std::sync::Arc;
use trouble::Trouble;

pub use source::{Gate, Source};

/// What every page has at hand.
pub struct Web {
    pub offices: Arc<Offices>,
    pub pulse: Arc<Pulse>,
    pub pages: Pages,
    pub policy: Policy,
    /// The office whose pages these are.
    pub jurisdiction: String,
    /// Where people reach the pages, such as `https://duban.example.gov.cn`. Under `https` the cookie leaves by no other way.
    pub origin: Option<String>,
    /// With whom people may sign in as well.
    pub provider: Option<Provider>,
    /// Anybody may sign in as whoever stands on the list: for a demo, on this machine only.
    pub open_house: bool,
    /// How often one address may try to come in.
    pub gate: Gate,
    /// Where the rules of this office are edited and tried out.
    pub workshop: Workshop,
    /// The largest form, in bytes.
    pub largest: usize,
    /// What files may be handed in.
    pub attachments: Limits,
}

impl Web {
    /// Every page there is.
    pub fn routes(self) -> Router {
        let (largest, with_files) = (self.largest, self.largest_with_files() + (1 << 20));
        let web = Arc::new(self);
        Router::new()
            .route("/", get(desk::home))
            .route("/sign-in", get(door::door).post(door::sign_in))
            .route("/sign-in/as", post(door::sign_in_as))
            .route("/sign-in/second", get(second::form).post(second::pass))
            .route("/sign-in/provider", get(provider::begin))
            .route(RETURN, get(provider::back))
            .route("/sign-out", post(door::sign_out))
            .route("/welcome/{token}", get(welcome::invited).post(welcome::accept))
            .route("/j/{token}", get(mail_link::show).post(mail_link::act))
            .route("/me", get(me::page))
            .route("/me/password", post(me::password))
            .route("/me/second", post(me::second))
            .route("/me/sessions", post(me::sessions))
            .route("/todo", get(todo::todo))
            .route("/items/{item}", get(item::show))
            .route("/items/{item}/do/{action}", get(act::form).post(act::act).layer(DefaultBodyLimit::max(with_files)))
            .route("/items/{item}/forms/{form}", get(item::print))
            .route("/items/{item}/files/{digest}", get(attachments::file))
            .route("/new", get(act::choices))
            .route("/new/{workflow}/{action}", get(act::blank).post(act::create).layer(DefaultBodyLimit::max(with_files)))
            .route("/ledger", get(ledger::show))
            .route("/ledger.xlsx", get(ledger::workbook))
            .route("/bulk", get(bulk::choose))
            .route("/bulk/{workflow}/{action}", get(bulk::form).post(bulk::act))
            .route("/ledger/filters", post(filters::change))
            .route("/desks/{workflow}/{desk}", get(desk::show))
            .route("/calendar", get(calendar::show))
            .route("/public", get(public::list))
            .route("/public/{item}", get(public::item))
            .route("/reports", get(reports::list))
            .route("/reports/{report}", get(reports::show))
            .route("/outbox", get(outbox::list))
            .route("/outbox/change", post(outbox::change))
            .route("/outbox/mails/{mail}", get(outbox::mail))
            .route("/told", get(outbox::told))
            .route("/system", get(system::show))
            .route("/system/clock", post(system::clock))
            .route("/tokens", get(tokens::list))
            .route("/tokens/change", post(tokens::change))
            .route("/calendar/{token}", get(feed::feed))
            .route("/webhooks", get(webhooks::list))
            .route("/webhooks/change", post(webhooks::change))
            .route("/accounts", get(accounts::list))
            .route("/accounts/change", post(accounts::change))
            .route("/audit", get(accounts::audit))
            .route("/rules", get(workshop::list))
            .route("/rules/new", get(workshop::file::blank))
            .route("/rules/files/{*path}", get(workshop::file::show).post(workshop::file::change))
            .route("/rules/check/{*path}", post(workshop::editor::check))
            .route("/rules/schema/{*path}", get(workshop::editor::schema))
            .route("/rules/stories", get(workshop::trial::stories))
            .route("/rules/diagram", get(workshop::trial::diagram))
            .route("/rules/diagram.svg", get(workshop::trial::drawing))
            .route("/rules/forecast", get(workshop::trial::forecast))
            .route("/rules/history", get(workshop::plan::history))
            .route("/rules/diff", get(workshop::plan::diff))
            .route("/rules/plans", post(workshop::plan::make))
            .route("/rules/plans/{plan}", get(workshop::plan::show).post(workshop::plan::publish))
            .route("/assets/{name}", get(assets::asset))
            .fallback(|| async { Trouble::not_found() })
            .method_not_allowed_fallback(|| async { Trouble::no_method() })
            .layer(DefaultBodyLimit::max(largest))
            .layer(from_fn_with_state(web.clone(), trouble::speak))
            .layer(from_fn(page::guard))
            .with_state(web)
    }

    /// The office whose pages these are.
    async fn app(&self) -> Result<Arc<App>, Trouble> {
        Ok(self.offices.app(&self.jurisdiction).await?)
    }
}
