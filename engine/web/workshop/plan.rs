//! What would come of putting rules into use today, in words; putting them into use, with the second person where the rules ask for one; and
//! what was in use before, compared by meaning and gone back to.

use super::{bench, file_page, short, source};
use crate::app::workshop::{Planned, WorkshopNo};
use crate::app::{NotPublished, Published};
use crate::files::working_copy::is_rule_file;
use crate::kernel::access::Room;
use crate::kernel::author::clauses::Kind;
use crate::kernel::author::diff::{Difference, differences};
use crate::kernel::model::definition::{NoticeKind, OpenItems};
use crate::kernel::plan::told::{because, changes_to_write, headline, sentences};
use crate::kernel::plan::{Choices, Group, Plan, Record, Row, Seen, What};
use crate::kernel::time::Instant;
use crate::kernel::words::has;
use crate::store::StoreError;
use crate::web::Web;
use crate::web::page::{self, encoded};
use crate::web::session::{Sent, Visitor};
use crate::web::trouble::Trouble;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Items of one effect on a page; `duban plan --detail` lists them all.
const ITEMS: usize = 50;
/// Notices of which it is said how many more or fewer leave.
const NOTICES: usize = 20;

/// The fields that say what becomes of the dates of a deadline of open items, by its name.
const CHOICE: &str = "dates.";

/// Makes a plan of the folder's rules, or of rules that were in use before.
pub async fn make(State(web): State<Arc<Web>>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let of = sheet.text("of").unwrap_or("folder");
    let allowed = sheet.text("allow_overdue").unwrap_or("0");
    let wrong = || Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "rules_number").with("value", allowed);
    let allowed: u64 = allowed.parse().map_err(|_| wrong())?;
    let choices = sheet.iter().filter_map(|(name, choice)| {
        let choice = match choice {
            "keep" => OpenItems::Keep,
            "recompute" => OpenItems::Recompute,
            _ => return None,
        };
        Some((name.strip_prefix(CHOICE)?.into(), choice))
    });
    let choices: Choices = choices.collect();
    let sum = bench(&web, &visitor).plan(&visitor.app, &source(of), allowed, choices, visitor.lang()).await?;
    Ok(Redirect::to(&format!("/rules/plans/{sum}")).into_response())
}

pub async fn show(State(web): State<Arc<Web>>, visitor: Visitor, Path(sum): Path<String>, uri: Uri) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let planned = bench(&web, &visitor).planned(&visitor.app, &sum).await?;
    let says = page::query(&uri, "did").and(planned.proposed_by.as_ref()).map(|_| visitor.say("web.rules.proposed", &[]));
    fill(&web, &visitor, &planned, says, false, StatusCode::OK)
}

/// Puts the rules of a plan into use, proposes that, or approves it as the second person.
pub async fn publish(State(web): State<Arc<Web>>, Path(sum): Path<String>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let approve = match sheet.text("do") {
        Some("publish") => false,
        Some("approve") => true,
        _ => return Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
    };
    let planned = bench.planned(&visitor.app, &sum).await?;
    match bench.publish(&visitor.app, &sum, &visitor.person, approve).await {
        Ok(Published::InUse(done)) => Ok(Redirect::to(&format!("/rules/history?did={}", done.revision)).into_response()),
        Ok(Published::Proposed(_)) => Ok(Redirect::to(&format!("/rules/plans/{sum}?did=1")).into_response()),
        Err(WorkshopNo::NotPublished(no)) => fill(&web, &visitor, &planned, Some(not_published(&visitor, &no)), true, StatusCode::CONFLICT),
        Err(no) => Err(no.into()),
    }
}

/// Why it was not published, with the way on from a page rather than from a command line where they differ.
fn not_published(visitor: &Visitor, no: &NotPublished) -> String {
    let person = |id: &str| visitor.app.rules().directory.person_title(id).to_string();
    let worded = |(name, value): &(String, String)| (name.clone(), if name == "person" { person(value) } else { value.clone() });
    let values: Vec<(String, String)> = no.values.iter().map(worded).collect();
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own = format!("web.rules.no.{}", no.why);
    visitor.say(&if has(visitor.lang(), &own) { own } else { format!("publish.{}", no.why) }, &values)
}

fn fill(web: &Web, visitor: &Visitor, planned: &Planned, says: Option<String>, bad: bool, status: StatusCode) -> Result<Response, Trouble> {
    let Planned { plan, old, new, differences, proposed_by } = planned;
    let lang = visitor.lang();
    let (meant, wording): (Vec<&Difference>, Vec<&Difference>) = differences.iter().partition(|difference| !difference.wording);
    let findings = plan.findings.iter().map(|finding| {
        let (sentence, todo) = sentences(finding, lang);
        json!({ "code": finding.code, "level": if finding.is_error() { "fault" } else { "warning" }, "says": sentence, "do": todo })
    });
    let written = changes_to_write(plan, lang);
    let several = written.len() > 1;
    let written = written.into_iter().map(|(workflow, text)| {
        let key = if several { "plan.under_changes_of" } else { "plan.under_changes" };
        json!({ "says": visitor.say(key, &[("workflow", &workflow)]), "text": text })
    });
    let two = visitor.app.rules().workflows.values().any(|rules| rules.setting.workflow.second_person);
    let mine = proposed_by.as_ref() == Some(&visitor.person);
    let page = json!({
        "tab": "plan", "says": says, "bad": bad, "form": visitor.form,
        "to": format!("/rules/plans/{}", plan.checksum), "same": !plan.changes_anything(),
        "head": head(visitor, plan), "figures": figures(planned), "changed": plan.changed, "unread": plan.unread, "back": plan.back,
        "meant": meant.iter().map(|difference| difference.sentence(lang)).collect::<Vec<_>>(), "wording": wording.len(),
        "groups": plan.groups.iter().map(|group| effect(visitor, planned, group)).collect::<Vec<_>>(),
        "mails": mails(visitor, planned), "findings": findings.collect::<Vec<_>>(), "written": written.collect::<Vec<_>>(),
        "diff_to": format!("/rules/diff?from={}&to={}", old.hash, if plan.folder.is_some() { "folder" } else { &*new.hash }),
        "again": again(planned), "blocked": plan.is_blocked(), "two": two, "mine": mine,
        "proposed_by": proposed_by.as_ref().map(|person| visitor.app.rules().directory.person_title(person).to_string()),
    });
    let title = visitor.say("web.rules.plan", &[]);
    let mut response = visitor.page(web, "rules_plan.html", &title, page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// What can be chosen where something stands in the way: what becomes of dates that move, and how many items may turn overdue. Rules that were
/// in use before cannot be edited to say so themselves.
fn again(planned: &Planned) -> Option<Json> {
    let plan = &planned.plan;
    let of = |code: &'static str| plan.findings.iter().filter(move |finding| finding.code == code);
    let mut deadlines: Vec<&str> = of("E806").filter_map(|finding| finding.values.get("deadline")).map(String::as_str).collect();
    deadlines.extend(plan.choices.keys().map(|name| &**name));
    deadlines.sort_unstable();
    deadlines.dedup();
    let is_overdue = of("E807").next().is_some();
    if deadlines.is_empty() && !is_overdue {
        return None;
    }
    let rows = deadlines.iter().map(|name| {
        let mut declared = planned.new.workflows.values().filter_map(|rules| rules.setting.workflow.deadlines.get(*name));
        let title = declared.next().map_or(*name, |deadline| &deadline.title);
        json!({ "name": format!("{CHOICE}{name}"), "title": title, "keeps": plan.choices.get(*name) == Some(&OpenItems::Keep) })
    });
    Some(json!({
        "of": if plan.folder.is_some() { "folder" } else { &plan.new.hash },
        "rows": rows.collect::<Vec<_>>(), "allowed": plan.allow_overdue, "overdue": plan.overdue(),
    }))
}

fn head(visitor: &Visitor, plan: &Plan) -> String {
    let versions = |seen: &Seen| seen.versions.values().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let values = [
        ("was", versions(&plan.old)),
        ("old", short(&plan.old.hash).to_string()),
        ("is", versions(&plan.new)),
        ("new", short(&plan.new.hash).to_string()),
        ("files", plan.changed.len().to_string()),
        ("items", plan.items.to_string()),
        ("at", moment(visitor, plan.as_of)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    visitor.say(if plan.changes_anything() { "plan.head" } else { "plan.same" }, &values)
}

fn moment(visitor: &Visitor, at: Instant) -> String {
    at.with_timezone(&visitor.zone()).format("%Y-%m-%d %H:%M").to_string()
}

/// What an administrator asks first.
fn figures(planned: &Planned) -> Json {
    let plan = &planned.plan;
    let rows = |of: fn(&What) -> bool| plan.groups.iter().filter(|group| of(&group.what)).map(|group| group.rows.len()).sum::<usize>();
    let escalation = |name: &str| {
        let declared = planned.new.workflows.values().chain(planned.old.workflows.values());
        declared
            .filter_map(|rules| rules.setting.workflow.notices.get(name))
            .next()
            .is_some_and(|notice| notice.kind == NoticeKind::Escalation)
    };
    let escalations = plan.mails.notices.iter().filter(|(name, _)| escalation(name));
    let (before, after) = escalations.fold((0, 0), |(before, after), (_, counts)| (before + counts.before, after + counts.after));
    json!({
        "dates": rows(|what| matches!(what, What::Date { .. } | What::NewDate { .. } | What::NoDate { .. })),
        "overdue": plan.overdue(), "owed": rows(|what| matches!(what, What::Owed { .. })),
        "mails_before": plan.mails.before, "mails_after": plan.mails.after, "escalations_before": before, "escalations_after": after,
    })
}

/// One effect on the open items, with what brings it about.
fn effect(visitor: &Visitor, planned: &Planned, group: &Group) -> Json {
    let (before, after) = (planned.old.workflows.get(&group.workflow), planned.new.workflows.get(&group.workflow));
    let place = after.and_then(|rules| rules.places.find(&group.cause.element));
    let to = place.filter(|place| planned.plan.folder.is_some() && is_rule_file(&place.file));
    let mut rows: Vec<&Row> = group.rows.iter().collect();
    let days = |row: &Row| row.to.zip(row.from).map_or(0, |(to, from)| (to - from).num_days().abs());
    rows.sort_by_key(|row| (!row.overdue, -days(row)));
    let shown = rows.iter().take(ITEMS).map(|row| {
        json!({
            "item": row.item, "to_item": format!("/items/{}", encoded(&row.item)), "branch": row.branch, "from": row.from.map(|day| day.to_string()),
            "to": row.to.map(|day| day.to_string()), "overdue": row.overdue,
        })
    });
    json!({
        "says": headline(group, before, after, visitor.lang()), "because": because(&group.cause, after, visitor.lang()),
        "to": to.map(|place| format!("{}#L{}", file_page(&place.file), place.line)), "bad": group.overdue() > 0,
        "dates": group.rows.iter().any(|row| row.from.or(row.to).is_some()),
        "rows": shown.collect::<Vec<_>>(), "more": rows.len().saturating_sub(ITEMS),
    })
}

/// The mails of the next days, before and after.
fn mails(visitor: &Visitor, planned: &Planned) -> Option<Json> {
    let mails = &planned.plan.mails;
    let until = mails.until?;
    let values = [("until", until.to_string()), ("before", mails.before.to_string()), ("after", mails.after.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let title = |notice: &str| {
        let declared = planned.new.workflows.values().chain(planned.old.workflows.values());
        declared
            .filter_map(|rules| rules.setting.workflow.notices.get(notice))
            .next()
            .map_or_else(|| notice.to_string(), |notice| notice.title.clone())
    };
    let notices = mails
        .notices
        .iter()
        .take(NOTICES)
        .map(|(notice, counts)| json!({ "title": title(notice), "before": counts.before, "after": counts.after }));
    let days = mails.days.iter().map(|(day, counts)| json!({ "day": day.to_string(), "before": counts.before, "after": counts.after }));
    Some(json!({ "says": visitor.say("plan.mails", &values), "notices": notices.collect::<Vec<_>>(), "days": days.collect::<Vec<_>>() }))
}

/// What waits for a second person.
pub async fn waiting(visitor: &Visitor) -> Result<Vec<Json>, StoreError> {
    let (rules, today) = (visitor.app.rules(), visitor.today());
    let rows = visitor.app.proposals().await?.into_iter().map(|(plan, at, proposal)| {
        json!({
            "to": format!("/rules/plans/{plan}"), "at": moment(visitor, at), "hash": short(&proposal.hash),
            "by": proposal.by.as_ref().map(|person| rules.directory.person_title(person).to_string()),
            "version": proposal.versions.values().map(u32::to_string).collect::<Vec<_>>().join(", "),
            // A plan holds for the day on which it was made.
            "over": proposal.day.is_some_and(|day| day != today),
        })
    });
    Ok(rows.collect())
}

/// Everything that was in use, the latest first.
pub async fn history(State(web): State<Arc<Web>>, visitor: Visitor, uri: Uri) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let rules = visitor.app.rules();
    let published = visitor.app.store.published().await?;
    let title = |person: &str| rules.directory.person_title(person).to_string();
    let mut after: Option<String> = None;
    let mut rows: Vec<Json> = Vec::new();
    for one in published.iter().rev() {
        let record = Record::read(&one.record);
        let how = match (&record.plan, record.back) {
            (None, _) => "rules.put_to_work",
            (Some(_), false) => "rules.published",
            (Some(_), true) => "rules.went_back",
        };
        let proposed = record.proposed_by.as_deref().map(|person| visitor.say("rules.proposed_by", &[("person", &title(person))]));
        let who = record.by.as_deref().map(title).or(record.via).unwrap_or_default() + proposed.as_deref().unwrap_or_default();
        if let (Some(last), Some(later)) = (rows.last_mut(), &after) {
            last["diff"] = format!("/rules/diff?from={}&to={later}", one.hash).into();
        }
        rows.push(json!({
            "revision": one.revision, "hash": one.hash, "short": short(&one.hash), "since": moment(&visitor, one.at),
            "how": visitor.say(how, &[("who", &who)]), "in_use": after.is_none(), "same": *one.hash == *rules.hash,
        }));
        after = Some(one.hash.clone());
    }
    let page = json!({
        "tab": "history", "rows": rows, "form": visitor.form, "proposals": waiting(&visitor).await?, "folder": bench(&web, &visitor).folder().is_ok(),
        "did": page::query(&uri, "did").filter(|did| published.last().is_some_and(|last| last.revision.to_string() == *did)),
    });
    visitor.page(&web, "rules_history.html", &visitor.say("web.rules.history", &[]), page)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiffQuery {
    from: String,
    to: String,
}

/// Two rule sets compared by what they mean.
pub async fn diff(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<DiffQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let old = bench.rules(&visitor.app, &source(&asked.from)).await?;
    let new = bench.rules(&visitor.app, &source(&asked.to)).await?;
    let (before, after) = (old.clone(), new.clone());
    let found = bench.aside(move || differences(&before, &after)).await?;
    let lang = visitor.lang();
    let group = |title: String, members: Vec<&Difference>| {
        (!members.is_empty())
            .then(|| json!({ "title": title, "rows": members.iter().map(|difference| difference.sentence(lang)).collect::<Vec<_>>() }))
    };
    let mut groups: Vec<Json> = Vec::new();
    for kind in Kind::ALL {
        let of_kind = found.iter().filter(|difference| difference.kind == kind && !difference.wording);
        groups.extend(group(visitor.say(&format!("author.kinds.{}", kind.word()), &[]), of_kind.collect()));
    }
    groups.extend(group(visitor.say("author.diff.wording", &[]), found.iter().filter(|difference| difference.wording).collect()));
    let mut published: Vec<(String, String)> = Vec::new();
    for one in visitor.app.store.published().await?.into_iter().rev() {
        if !published.iter().any(|(hash, _)| *hash == one.hash) {
            published.push((one.hash.clone(), format!("{} · {} · {}", one.revision, short(&one.hash), moment(&visitor, one.at))));
        }
    }
    let mut choices: Vec<(String, String)> = vec![("use".into(), visitor.say("web.rules.of_use", &[]))];
    if bench.folder().is_ok() {
        choices.push(("folder".into(), visitor.say("web.rules.of_folder", &[])));
    }
    choices.extend(published);
    let options = |chosen: &str| -> Vec<Json> {
        let same = |value: &str| source(value) == source(chosen);
        choices.iter().map(|(value, title)| json!({ "value": value, "title": title, "on": same(value) })).collect()
    };
    let wording = found.iter().filter(|difference| difference.wording).count().to_string();
    let key = if found.is_empty() { "author.diff.same" } else { "author.diff.count" };
    let page = json!({
        "tab": "history", "groups": groups, "from": options(&asked.from), "to": options(&asked.to),
        "sum": visitor.say(key, &[("count", &found.len().to_string()), ("wording", &wording)]),
    });
    visitor.page(&web, "rules_diff.html", &visitor.say("web.rules.diff", &[]), page)
}
