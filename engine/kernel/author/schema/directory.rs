//! The schema of `directory.yaml` and `directory/*.yaml`.

use super::words::DATE;
use super::{list, named, one_of, pattern, row, text, text_or};
use crate::kernel::model::directory::Directory;
use crate::kernel::read::keys;
use serde_json::{Value as Json, json};

pub fn schema(directory: &Directory) -> Json {
    let units = || one_of(directory.units.keys());
    let phone = || json!({ "type": ["string", "integer"] });
    let unit = row(&keys::UNIT, &["title"], |key| match key {
        "also" => list(text()),
        "parent" | "committee" => {
            text_or(units(), &["array"], list(row(&keys::RELATION, &["is"], |key| if key == "is" { units() } else { pattern(DATE) })))
        }
        "formerly" => list(row(&keys::FORMERLY, &["title", "to"], |key| if key == "to" { pattern(DATE) } else { text() })),
        "merged_into" => row(&keys::MERGED, &["unit", "from"], |key| if key == "unit" { units() } else { pattern(DATE) }),
        "phone" => phone(),
        _ => text(),
    });
    let dated = |keys: &[&str], required: &[&str]| {
        row(keys, required, |key| match key {
            "from" | "to" => pattern(DATE),
            "unit" => units(),
            "person" => one_of(directory.persons.keys()),
            _ => text(),
        })
    };
    let person = row(&keys::PERSON, &["title"], |key| match key {
        "phone" => phone(),
        "groups" => list(text_or(text(), &["object"], dated(&keys::GROUP, &["group"]))),
        "duties" => list(dated(&keys::DUTY, &["duty", "unit"])),
        "stand_in" => list(dated(&keys::STAND_IN, &["person"])),
        _ => text(),
    });
    row(&keys::DIRECTORY, &[], |key| named(if key == "units" { unit.clone() } else { person.clone() }))
}
