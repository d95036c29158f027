//! Reports and documents of the rule set, as of any day: to look at, to print, and as a workbook.

use super::Web;
use super::item::paper;
use super::page;
use super::session::Visitor;
use super::trouble::Trouble;
use crate::app::{Format, FormatError, ReportError, Wanted, titles};
use crate::kernel::access::Room;
use crate::kernel::time::Date;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.enter(Room::Reports).await?;
    let rules = visitor.app.rules();
    let groups = rules.workflows.values().map(|rules| {
        let rows: Vec<Json> = titles(rules)
            .map(|(name, title)| {
                let of_one = rules.setting.workflow.documents.get(name).is_some_and(|document| document.of_one);
                let is_document = rules.setting.workflow.documents.contains_key(name);
                json!({ "to": format!("/reports/{}", page::encoded(name)), "title": title, "of_one": of_one, "document": is_document })
            })
            .collect();
        json!({ "title": rules.setting.workflow.title, "rows": rows })
    });
    let groups: Vec<Json> = groups.filter(|group| group["rows"].as_array().is_some_and(|rows| !rows.is_empty())).collect();
    let page = json!({ "groups": groups, "today": visitor.today().to_string() });
    visitor.page(&web, "reports.html", &visitor.say("web.way.reports", &[]), page)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReportQuery {
    as_of: String,
    of: String,
    /// `html` without it, or `xlsx`
    format: String,
}

pub async fn show(visitor: Visitor, Path(name): Path<String>, Query(asked): Query<ReportQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Reports).await?;
    let day = match asked.as_of.trim() {
        "" => visitor.today(),
        text => text.parse::<Date>().map_err(|_| Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_day").with("day", text))?,
    };
    let today = visitor.today();
    if day > today {
        return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "day_ahead").with("day", day));
    }
    let of = Some(asked.of.trim().to_string()).filter(|of| !of.is_empty());
    let wanted = Wanted { report: name.clone(), of, days: vec![day], known_by: None };
    let made = visitor.app.report(&wanted, |_, _| {}).await.map_err(|error| match error {
        ReportError::Store(error) => error.into(),
        ReportError::Eval(error) => error.into(),
        error => Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "report_fails").with("what", error),
    })?;
    let format = if asked.format == "xlsx" { Format::Xlsx } else { Format::Html };
    let bytes = format.write(&made, &[], visitor.lang()).map_err(|error: FormatError| {
        tracing::error!(%error, report = name, "a report cannot be written");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    if format == Format::Html {
        return Ok(paper(String::from_utf8(bytes).unwrap_or_default()));
    }
    let file = format!("attachment; filename=\"report-{day}.xlsx\"; filename*=UTF-8''{}-{day}.xlsx", page::encoded(&name));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&file).unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    Ok((headers, bytes).into_response())
}
