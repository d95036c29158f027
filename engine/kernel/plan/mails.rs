//! The mails of the next days under the rules in use and under the new ones, if nobody did anything: how many a day, of which notice, to whom.

use super::Pair;
use crate::kernel::model::Name;
use crate::kernel::model::item::Item;
use crate::kernel::simulate::forecast::{Forecast, Gathering};
use crate::kernel::simulate::idle::{Course, Life};
use crate::kernel::time::{Date, Instant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leaves in some days, before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mails {
    pub until: Option<Date>,
    pub before: u64,
    pub after: u64,
    pub days: BTreeMap<Date, Counts>,
    /// By notice, those that differ most first; what does not differ is left out.
    pub notices: Vec<(Name, Counts)>,
    /// Who gets most on one day, under the rules in use and under the new ones.
    pub busiest: Option<Busiest>,
    pub busiest_after: Option<Busiest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub before: u64,
    pub after: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busiest {
    pub person: Name,
    pub day: Date,
    pub mails: u64,
}

/// The days to come under both versions of a workflow.
pub struct Courses {
    old: Course,
    new: Course,
}

impl Courses {
    pub fn of(pair: &Pair, now: Instant, until: Date) -> Courses {
        Courses { old: Course::new(pair.old.clone(), now, until), new: Course::new(pair.new.clone(), now, until) }
    }

    /// What becomes of an item under each.
    pub fn lives(&self, before: &Arc<Item>, after: &Arc<Item>) -> (Life, Life) {
        let live = |course: &Course, item| course.life(item, &[], &mut course.left());
        (live(&self.old, before), live(&self.new, after))
    }
}

/// Lives under both, gathered item by item.
#[derive(Default)]
pub struct Forecasts {
    old: Gathering,
    new: Gathering,
}

impl Forecasts {
    pub fn add(&mut self, workflow: &Name, (old, new): &(Life, Life)) {
        self.old.add(workflow, old);
        self.new.add(workflow, new);
    }

    pub fn end(self, until: Date, zone: chrono_tz::Tz) -> Mails {
        let (old, new) = (self.old.finish(zone), self.new.finish(zone));
        let mut mails = Mails { until: Some(until), before: old.count_mails(), after: new.count_mails(), ..Mails::default() };
        for day in old.days() {
            mails.days.entry(day.day).or_default().before = day.mails;
        }
        for day in new.days() {
            mails.days.entry(day.day).or_default().after = day.mails;
        }
        let mut notices: BTreeMap<Name, Counts> = BTreeMap::new();
        each_notice(&old, |name| notices.entry(name.clone()).or_default().before += 1);
        each_notice(&new, |name| notices.entry(name.clone()).or_default().after += 1);
        mails.notices = notices.into_iter().filter(|(_, counts)| counts.before != counts.after).collect();
        mails.notices.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.before.abs_diff(counts.after)));
        (mails.busiest, mails.busiest_after) = (busiest(&old), busiest(&new));
        mails
    }
}

fn each_notice(forecast: &Forecast, mut told: impl FnMut(&Name)) {
    forecast.mails().for_each(|mail| mail.notices().for_each(|carried| told(&carried.reason.notice)));
}

fn busiest(forecast: &Forecast) -> Option<Busiest> {
    let busiest = forecast.persons().into_iter().max_by_key(|person| person.busiest.1)?;
    Some(Busiest { person: busiest.person, day: busiest.busiest.0, mails: busiest.busiest.1 })
}
