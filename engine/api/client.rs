//! The command line's way to the server that holds the database: one request over loopback, one answer.

use super::caller::JURISDICTION;
use crate::app::import::{Imported, Wishes};
use crate::app::tokens::{TokenEnd, TokenWish};
use crate::app::{AccountEnd, AccountWish, Answer, Batch, NotPublished, Published, Publisher};
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::Refusal;
use crate::kernel::plan::Plan;
use crate::kernel::time::Instant;
use crate::sheet::Row;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indexmap::IndexMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// No answer takes longer, also of a list of thousands.
const PATIENCE: Duration = Duration::from_secs(300);
const LARGEST_ANSWER: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("asking the server at {address}: {what}")]
    Unreachable { address: String, what: String },
    #[error("the server at {address} answered {status}: {what}")]
    Answered { address: String, status: u16, what: String },
    #[error("refused: {:?}", .0.code)]
    Refused(Box<Refusal>),
}

/// A server's local API.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    token: String,
    /// Whose rows are meant.
    jurisdiction: String,
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

/// What a list is sent as.
#[derive(Serialize, Deserialize)]
pub struct ImportRequest {
    pub workflow: String,
    pub import: String,
    pub rows: Vec<Row>,
    pub wishes: Wishes,
}

/// What is to become of notices that wait, and of mails.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxRequest {
    /// Keys of notices and ids of mails.
    pub ids: Vec<String>,
    /// All that is held together, instead of what `ids` names.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// Cancelled with this reason; otherwise released.
    pub cancel: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct Changed {
    pub changed: u64,
}

/// A plan that is to come true, with the files of the rule set that it speaks of.
#[derive(Serialize, Deserialize)]
pub struct PublishRequest {
    pub plan: Plan,
    pub files: IndexMap<String, String>,
    pub who: Publisher,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishAnswer {
    Done(Published),
    No(NotPublished),
}

/// What a restored database had held.
#[derive(Serialize, Deserialize)]
pub struct LetGone {
    pub notices: u64,
    pub mails: u64,
}

/// The body of every answer that is not 200.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trouble {
    pub error: String,
    pub refused: Option<Refusal>,
}

impl Client {
    pub fn new(address: String, token: String, jurisdiction: &str) -> Client {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        let jurisdiction = utf8_percent_encode(jurisdiction, NON_ALPHANUMERIC).to_string();
        Client { address, token, jurisdiction, http }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Does commands, each for itself.
    pub async fn act(&self, commands: &[Command]) -> Result<Vec<Answer>, ClientError> {
        self.ask("/local/act", &commands).await
    }

    pub async fn import(&self, request: &ImportRequest) -> Result<Imported, ClientError> {
        self.ask("/local/import", request).await
    }

    pub async fn outbox(&self, request: &OutboxRequest) -> Result<u64, ClientError> {
        Ok(self.ask::<Changed>("/local/outbox", request).await?.changed)
    }

    /// What a restored database holds is sent, or else cancelled.
    pub async fn let_go_restored(&self, send: bool) -> Result<LetGone, ClientError> {
        self.ask("/local/restored", &send).await
    }

    /// Notes that there is a verified backup of the database as it was at a moment.
    pub async fn note_backup(&self, file: &str, at: Instant) -> Result<(), ClientError> {
        self.ask("/local/backup", &(file, at)).await
    }

    /// Items that were set aside are tried at once; all of them, when none is named.
    pub async fn retry(&self, items: &[String]) -> Result<Vec<String>, ClientError> {
        self.ask("/local/retry", items).await
    }

    /// Confirms that the machine's clock is right after a jump.
    pub async fn confirm_clock(&self) -> Result<u64, ClientError> {
        Ok(self.ask::<Changed>("/local/clock", &()).await?.changed)
    }

    pub async fn publish(&self, request: &PublishRequest) -> Result<PublishAnswer, ClientError> {
        self.ask("/local/publish", request).await
    }

    /// Looks after somebody's account.
    pub async fn account(&self, wish: &AccountWish) -> Result<AccountEnd, ClientError> {
        self.ask("/local/accounts", wish).await
    }

    /// Makes a token, or takes one back.
    pub async fn token(&self, wish: &TokenWish) -> Result<TokenEnd, ClientError> {
        self.ask("/local/tokens", wish).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, ClientError> {
        let unreachable = |what: String| ClientError::Unreachable { address: self.address.clone(), what };
        let body = serde_json::to_vec(body).map_err(|error| unreachable(error.to_string()))?;
        let request = Request::post(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header(JURISDICTION, &self.jurisdiction)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = async {
            let answer = self.http.request(request).await.map_err(|error| unreachable(causes(&error)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| unreachable(error.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| unreachable("no answer".into()))??;
        if status != StatusCode::OK {
            let trouble: Trouble = serde_json::from_slice(&body).unwrap_or_default();
            return Err(match trouble.refused {
                Some(refusal) => ClientError::Refused(Box::new(refusal)),
                None => ClientError::Answered { address: self.address.clone(), status: status.as_u16(), what: trouble.error },
            });
        }
        serde_json::from_slice(&body).map_err(|error| unreachable(format!("its answer cannot be read: {error}")))
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
