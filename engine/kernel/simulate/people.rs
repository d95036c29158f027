//! The rules of a file of stories: with the persons and units that it adds to the directory.

use crate::kernel::model::Name;
use crate::kernel::model::directory::{Dated, Directory, DutyIn, Person, Unit};
use crate::kernel::model::story::StoryFile;
use crate::kernel::rules::{Rules, Setting};
use std::sync::Arc;

/// The rules with the persons and units that the file adds to the directory.
pub(super) fn with_people(rules: &Arc<Rules>, file: &StoryFile) -> Arc<Rules> {
    if file.people.is_empty() && file.units.is_empty() {
        return rules.clone();
    }
    let mut directory: Directory = (*rules.setting.directory).clone();
    let person =
        |id: &Name| Person { title: id.to_string(), mail: None, phone: None, groups: Vec::new(), duties: Vec::new(), stand_in: Vec::new() };
    for (id, extra) in &file.people {
        let entry = directory.persons.entry(id.clone()).or_insert_with(|| person(id));
        entry.groups.extend(extra.groups.iter().cloned().map(Dated::always));
    }
    for (id, duties) in &file.units {
        let unit = directory.units.entry(id.clone()).or_insert_with(|| Unit {
            title: id.to_string(),
            also: Vec::new(),
            kind: None,
            parent: Vec::new(),
            committee: Vec::new(),
            formerly: Vec::new(),
            merged_into: None,
            phone: None,
        });
        for (duty, persons) in duties {
            match &**duty {
                "kind" => unit.kind = persons.first().cloned(),
                "committee" => unit.committee = persons.first().cloned().map(Dated::always).into_iter().collect(),
                "parent" => unit.parent = persons.first().cloned().map(Dated::always).into_iter().collect(),
                _ => {
                    for holder in persons {
                        let entry = directory.persons.entry(holder.clone()).or_insert_with(|| person(holder));
                        entry.duties.push(Dated::always(DutyIn { duty: duty.clone(), unit: id.clone() }));
                    }
                }
            }
        }
    }
    let setting =
        Setting { workflow: rules.setting.workflow.clone(), calendar: rules.setting.calendar.clone(), directory: Arc::new(directory) };
    Arc::new(Rules {
        hash: rules.hash.clone(),
        setting: Arc::new(setting),
        scripts: rules.scripts.clone(),
        places: rules.places.clone(),
        carried: rules.carried.clone(),
    })
}
