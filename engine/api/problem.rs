//! Every *no* and every fault as `application/problem+json` (RFC 9457), with the catalogue's sentences in the language of the caller.

use super::unreadable::Unreadable;
use crate::app::{ActError, LoadError};
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::rules::EvalError;
use crate::kernel::words::{Lang, refusal, say, wished};
use crate::store::StoreError;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why something was not done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// `urn:duban:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the status means.
    pub title: String,
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The sentence for the person who asked: the rule author's, or the engine's own.
    pub detail: String,
    /// What programs go by; `wrong_state`, `stale_revision`, `unknown_key` … `in_doubt`: it may have been done; the same request under
    /// the same key tells.
    pub code: String,
    /// Where the rule stands that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the sentence speaks of.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// What is wrong in the body, where it can be told.
    #[serde(default)]
    pub errors: Vec<Wrong>,
}

/// One place in the body that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Wrong {
    /// A JSON pointer into the body, such as `/input/title`, or the name of a query parameter.
    pub pointer: String,
    /// A name that exists and is nearest to what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// An answer that is not what was asked for; [`speak`] puts it into words.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    says: Says,
    values: Vec<(String, String)>,
    errors: Vec<Wrong>,
    /// What `what` of the sentence is.
    unreadable: Option<Box<Unreadable>>,
}

#[derive(Clone, Debug)]
enum Says {
    /// `api.CODE` of the catalogue.
    Own(&'static str),
    Refused(Box<Refusal>),
    Store(StoreError),
}

impl Failure {
    pub fn of(status: StatusCode, code: &'static str) -> Failure {
        Failure { status, says: Says::Own(code), values: Vec::new(), errors: Vec::new(), unreadable: None }
    }

    /// Somebody wanted what is not theirs to ask for: it is noted, as on the pages.
    pub fn is_denial(&self) -> bool {
        matches!(self.says, Says::Own("not_yours" | "office_only"))
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Failure {
        self.values.push((name.to_string(), value.to_string()));
        self
    }

    /// What is wrong with the body, as `what` of the sentence.
    pub fn unreadable(mut self, what: Unreadable) -> Failure {
        self.unreadable = Some(Box::new(what));
        self
    }

    pub fn at(mut self, pointer: impl Into<String>, nearest: Option<String>) -> Failure {
        self.errors.push(Wrong { pointer: pointer.into(), nearest });
        self
    }

    pub fn refused(refusal: Refusal) -> Failure {
        let value = |name: &str| refusal.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let pointer = match refusal.code {
            RefusalCode::MissingInput | RefusalCode::UnknownInput | RefusalCode::BadInput | RefusalCode::AmendInput => {
                value("input").map(|input| format!("/input/{}", escaped(&input)))
            }
            RefusalCode::UnknownBranch | RefusalCode::AmbiguousBranch => Some("/branch".to_string()),
            RefusalCode::BadDate => Some("/on".to_string()),
            RefusalCode::UnknownPerson => Some("/by".to_string()),
            _ => None,
        };
        let nearest = match refusal.code {
            RefusalCode::UnknownInput => value("input").zip(value("known")).and_then(|(input, known)| nearest(&input, known.split(", "))),
            _ => value("near").filter(|near| !near.is_empty()),
        };
        let errors = pointer.map(|pointer| Wrong { pointer, nearest }).into_iter().collect();
        Failure { status: status_of(refusal.code), says: Says::Refused(Box::new(refusal)), values: Vec::new(), errors, unreadable: None }
    }

    /// What was asked stood in the query: places in it are names of parameters, and no pointers.
    pub fn in_query(mut self) -> Failure {
        for wrong in &mut self.errors {
            if let Some(name) = wrong.pointer.strip_prefix('/') {
                wrong.pointer = name.to_string();
            }
        }
        self
    }

    pub fn details(&self, lang: Lang) -> ProblemDetails {
        let what = self.unreadable.iter().map(|what| ("what".to_string(), what.sentence(lang)));
        let own: Vec<(String, String)> = self.values.iter().cloned().chain(what).collect();
        let named: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (code, detail, rule, values) = match &self.says {
            Says::Own(code) => (code.to_string(), say(lang, &format!("api.{code}"), &named), None, own.clone()),
            Says::Refused(no) => {
                let code = serde_json::to_value(no.code).ok().and_then(|code| code.as_str().map(str::to_string)).unwrap_or_default();
                (code, refusal(lang, no), no.rule.as_ref().map(|rule| rule.to_string()), crate::kernel::words::values(lang, no))
            }
            Says::Store(error) => {
                let code = if matches!(error, StoreError::Unknown(_)) { "in_doubt" } else { "store" };
                (code.to_string(), error.sentence(lang), None, Vec::new())
            }
        };
        ProblemDetails {
            kind: format!("urn:duban:problem:{code}"),
            title: say(lang, &format!("api.status.{}", self.status.as_u16()), &[]),
            status: self.status.as_u16(),
            detail,
            code,
            rule,
            values: values.into_iter().collect(),
            errors: self.errors.clone(),
        }
    }
}

/// 404: it is not there; 403: not by this person; 412: it has changed; 422: what was sent cannot be meant; 409: not as things stand.
fn status_of(code: RefusalCode) -> StatusCode {
    use RefusalCode::*;
    match code {
        UnknownItem | UnknownWorkflow | UnknownAction => StatusCode::NOT_FOUND,
        WrongRole | SamePerson | AmendHidden => StatusCode::FORBIDDEN,
        StaleRevision => StatusCode::PRECONDITION_FAILED,
        UnknownPerson | UnknownBranch | AmbiguousBranch | MissingInput | UnknownInput | BadInput | BadDate | CommandReused | AmendInput
        | NoSuchFact | NotRecorded | SameValue | AmendDate => StatusCode::UNPROCESSABLE_ENTITY,
        Rule | Always | ItemExists | WrongState | NoRequest | RequestPending | TooManyBranches | NoBranch | NotUnique | NotAmendable
        | AmendAlone | RuleFailed | OwesNothing => StatusCode::CONFLICT,
    }
}

/// The nearest of the names that exist, when one is near.
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let scored = known.into_iter().map(|name| (strsim::damerau_levenshtein(text, name), name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + text.chars().count() / 3).then(|| name.to_string())
}

/// A part of a JSON pointer.
pub fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let status = match error {
            StoreError::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        tracing::error!(%error, "a request failed");
        Failure { status, says: Says::Store(error), values: Vec::new(), errors: Vec::new(), unreadable: None }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::Eval(error) => error.into(),
            error => {
                tracing::error!(%error, "an item cannot be derived");
                Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "item_fails").with("what", error)
            }
        }
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Failure {
        Failure::refused(error.into())
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Failure {
        match error {
            ActError::Refused(refusal) => Failure::refused(*refusal),
            ActError::Store(error) => error.into(),
            ActError::Load(error) => error.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Puts failures into the words of whoever asked.
pub async fn speak(request: Request, next: Next) -> Response {
    let lang = lang(request.headers());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let details = failure.details(lang);
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let allow = response.headers_mut().remove(header::ALLOW);
        response = (failure.status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, allow);
        }
        match failure.status {
            StatusCode::UNAUTHORIZED => headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => None,
        };
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(if lang == Lang::En { "en" } else { "zh-CN" }));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Authorization"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// What the caller likes best of what we speak; without a wish, the language of the catalogue's beginning.
pub fn lang(headers: &HeaderMap) -> Lang {
    wished(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default())
}
