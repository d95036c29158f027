//! Why a mail was sent, for programs: what caused each of its notices, from which date it counts, and why this person.

use super::escalation::Kind;
use super::explain::{PlaceView, StepView, steps};
use super::outbox::MailRow;
use super::problem::Failure;
use super::request::{Asked, Named};
use super::why::RoleView;
use crate::app::Explained;
use crate::kernel::explain::mail::{CausedBy, CountedFrom, NoticeExplained};
use crate::kernel::rules::Rules;
use crate::kernel::words::Lang;
use axum::Json;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// What was told, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cause {
    /// Null for a notice that is in no mail.
    #[schema(required)]
    mail: Option<MailRow>,
    notices: Vec<CauseView>,
}

/// One notice, seen from what was recorded when it was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    key: String,
    item: String,
    notice: String,
    title: String,
    kind: Kind,
    person: String,
    person_title: String,
    /// Those whose letter this is a copy of.
    copy_of: Vec<String>,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    fact: Option<FactBehind>,
    #[schema(required)]
    due: Option<DueBehind>,
    /// How the person was found then; who else holds the role is told to the office only.
    #[schema(required)]
    role: Option<RoleView>,
    #[schema(required)]
    told_at: Option<DateTime<Utc>>,
    /// Until then it waited for the sending window.
    not_before: DateTime<Utc>,
    /// The line of the rules that told it.
    #[schema(required)]
    place: Option<PlaceView>,
}

/// The fact that caused it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactBehind {
    seq: u64,
    title: String,
    on: NaiveDate,
    /// Null for the engine itself.
    #[schema(required)]
    person: Option<String>,
    /// Hash of the rule set under which it was decided.
    rules: String,
}

/// The deadline behind it, as it stood then.
#[derive(Debug, Serialize, ToSchema)]
pub struct DueBehind {
    deadline: String,
    title: String,
    rung: String,
    occurrence: u32,
    cycle: u32,
    #[schema(required)]
    date: Option<NaiveDate>,
    steps: Vec<StepView>,
}

/// Why a mail was sent, by its reference
///
/// By the reference at the end of the mail, by its Message-ID, or by the key of a notice. A person is told of their own.
#[utoipa::path(get, path = "/outbox/{id}/cause", tag = "explain", params(("id" = String, Path, min_length = 1, max_length = 200)),
    responses((status = 200, body = Cause)))]
pub async fn cause(asked: Asked, Named(id): Named<String>) -> Result<Json<Cause>, Failure> {
    let reader = asked.reader(None)?;
    let own = |person: &str| reader.as_deref().is_none_or(|reader| *reader == *person);
    let told = asked.app.told(&id, reader.as_deref()).await?;
    let Explained { mail, notices } = told.ok_or_else(|| Failure::of(StatusCode::NOT_FOUND, "no_notice").with("id", &id))?;
    let notices = notices.into_iter().map(|(rules, notice)| view(&rules, notice, &own, asked.lang)).collect();
    Ok(Json(Cause { mail: mail.map(MailRow::from), notices }))
}

fn view(rules: &Rules, notice: NoticeExplained, own: &impl Fn(&str) -> bool, lang: Lang) -> CauseView {
    let fact = notice.fact.map(|CausedBy { seq, title, on, person, person_title: _, rules }| FactBehind {
        seq,
        title,
        on,
        person: person.map(|person| person.to_string()),
        rules: rules.to_string(),
    });
    let due = notice.due.map(|CountedFrom { deadline, title, rung, occurrence, cycle, date, steps: way, branch: _ }| DueBehind {
        deadline: deadline.to_string(),
        title,
        rung: rung.to_string(),
        occurrence,
        cycle,
        date,
        steps: steps(rules, &way, lang),
    });
    let role = notice.role.map(|mut role| {
        role.holders.retain(|held| own(&held.person));
        RoleView::from(role)
    });
    CauseView {
        key: notice.key,
        item: notice.item.to_string(),
        notice: notice.notice.to_string(),
        title: notice.title,
        kind: notice.kind.into(),
        person: notice.person.to_string(),
        person_title: notice.person_title,
        copy_of: notice.copy_of,
        branch: notice.branch,
        fact,
        due,
        role,
        told_at: notice.told_at,
        not_before: notice.not_before,
        place: notice.place.map(PlaceView::from),
    }
}
