//! The pages for people: rendered here, complete without a script, and whole from this one server.
//!
//! A handler reads what came, calls the app, and fills a template of `templates/web`. What may be seen and done is the kernel's to say; no
//! state, class, label or colour of a procedure stands here.

mod accounts;
mod act;
mod assets;
mod bulk;
mod deadline;
mod form;
mod item;
mod ledger;
mod mail_link;
mod outbox;
mod page;
mod reports;
mod session;
mod system;
mod todo;
mod trouble;

use crate::app::accounts::Policy;
use crate::app::{App, Offices};
use crate::kernel::render::Pages;
use crate::scheduler::Pulse;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use std::sync::Arc;
use trouble::Trouble;

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
    /// Anybody may sign in as whoever stands on the list: for a demo, on this machine only.
    pub open_house: bool,
    /// The largest form, in bytes.
    pub largest: usize,
}

impl Web {
    /// Every page there is.
    pub fn routes(self) -> Router {
        let largest = self.largest;
        let web = Arc::new(self);
        Router::new()
            .route("/", get(todo::home))
            .route("/sign-in", get(session::door).post(session::sign_in))
            .route("/sign-in/as", post(session::sign_in_as))
            .route("/sign-out", post(session::sign_out))
            .route("/welcome/{token}", get(session::invited).post(session::accept))
            .route("/j/{token}", get(mail_link::show).post(mail_link::act))
            .route("/todo", get(todo::todo))
            .route("/items/{item}", get(item::show))
            .route("/items/{item}/do/{action}", get(act::form).post(act::act))
            .route("/items/{item}/forms/{form}", get(item::print))
            .route("/new", get(act::choices))
            .route("/new/{workflow}/{action}", get(act::blank).post(act::create))
            .route("/ledger", get(ledger::show))
            .route("/ledger.xlsx", get(ledger::workbook))
            .route("/bulk", get(bulk::choose))
            .route("/bulk/{workflow}/{action}", get(bulk::form).post(bulk::act))
            .route("/reports", get(reports::list))
            .route("/reports/{report}", get(reports::show))
            .route("/outbox", get(outbox::list))
            .route("/outbox/change", post(outbox::change))
            .route("/outbox/mails/{mail}", get(outbox::mail))
            .route("/told", get(outbox::told))
            .route("/system", get(system::show))
            .route("/system/clock", post(system::clock))
            .route("/accounts", get(accounts::list))
            .route("/accounts/change", post(accounts::change))
            .route("/audit", get(accounts::audit))
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
