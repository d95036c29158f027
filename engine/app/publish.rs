//! A plan that somebody has seen comes true: the rule set comes into use in one transaction, if the plan still says what would happen.

use super::plan::PlanWishes;
use super::rules::with_past;
use super::{App, InUse};
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::plan::{Past, Plan, Record, digest, note};
use crate::kernel::rules::RuleSet;
use crate::kernel::time::{Date, Instant};
use crate::store::StoreError;
use crate::store::audit::Entry;
use crate::store::publishing::{PublishEnd, Publishing};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So often the items are looked at again because some moved while it was published.
const ATTEMPTS: usize = 8;

/// Who publishes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Publisher {
    /// A person of the directory.
    pub by: Option<Name>,
    /// How they came in.
    pub via: Option<String>,
    /// They agree to what somebody else has proposed.
    pub approve: bool,
}

/// A rule set that has come into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub revision: u64,
    pub hash: String,
    pub at: Instant,
    /// Open items, which are judged by it from now on.
    pub items: u64,
}

/// What became of a wish to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Published {
    InUse(Publication),
    /// It waits for a second person.
    Proposed(Proposed),
}

/// Who wishes a plan to come true; nobody's rules have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    pub by: Name,
    pub at: Instant,
}

/// A publication that waits for a second person, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proposal {
    pub by: Option<Name>,
    pub via: Option<String>,
    /// The rule set that would come into use, its versions, and the folder where it lay.
    pub hash: String,
    pub versions: BTreeMap<String, u32>,
    pub folder: Option<String>,
    /// The plan holds for this day only.
    pub day: Option<Date>,
    /// What the first person saw, and the files of what would come into use, so that the second one sees the same and approves that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub files: IndexMap<String, String>,
}

/// Why a plan is not published. The catalogue has its sentence under `publish.WHY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPublished {
    pub why: String,
    /// What the sentence speaks of.
    pub values: Vec<(String, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("not published: {}", .0.why)]
    No(NotPublished),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn no(why: &str, values: &[(&str, &str)]) -> PublishError {
    let values = values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    PublishError::No(NotPublished { why: why.to_string(), values })
}

impl App {
    /// [`App::publish`], brought to its end whoever still waits for the answer: what is written is also taken up here.
    pub async fn publish_to_end(self: &Arc<App>, plan: &Plan, new: &Arc<RuleSet>, who: &Publisher) -> Result<Published, PublishError> {
        let (app, plan, new, who) = (self.clone(), plan.clone(), new.clone(), who.clone());
        let publishing = tokio::spawn(async move { app.publish(&plan, &new, &who).await });
        publishing.await.map_err(|error| StoreError::NotDone(error.to_string()))?
    }

    /// Puts a rule set into use as its plan says. What has changed since the plan was made is looked at again: if more would happen than it
    /// shows, nothing is done.
    /// Where the rules in use ask for a second person, it is noted as proposed first.
    pub async fn publish(&self, plan: &Plan, new: &Arc<RuleSet>, who: &Publisher) -> Result<Published, PublishError> {
        self.fits(plan, new)?;
        let proposed_by = match self.second_person(plan, new, who).await? {
            Agreed::Proposed(proposed) => return Ok(Published::Proposed(proposed)),
            Agreed::By(first) => first,
        };
        let (allow_overdue, choices, folder) = (plan.allow_overdue, plan.choices.clone(), plan.folder.clone());
        let wishes = PlanWishes { allow_overdue, choices, back: plan.back, folder, ..PlanWishes::default() };
        let old = self.in_use().rules;
        let (mut facts, mut items) = (plan.facts.clone(), plan.items);
        let what = match (who.approve, plan.back) {
            (true, _) => "rules_approved",
            (false, true) => "rules_rolled_back",
            (false, false) => "rules_published",
        };
        for _ in 0..ATTEMPTS {
            let at = self.now();
            let mut record = Record {
                by: who.by.clone(),
                via: who.via.clone(),
                proposed_by: proposed_by.clone(),
                plan: Some(plan.checksum.clone()),
                before: Some(plan.old.hash.clone()),
                back: wishes.back,
                overdue: plan.overdue() as u64,
                foreseen: plan.mails.days.iter().map(|(day, counts)| (*day, counts.after)).collect(),
                ..Record::default()
            };
            note(&mut record, &old, new, &wishes.choices);
            let publishing = Publishing {
                before: plan.old.hash.clone(),
                revision: plan.old.revision,
                items: facts.clone(),
                hash: new.hash.to_string(),
                files: new.files.clone(),
                sweeps: new.sweeps(),
                record: record.json(),
                at,
                audit: vec![self.trail(plan, who, what)],
            };
            // Before it is written, so that nothing can fail behind it.
            let rules = with_past(&self.store, new, Some((Past { at, record }, old.clone()))).await?;
            match self.store.publish(publishing, open_items).await? {
                PublishEnd::Done(revision) => {
                    self.adopt(InUse { rules, revision });
                    tracing::warn!(
                        jurisdiction = self.store.jurisdiction(),
                        hash = %new.hash,
                        revision,
                        by = who.by.as_deref().unwrap_or_default(),
                        via = who.via.as_deref().unwrap_or_default(),
                        "a rule set was published"
                    );
                    return Ok(Published::InUse(Publication { revision, hash: new.hash.to_string(), at, items }));
                }
                PublishEnd::OtherRules => return Err(no("other_rules", &[])),
                PublishEnd::Moved => {
                    let fresh = self.plan(new, &wishes, &|_| {}).await?;
                    self.shows(plan, &fresh)?;
                    (facts, items) = (fresh.facts, fresh.items);
                }
            }
        }
        Err(StoreError::Busy.into())
    }

    /// What waits for a second person, by the sum of its plan, the earliest first.
    pub async fn proposals(&self) -> Result<Vec<(String, Instant, Proposal)>, StoreError> {
        let all = self.store.proposals().await?;
        Ok(all.into_iter().map(|(plan, found)| (plan, found.at, proposal(&found.record))).collect())
    }

    /// Whether it may come into use now, and on whose proposal; where the rules in use want two persons, the first one proposes.
    async fn second_person(&self, plan: &Plan, new: &RuleSet, who: &Publisher) -> Result<Agreed, PublishError> {
        let wanted = self.rules().workflows.values().any(|rules| rules.setting.workflow.second_person);
        if who.approve {
            let found = self.store.proposal(&plan.checksum).await?;
            let Some(first) = found.and_then(|found| proposal(&found.record).by) else { return Err(no("not_proposed", &[])) };
            return match &who.by {
                None => Err(no("by_nobody", &[])),
                Some(second) if *second == first => Err(no("same_person", &[("person", second)])),
                Some(_) => Ok(Agreed::By(Some(first))),
            };
        }
        if !wanted {
            return Ok(Agreed::By(None));
        }
        if who.by.is_none() {
            return Err(no("by_nobody", &[]));
        }
        let proposes = Proposal {
            by: who.by.clone(),
            via: who.via.clone(),
            hash: plan.new.hash.clone(),
            versions: plan.new.versions.clone(),
            folder: plan.folder.clone(),
            day: Some(plan.day),
            plan: Some(Box::new(plan.clone())),
            files: new.files.clone(),
        };
        let record = serde_json::to_string(&proposes).map_err(|error| StoreError::NotDone(error.to_string()))?;
        let stands = self.store.propose(&plan.checksum, &record, self.now(), self.trail(plan, who, "rules_proposed")).await?;
        let by = proposal(&stands.record).by.ok_or_else(|| no("by_nobody", &[]))?;
        tracing::warn!(jurisdiction = self.store.jurisdiction(), plan = plan.checksum, by = &*by, "a publication was proposed");
        Ok(Agreed::Proposed(Proposed { by, at: stands.at }))
    }

    /// How many mails the plan behind the rule set in use foresaw for the day of a moment.
    pub(super) async fn foreseen_today(&self, now: Instant) -> Result<u64, StoreError> {
        let InUse { rules, revision } = self.in_use();
        let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let known = self.foreseen().clone().filter(|known| known.0 == revision);
        let (_, foreseen) = match known {
            Some(known) => known,
            None => {
                let last = self.store.published().await?.pop();
                let foreseen = Arc::new(last.map(|last| Record::read(&last.record).foreseen).unwrap_or_default());
                self.foreseen().insert((revision, foreseen)).clone()
            }
        };
        Ok(foreseen.get(&day_of(now, zone)).copied().unwrap_or(0))
    }

    /// What the trail says of it.
    fn trail(&self, plan: &Plan, who: &Publisher, what: &str) -> Entry {
        let about = json!({ "rules": plan.new.hash, "before": plan.old.hash, "plan": plan.checksum, "via": who.via });
        Entry::new(self.now(), who.by.as_deref(), what, about.to_string(), None)
    }

    /// The plan is whole, of this database, of these rules and of today, and nothing stands in its way.
    fn fits(&self, plan: &Plan, new: &RuleSet) -> Result<(), PublishError> {
        if !plan.is_sound() {
            return Err(no("tampered", &[]));
        }
        if (plan.instance.as_str(), plan.jurisdiction.as_str()) != (self.store.instance(), self.store.jurisdiction()) {
            let values = [
                ("instance", self.store.instance()),
                ("of", &plan.instance),
                ("jurisdiction", self.store.jurisdiction()),
                ("office", &plan.jurisdiction),
            ];
            return Err(no("other_database", &values));
        }
        let in_use = self.in_use();
        if (plan.old.hash.as_str(), plan.old.revision) != (&*in_use.rules.hash, in_use.revision) {
            return Err(no("other_rules", &[]));
        }
        if plan.new.hash != *new.hash {
            return Err(no("other_files", &[("folder", plan.folder.as_deref().unwrap_or_default())]));
        }
        if !plan.changes_anything() {
            return Err(no("nothing", &[]));
        }
        let zone = in_use.rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let today = day_of(self.now(), zone);
        if plan.day != today {
            return Err(no("other_day", &[("day", &plan.day.to_string()), ("today", &today.to_string())]));
        }
        if plan.is_blocked() {
            return Err(blocked(plan));
        }
        Ok(())
    }

    /// The plan shows all that would happen now.
    fn shows(&self, plan: &Plan, fresh: &Plan) -> Result<(), PublishError> {
        if fresh.old != plan.old {
            return Err(no("other_rules", &[]));
        }
        if fresh.is_blocked() {
            return Err(blocked(fresh));
        }
        let beyond = fresh.beyond(plan);
        let Some((group, _)) = beyond.first() else { return Ok(()) };
        let count: usize = beyond.iter().map(|(_, rows)| rows).sum();
        Err(no("more", &[("count", &count.to_string()), ("element", &group.cause.element)]))
    }
}

/// What cannot be read proposes nothing.
fn proposal(record: &str) -> Proposal {
    serde_json::from_str(record).unwrap_or_default()
}

/// Whether it may come into use.
enum Agreed {
    /// Yes; on this person's proposal, if two have to agree.
    By(Option<Name>),
    Proposed(Proposed),
}

fn blocked(plan: &Plan) -> PublishError {
    let mut codes: Vec<&str> = plan.findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.code.as_str()).collect();
    codes.dedup();
    no("blocked", &[("codes", &codes.join(" "))])
}

fn open_items(items: &[(String, u64)]) -> String {
    digest(items.iter().map(|(item, rev)| (item.as_str(), *rev)))
}
