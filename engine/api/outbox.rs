//! The outbox for programs: what waits and what became of each notice and mail; letting go of what is held, or cancelling it.
//!
//! A person sees what was addressed to them; taking a hand is the office's.

use super::Api;
use super::caller::Caller;
use super::items::page;
use super::problem::Failure;
use super::request::{Asked, Named, Params, Sent, check_name};
use crate::app::outbox::{became, sums};
use crate::app::{Batch, excess_values};
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::render::line_in;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use crate::store::brake::Excess;
use crate::store::outbox::{MAIL_STATUSES, MailStatus, NoticeStatus, STATUSES};
use crate::store::outbox_desk::{OutboxFilter, OutboxPlace};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::openapi::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

/// One cause to one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeRow {
    key: String,
    item: String,
    notice: String,
    title: String,
    kind: String,
    person: String,
    person_title: String,
    recorded_at: DateTime<Utc>,
    not_before: DateTime<Utc>,
    /// The status of its mail, where it is in one, else its own.
    status: String,
    /// The status in words, with the reason.
    says: String,
    /// The mail that carries it.
    #[schema(required)]
    mail: Option<String>,
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
}

pub fn notice_row(rules: &Rules, item: &Name, notice: NoticeStatus, lang: Lang) -> NoticeRow {
    let declared = rules.setting.workflow.notices.get(notice.notice.as_str());
    NoticeRow {
        title: declared.map_or_else(|| notice.notice.clone(), |declared| declared.title.clone()),
        person_title: capture::title(rules, &notice.person.as_str().into()),
        says: became(&notice, rules.setting.workflow.timezone, lang),
        status: notice.mail_status.unwrap_or(notice.status),
        key: notice.key,
        item: item.to_string(),
        notice: notice.notice,
        kind: notice.kind,
        person: notice.person,
        recorded_at: notice.recorded_at,
        not_before: notice.not_before,
        mail: notice.mail,
        ended_at: notice.mail_ended_at,
    }
}

/// One of the known ones; a mistyped one would find nothing without a word.
fn one_of<'de, D: Deserializer<'de>>(known: &'static [&'static str], deserializer: D) -> Result<Option<String>, D::Error> {
    let status = Option::<String>::deserialize(deserializer)?;
    match &status {
        Some(text) if !known.contains(&text.as_str()) => Err(D::Error::unknown_variant(text, known)),
        _ => Ok(status),
    }
}

fn a_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    one_of(STATUSES, deserializer)
}

fn a_mail_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    one_of(MAIL_STATUSES, deserializer)
}

fn statuses() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(STATUSES.iter().copied())).build()
}

fn mail_statuses() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(MAIL_STATUSES.iter().copied())).build()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OutboxParams {
    /// How they stand.
    #[serde(default, deserialize_with = "a_status")]
    #[param(schema_with = statuses)]
    status: Option<String>,
    person: Option<String>,
    item: Option<String>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OutboxPage {
    /// The latest recorded first.
    notices: Vec<NoticeRow>,
    /// Give it as `after` for the next page; null when this is the last. What is recorded or sent meanwhile moves nothing.
    #[schema(required)]
    next: Option<String>,
    /// How many there are of each status; told to the office only, on the first page.
    #[schema(required)]
    counts: Option<BTreeMap<String, u64>>,
    /// Nothing leaves because it was unusually much; told to the office only, on the first page.
    #[schema(required)]
    held: Option<HeldView>,
}

/// Why nothing leaves until a person lets it: `POST /outbox/release` with `batch`.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldView {
    since: DateTime<Utc>,
    /// So many mails would have left within the hour.
    mails: u64,
    /// So many are usual, by the last four weeks.
    usual: u64,
    /// So many were foreseen for the day when the rules were published.
    foreseen: u64,
    /// The same in words.
    says: String,
}

fn held_view(excess: &Excess, zone: chrono_tz::Tz, lang: Lang) -> HeldView {
    let values = excess_values(excess, zone);
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let Excess { since, mails, usual, foreseen } = *excess;
    HeldView { since, mails, usual, foreseen, says: say(lang, "outbox.held_now", &values) }
}

/// Notices, the latest first, a page at a time
#[utoipa::path(get, path = "/outbox", tag = "outbox", params(OutboxParams), responses((status = 200, body = OutboxPage)))]
pub async fn list(asked: Asked, Params(params): Params<OutboxParams>) -> Result<Json<OutboxPage>, Failure> {
    let limit = page(params.limit)?;
    let person = asked.reader(params.person.as_deref())?.map(|person| person.to_string());
    let bad_place = || Failure::of(StatusCode::BAD_REQUEST, "bad_place").at("after", None);
    let after = params.after.map(|text| text.parse::<OutboxPlace>().map_err(|()| bad_place())).transpose()?;
    let first_page = after.is_none();
    let filter = OutboxFilter { status: params.status, person, item: params.item, after };
    let mut found = asked.app.store.notices(&filter, limit as u32 + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(_, last)| OutboxPlace::of(last).to_string());
    let rules = asked.app.rules();
    let mut notices = Vec::with_capacity(found.len());
    for (item, notice) in found {
        let declares = |rules: &&Arc<Rules>| rules.setting.workflow.notices.contains_key(notice.notice.as_str());
        let Some(rules) = rules.workflows.values().find(declares).or_else(|| rules.workflows.values().next()) else { continue };
        notices.push(notice_row(rules, &item.into(), notice, asked.lang));
    }
    let counts = match asked.is_office() && first_page {
        false => None,
        true => Some(sums(asked.app.store.count_notices().await?).into_iter().collect()),
    };
    let held = match asked.is_office() && first_page {
        false => None,
        true => asked.app.store.hold().await?.and_then(|hold| Excess::read(&hold.reason)),
    };
    let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let held = held.map(|excess| held_view(&excess, zone, asked.lang));
    Ok(Json(OutboxPage { notices, next, counts, held }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MailParams {
    /// How they stand.
    #[serde(default, deserialize_with = "a_mail_status")]
    #[param(schema_with = mail_statuses)]
    status: Option<String>,
    person: Option<String>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MailPage {
    /// In the order of their ids.
    mails: Vec<MailRow>,
    /// Give it as `after` for the next page; null when this is the last.
    #[schema(required)]
    next: Option<String>,
}

/// One envelope to one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailRow {
    id: String,
    person: String,
    address: String,
    status: String,
    attempts: u32,
    next_try: DateTime<Utc>,
    /// What the server said.
    #[schema(required)]
    reply: Option<String>,
    created_at: DateTime<Utc>,
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
}

impl From<MailStatus> for MailRow {
    fn from(mail: MailStatus) -> MailRow {
        let MailStatus { id, person, address, status, attempts, next_try, reply, created_at, ended_at } = mail;
        MailRow { id, person, address, status, attempts, next_try, reply, created_at, ended_at }
    }
}

/// Mails, a page at a time
#[utoipa::path(get, path = "/mails", tag = "outbox", params(MailParams), responses((status = 200, body = MailPage)))]
pub async fn mails(asked: Asked, Params(params): Params<MailParams>) -> Result<Json<MailPage>, Failure> {
    let limit = page(params.limit)?;
    let person = asked.reader(params.person.as_deref())?;
    let (status, after) = (params.status.as_deref(), params.after.as_deref().unwrap_or_default());
    let mut mails = asked.app.store.mails(status, person.as_deref(), after, limit as u32 + 1).await?;
    let more = mails.len() > limit;
    mails.truncate(limit);
    let next = mails.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(MailPage { mails: mails.into_iter().map(MailRow::from).collect(), next }))
}

/// A mail with its message, or a notice.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct OutboxEntry {
    #[schema(required)]
    mail: Option<MailView>,
    #[schema(required)]
    notice: Option<NoticeView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MailView {
    #[serde(flatten)]
    mail: MailRow,
    /// Keys of the notices that it carries.
    notices: Vec<String>,
    /// As it is handed over.
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeView {
    key: String,
    item: String,
    notice: String,
    person: String,
    person_title: String,
    /// The role by which the person was found.
    role: String,
    subject: String,
    not_before: DateTime<Utc>,
}

/// One mail by its id, or one notice by its key
#[utoipa::path(get, path = "/outbox/{id}", tag = "outbox", params(("id" = String, Path, min_length = 1, max_length = 200)), responses((status = 200, body = OutboxEntry)))]
pub async fn show(asked: Asked, Named(id): Named<String>) -> Result<Json<OutboxEntry>, Failure> {
    let none = || Failure::of(StatusCode::NOT_FOUND, "no_notice").with("id", &id);
    let own = |person: &str| match &asked.caller {
        Caller::Office => true,
        Caller::Person(own) => **own == *person,
    };
    if let Some((mail, message)) = asked.app.store.mail(&id).await? {
        if !own(&mail.person) {
            return Err(none());
        }
        let notices = asked.app.store.notices_in(&id).await?;
        let mail = MailView { mail: mail.into(), notices: notices.into_iter().map(|notice| notice.key).collect(), message };
        return Ok(Json(OutboxEntry { mail: Some(mail), notice: None }));
    }
    let notice = asked.app.store.notice(&id).await?.filter(|notice| own(&notice.person)).ok_or_else(none)?;
    let rules = asked.app.rules();
    let workflow = rules.workflows.get(&notice.workflow);
    let declared = workflow.and_then(|rules| rules.setting.workflow.notices.get(&notice.notice));
    let subject = declared.and_then(|declared| line_in(asked.lang, &declared.subject, &notice.values).ok());
    let notice = NoticeView {
        person_title: workflow.map_or_else(|| notice.person.to_string(), |rules| capture::title(rules, &notice.person)),
        key: notice.key,
        item: notice.item.to_string(),
        notice: notice.notice.to_string(),
        person: notice.person.to_string(),
        role: notice.role.to_string(),
        subject: subject.unwrap_or_default(),
        not_before: notice.not_before,
    };
    Ok(Json(OutboxEntry { mail: None, notice: Some(notice) }))
}

/// What is to be let go, or cancelled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Keys of notices, ids of mails, and ids of items that were entered as history.
    #[serde(default)]
    #[schema(max_items = 1000)]
    ids: Vec<String>,
    /// All that is held together, instead of `ids`.
    #[serde(default)]
    batch: Option<HeldBatch>,
}

/// What is held together: `volume`, what was unusually much and what came since; `imported`, what lists caused at once.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldBatch {
    Volume,
    Imported,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Keys of notices and ids of mails.
    #[serde(default)]
    #[schema(max_items = 1000)]
    ids: Vec<String>,
    /// All that is held together, instead of `ids`.
    #[serde(default)]
    batch: Option<HeldBatch>,
    /// Why; recorded.
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedView {
    asked: u64,
    /// What had gone out, or ended, stays as it is.
    changed: u64,
}

/// Let go of what is held, and try mails that wait at once
#[utoipa::path(post, path = "/outbox/release", tag = "outbox", request_body = ReleaseRequest, responses((status = 200, body = ChangedView)))]
pub async fn release(State(api): State<Arc<Api>>, asked: Asked, Sent(request): Sent<ReleaseRequest>) -> Result<Json<ChangedView>, Failure> {
    change(&api, &asked, request.ids, request.batch, None).await
}

/// Cancel notices and mails that have not gone out
#[utoipa::path(post, path = "/outbox/cancel", tag = "outbox", request_body = CancelRequest, responses((status = 200, body = ChangedView)))]
pub async fn cancel(State(api): State<Arc<Api>>, asked: Asked, Sent(request): Sent<CancelRequest>) -> Result<Json<ChangedView>, Failure> {
    change(&api, &asked, request.ids, request.batch, Some(request.reason)).await
}

async fn change(
    api: &Api,
    asked: &Asked,
    ids: Vec<String>,
    batch: Option<HeldBatch>,
    cancel: Option<String>,
) -> Result<Json<ChangedView>, Failure> {
    asked.office_only()?;
    if let (Some(batch), true) = (batch, ids.is_empty()) {
        cancel.iter().try_for_each(|reason| check_name(reason))?;
        let batch = match batch {
            HeldBatch::Volume => Batch::Volume,
            HeldBatch::Imported => Batch::Imported,
        };
        let changed = asked.app.change_batch(batch, cancel.as_deref()).await?;
        api.pulse.wake();
        return Ok(Json(ChangedView { asked: changed, changed }));
    }
    // Names beside a batch would be ambiguous.
    if batch.is_some() || ids.is_empty() || ids.len() > 1000 {
        return Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_count").with("most", 1000).at("/ids", None));
    }
    for id in ids.iter().chain(&cancel) {
        check_name(id)?;
    }
    let changed = asked.app.change_outbox(&ids, cancel.as_deref()).await?;
    api.pulse.wake();
    Ok(Json(ChangedView { asked: ids.len() as u64, changed }))
}
