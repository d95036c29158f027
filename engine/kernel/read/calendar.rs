//! Calendars: the official days off and make-up days, year by year. Whether the days fit together is left to `kernel::calendar`.

use super::phrase;
use super::reader::Reader;
use super::tree::Node;
use crate::kernel::calendar::{CalendarData, Year};
use crate::kernel::model::problem::Problem;

pub fn read(root: &Node, problems: &mut Vec<Problem>) -> Option<CalendarData> {
    let mut reader = Reader::default();
    let data = whole(&mut reader, root);
    problems.append(&mut reader.problems);
    data
}

fn whole(reader: &mut Reader, root: &Node) -> Option<CalendarData> {
    let row = reader.row(root, &["region", "title", "timezone", "years", "fixed_holidays"])?;
    let region = reader.need_text(row, "region");
    let mut data = CalendarData { region, ..CalendarData::default() };
    for entry in reader.need(row, "years").map(Node::entries).unwrap_or_default() {
        let number = entry.key.name.parse::<i32>().ok().filter(|year| (1900..=2999).contains(year));
        let Some(number) = number else {
            reader.problems.push(Problem::new("E011", entry.key.place.clone()).variant("year").with("text", &entry.key.name));
            continue;
        };
        data.years.extend(year(reader, &entry.value).map(|year| (number, year)));
    }
    for (name, node) in row.get("fixed_holidays").map(|node| reader.named(node)).unwrap_or_default() {
        for node in reader.list(node) {
            let day = reader.phrase(node, "day", phrase::day_of_year);
            data.fixed_holidays.extend(day.map(|(month, day)| (month, day, name.to_string())));
        }
    }
    Some(data)
}

fn year(reader: &mut Reader, node: &Node) -> Option<Year> {
    let row = reader.row(node, &["status", "source", "holidays", "makeup_workdays"])?;
    let official = reader.need(row, "status").and_then(|node| reader.word(node, &[("official", true), ("provisional", false)]));
    let mut year =
        Year { official: official.unwrap_or(false), source: row.get("source").and_then(|node| reader.text(node)), ..Year::default() };
    for (name, node) in row.get("holidays").map(|node| reader.named(node)).unwrap_or_default() {
        for node in reader.list(node) {
            let days = reader.phrase(node, "dates", phrase::dates);
            year.holidays.extend(days.map(|(from, to)| (from, to, name.to_string())));
        }
    }
    for node in row.get("makeup_workdays").map(|node| reader.list(node)).unwrap_or_default() {
        year.makeup_workdays.extend(reader.date(node));
    }
    Some(year)
}
