//! The shipped calendar and short ways to write dates.

use duban::files;
use duban::kernel::calendar::{Calendar, CalendarData};
use duban::kernel::check::one_calendar;
use duban::kernel::time::Date;
use std::path::Path;

/// `rules/calendars/cn.yaml`.
pub fn cn() -> Calendar {
    Calendar::new(cn_data())
}

pub fn cn_data() -> CalendarData {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/calendars");
    let (path, text) = files::calendar("cn", &folder).unwrap().unwrap();
    let mut problems = Vec::new();
    let data = one_calendar(&path.display().to_string(), &text, &mut problems);
    assert_eq!(problems, []);
    data.unwrap()
}

/// `2026-02-28`
pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}
