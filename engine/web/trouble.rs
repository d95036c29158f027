//! What is not as it was asked: a page with what happened, and the way on.

use super::Web;
use super::door::{self, Bound};
use super::page::{self, Glance};
use super::session::Visitor;
use super::sheet::Kept;
use crate::app::{ActError, LoadError, OfficeError};
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::rules::EvalError;
use crate::kernel::words::{Lang, refusal, say};
use crate::store::StoreError;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use std::sync::Arc;

/// An answer that is not the page that was asked for; [`speak`] makes a page of it.
#[derive(Clone, Debug)]
pub struct Trouble {
    status: StatusCode,
    says: Says,
}

#[derive(Clone, Debug)]
enum Says {
    /// `web.trouble.CODE` of the catalogue, with its values.
    Own(&'static str, Vec<(&'static str, String)>),
    Refused(Box<Refusal>),
    Store(StoreError),
    /// Nobody is signed in: to the door, and back here afterwards.
    Door,
    /// Somebody was whose session has ended: to the door, with what they typed.
    Ended(Box<Kept>),
}

impl Trouble {
    pub fn of(status: StatusCode, code: &'static str) -> Trouble {
        Trouble { status, says: Says::Own(code, Vec::new()) }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Trouble {
        if let Says::Own(_, values) = &mut self.says {
            values.push((name, value.to_string()));
        }
        self
    }

    pub fn not_found() -> Trouble {
        Trouble::of(StatusCode::NOT_FOUND, "not_found")
    }

    pub fn no_method() -> Trouble {
        Trouble::of(StatusCode::METHOD_NOT_ALLOWED, "no_method")
    }

    /// Not this person's to see.
    pub fn not_yours() -> Trouble {
        Trouble::of(StatusCode::FORBIDDEN, "not_yours")
    }

    pub fn door() -> Trouble {
        Trouble { status: StatusCode::UNAUTHORIZED, says: Says::Door }
    }

    pub fn is_door(&self) -> bool {
        matches!(self.says, Says::Door)
    }

    pub fn ended(kept: Kept) -> Trouble {
        Trouble { status: StatusCode::UNAUTHORIZED, says: Says::Ended(Box::new(kept)) }
    }

    pub fn unknown_item(id: &str) -> Trouble {
        Trouble::of(StatusCode::NOT_FOUND, "unknown_item").with("item", id)
    }

    pub fn refused(no: Refusal) -> Trouble {
        let status = match no.code {
            RefusalCode::UnknownItem | RefusalCode::UnknownWorkflow | RefusalCode::UnknownAction => StatusCode::NOT_FOUND,
            RefusalCode::WrongRole | RefusalCode::SamePerson => StatusCode::FORBIDDEN,
            _ => StatusCode::CONFLICT,
        };
        Trouble { status, says: Says::Refused(Box::new(no)) }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened, in words.
    pub fn sentence(&self, lang: Lang) -> String {
        match &self.says {
            Says::Own(code, values) => {
                let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                say(lang, &format!("web.trouble.{code}"), &values)
            }
            Says::Refused(no) => refusal(lang, no),
            Says::Store(error) => error.sentence(lang),
            Says::Door | Says::Ended(_) => String::new(),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        tracing::error!(%error, "a page failed");
        Trouble { status: StatusCode::SERVICE_UNAVAILABLE, says: Says::Store(error) }
    }
}

impl From<EvalError> for Trouble {
    fn from(error: EvalError) -> Trouble {
        Trouble::refused(error.into())
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Trouble {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::Eval(error) => error.into(),
            error => {
                tracing::error!(%error, "an item cannot be derived");
                Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "item_fails").with("what", error)
            }
        }
    }
}

impl From<ActError> for Trouble {
    fn from(error: ActError) -> Trouble {
        match error {
            ActError::Refused(no) => Trouble::refused(*no),
            ActError::Store(error) => error.into(),
            ActError::Load(error) => error.into(),
        }
    }
}

impl From<OfficeError> for Trouble {
    fn from(error: OfficeError) -> Trouble {
        match error {
            OfficeError::Store(error) => error.into(),
            error => {
                tracing::error!(%error, "the office cannot be worked");
                Trouble::of(StatusCode::SERVICE_UNAVAILABLE, "office_shut").with("what", error)
            }
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A refusal of the framework's own, in a line of plain text.
fn is_plain(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    response.status().is_client_error() && kind.starts_with("text/plain")
}

/// Makes a page of what is not as it was asked.
pub async fn speak(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let asked = request.method() == Method::GET;
    // No database keeps it, and no text has it.
    let nul = uri.to_string().to_ascii_lowercase().contains("%00");
    let mut response = if nul { Trouble::not_found().into_response() } else { next.run(request).await };
    let trouble = match response.extensions_mut().remove::<Trouble>() {
        Some(trouble) => trouble,
        // An address or a query that cannot be read: it is told in words, as everything is.
        None if is_plain(&response) => Trouble::of(StatusCode::BAD_REQUEST, "bad_address"),
        None => return response,
    };
    if let Says::Ended(kept) = &trouble.says {
        let glance = Glance::at(&headers, &"/sign-in".parse().unwrap_or_default());
        let bound = Bound { back: kept.to.clone(), kept: serde_json::to_string(kept).unwrap_or_default() };
        let says = say(glance.lang, "web.door.ended", &[]);
        let door = door::show(&web, &glance, trouble.status, &says, "", &bound).await;
        return door.unwrap_or_else(|_| Redirect::to("/sign-in").into_response());
    }
    if matches!(trouble.says, Says::Door) {
        // The page of a form has the same address as the form is sent to, so one begins there again. What was typed has not arrived
        // anywhere: the browser has it one page back.
        let back = uri.to_string();
        let over = if asked { "" } else { "&over=1" };
        let back = if back == "/" { String::new() } else { format!("?back={}{over}", page::encoded(&back)) };
        return Redirect::to(&format!("/sign-in{back}")).into_response();
    }
    let glance = Glance::at(&headers, &uri);
    let visitor = match trouble.says {
        // Whoever it is cannot be asked for while the database does not answer.
        Says::Store(_) => None,
        _ => Visitor::of(&web, &headers, &uri).await.ok(),
    };
    let title = say(glance.lang, &format!("web.trouble.status.{}", trouble.status.as_u16()), &[]);
    let page = json!({ "says": trouble.sentence(glance.lang) });
    let mut page = match page::fill(&web, &glance, visitor.as_ref(), "trouble.html", &title, page) {
        Ok(html) => html,
        Err(error) => error.to_string().into_response(),
    };
    *page.status_mut() = trouble.status;
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
