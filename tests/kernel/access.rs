//! Who sees a field: by role, and behind a seal that opens with the action that closes the round.

use duban::kernel::access::Reader;
use duban::kernel::model::Name;
use duban::kernel::model::command::Command;
use duban::kernel::model::fact::Fact;
use duban::kernel::model::item::Item;
use duban::kernel::model::value::Value;
use duban::kernel::rules::Rules;
use duban::kernel::{check, decide};
use indexmap::IndexMap;
use std::sync::Arc;

const FLOW: &str = "
workflow: review
title: Review
language: 1
version: 1
timezone: Asia/Shanghai
calendar: cn
month_overflow: last_day
day_off: next_working_day
send_window: every day 08:00-20:00
roles:
  reader: { title: Reader, who: group readers }
  rater:  { title: Rater,  who: group raters }
  judge:  { title: Judge,  who: group judges }
fields:
  note:   { title: Note,   type: text, visible_to: [judge] }
  rating: { title: Rating, type: text, visible_to: [rater], sealed_until: close }
states:
  open: { title: Open, kind: start, owner: rater, no_deadline_needed: true }
  over: { title: Over, kind: end }
actions:
  begin: { title: Begin, creates: true, by: [rater], to: open }
  rate:  { title: Rate,  by: [rater], from: [open], ask: [rating, note?] }
  close: { title: Close, by: [judge], from: [open] }
  end:   { title: End,   by: [judge], from: [open], to: over }
";

const DIRECTORY: &str = "
persons:
  ann:  { title: Ann, groups: [readers] }
  bob:  { title: Bob, groups: [raters] }
  carl: { title: Carl, groups: [judges] }
";

struct Desk {
    rules: Arc<Rules>,
    item: Option<Arc<Item>>,
    facts: Vec<Fact>,
}

impl Desk {
    fn new() -> Desk {
        let calendar = include_str!("../../rules/calendars/cn.yaml");
        let files = [("flow.yaml", FLOW), ("directory.yaml", DIRECTORY), ("../calendars/cn.yaml", calendar)];
        let files: IndexMap<String, String> = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        let (rules, problems) = check::load(&files);
        let rules = rules.unwrap_or_else(|| panic!("{problems:#?}"));
        Desk { rules: rules.workflows["review"].clone(), item: None, facts: Vec::new() }
    }

    fn act(&mut self, action: &str, by: &str, input: &[(&str, &str)]) {
        let command = Command {
            id: action.into(),
            item: "r1".into(),
            branch: None,
            action: action.into(),
            input: input.iter().map(|(name, value)| ((*name).into(), Value::text(value))).collect(),
            by: by.into(),
            via: None,
            effective_on: None,
            seen_rev: None,
        };
        let now = "2024-03-04T02:00:00Z".parse().unwrap();
        let accepted = decide::act(&self.rules, self.item.as_ref(), &command, now, &|_| 0).unwrap();
        self.item = accepted.item;
        self.facts.extend(accepted.facts);
    }

    fn sees(&self, person: Option<&str>, field: &str) -> bool {
        let item = self.item.as_ref().unwrap();
        let person: Option<Name> = person.map(Name::from);
        let reader = Reader { rules: &self.rules, item, facts: &self.facts, person: person.as_ref(), day: item.today };
        reader.sees_field(None, field, &self.rules.setting.workflow.fields[field]).unwrap()
    }
}

#[test]
fn a_rating_is_sealed_until_its_own_round_is_closed() {
    let mut desk = Desk::new();
    desk.act("begin", "bob", &[]);
    desk.act("rate", "bob", &[("rating", "good"), ("note", "n")]);
    assert_eq!([None, Some("ann"), Some("bob")].map(|person| desk.sees(person, "rating")), [false, false, true]);
    desk.act("close", "carl", &[]);
    assert_eq!([None, Some("ann"), Some("bob")].map(|person| desk.sees(person, "rating")), [true, true, true]);
    desk.act("rate", "bob", &[("rating", "bad")]);
    assert_eq!(
        [None, Some("ann"), Some("bob")].map(|person| desk.sees(person, "rating")),
        [false, false, true],
        "the second round's is sealed again"
    );
    desk.act("close", "carl", &[]);
    assert!(desk.sees(Some("ann"), "rating"));
    assert_eq!(
        [None, Some("ann"), Some("carl")].map(|person| desk.sees(person, "note")),
        [false, false, true],
        "without a seal the roles stay"
    );
}
