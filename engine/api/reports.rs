//! Reports for programs: figures of the rule set as of any day.

use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params, check_day};
use crate::app::ReportError;
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::report::hundredths_of_percent;
use axum::Json;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Serialize, ToSchema)]
pub struct Reports {
    reports: Vec<ReportName>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReportName {
    report: String,
    title: String,
    workflow: String,
}

/// The reports of the rule set
#[utoipa::path(get, path = "/reports", tag = "reports", responses((status = 200, body = Reports)))]
pub async fn list(asked: Asked) -> Json<Reports> {
    let rules = asked.app.rules();
    let of_workflow = |rules: &Arc<crate::kernel::rules::Rules>| {
        let workflow = &rules.setting.workflow;
        let name = |(name, report): (&crate::kernel::model::Name, &crate::kernel::model::definition::Report)| ReportName {
            report: name.to_string(),
            title: report.title.clone(),
            workflow: workflow.name.to_string(),
        };
        workflow.reports.iter().map(name).collect::<Vec<_>>()
    };
    Json(Reports { reports: rules.workflows.values().flat_map(of_workflow).collect() })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportParams {
    /// As it was at the end of this day; today without it.
    as_of: Option<NaiveDate>,
    /// By what had been recorded by the end of this day.
    known_on: Option<NaiveDate>,
}

/// Figures as of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    report: String,
    title: String,
    as_of: NaiveDate,
    #[schema(required)]
    known_on: Option<NaiveDate>,
    total: u64,
    rows: Vec<ReportRow>,
    /// The option whose share is of interest.
    #[schema(required)]
    share_of: Option<String>,
    /// In percent with two places.
    #[schema(required)]
    share: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReportRow {
    /// The option, unit or other value; empty for items without one.
    value: String,
    title: String,
    count: u64,
    /// In percent with two places.
    percent: String,
}

/// A report as of any day
#[utoipa::path(get, path = "/reports/{report}", tag = "reports", params(("report" = String, Path, min_length = 1, max_length = 200), ReportParams),
    responses((status = 200, body = ReportView)))]
pub async fn show(asked: Asked, Named(name): Named<String>, Params(params): Params<ReportParams>) -> Result<Json<ReportView>, Failure> {
    let (rules, found) = asked.app.find_report(&name).map_err(failure)?;
    let zone = rules.setting.workflow.timezone;
    let as_of = check_day(params.as_of, "as_of")?.unwrap_or_else(|| day_of(asked.app.now(), zone));
    let known_on = check_day(params.known_on, "known_on")?;
    let known_by = known_on.and_then(|day| day.succ_opt()).map(|next| start_of_day(next, zone));
    let figures = asked.app.report(&found, as_of, known_by).await.map_err(failure)?;
    let rows = figures.rows.into_iter().map(|row| ReportRow {
        percent: percent(hundredths_of_percent(row.count, figures.total)),
        value: row.value,
        title: row.title,
        count: row.count,
    });
    Ok(Json(ReportView {
        rows: rows.collect(),
        report: figures.report.to_string(),
        title: figures.title,
        as_of: figures.as_of,
        known_on,
        total: figures.total,
        share_of: figures.share_of.map(|option| option.to_string()),
        share: figures.share.map(percent),
    }))
}

fn failure(error: ReportError) -> Failure {
    match error {
        ReportError::Unknown { name, known } => {
            let near = nearest(&name, known.split(", "));
            Failure::of(StatusCode::NOT_FOUND, "no_report").with("report", &name).with("known", &known).at("report", near)
        }
        ReportError::Store(error) => error.into(),
        ReportError::Eval(error) => error.into(),
    }
}

/// Hundredths of a percent as `38.66`.
fn percent(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
