//! What people are told: every notice is sent by something and reaches somebody, and its wording reads only what is there
//! (E405, W601 to E607, E611, W612 to W614). Forms and the sentences of refusals are read here too.

use super::at::{Checked, list, nearest};
use super::placeholders::{Place, Seen};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::{self, Problem};
use crate::kernel::render::{self, NameRead};
use std::collections::HashSet;

/// Characters of a subject that are the same in every mail; more do not fit into a line of the inbox.
const LONGEST_SUBJECT: usize = 60;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut look = Look { at, problems: Vec::new(), told: HashSet::new() };
    for (name, notice) in &at.workflow.notices {
        look.notice(name, notice);
    }
    for (name, form) in &at.workflow.forms {
        look.form(name, form);
    }
    look.sentences();
    look.problems
}

/// Where a notice is told: by actions, rungs and sweeps.
pub fn places<'a>(at: &Checked<'a>, notice: &Name) -> Vec<Place<'a>> {
    let mut places: Vec<Place> = Vec::new();
    for act in at.acts() {
        if act.effects().iter().any(|(effects, _)| effects.tell.contains(notice)) {
            places.push(Place::of_act(act));
        }
    }
    for (name, deadline) in &at.workflow.deadlines {
        if deadline.ladder.iter().any(|rung| rung.tell.contains(notice)) {
            places.push(Place { branch: deadline.branch.as_ref(), deadline: Some((name, deadline)), ..Place::default() });
        }
    }
    for sweep in at.workflow.sweeps.values().filter(|sweep| sweep.tell.contains(notice)) {
        places.push(Place { branch: sweep.over.as_ref(), ..Place::default() });
    }
    if let Some(kind) = at.workflow.notices.get(notice).and_then(|notice| notice.one_mail_per.as_ref()) {
        places.iter_mut().for_each(|place| place.branch = Some(kind));
    }
    places
}

struct Look<'c, 'a> {
    at: &'c Checked<'a>,
    problems: Vec<Problem>,
    /// A wording read by several notices is complained of once.
    told: HashSet<(Name, String)>,
}

impl<'a> Look<'_, 'a> {
    fn notice(&mut self, name: &'a Name, notice: &'a Notice) {
        let at = self.at;
        let path = |key: &str| format!("notices.{name}.{key}");
        let places = places(at, name);
        if places.is_empty() {
            self.problems.push(at.problem("W601", &format!("notices.{name}@")).with("notice", name));
        }
        self.links(name, notice, &places);
        let system = |recipient: &Recipient| &*recipient.role == "system" && recipient.or.is_none();
        if notice.to.iter().all(system) {
            self.problems.push(at.problem("E604", &path("to@")).with("notice", name));
        }
        for (index, copy) in notice.cc.iter().enumerate() {
            if notice.to.iter().any(|recipient| recipient.role == copy.role) {
                self.problems.push(at.problem("W605", &path(&format!("cc[{index}]"))).with("notice", name).with("role", &copy.role));
            }
        }
        if let Some(variant) = unfitting_kind(at, name, notice) {
            self.problems.push(at.problem("W612", &path("kind")).variant(variant).with("notice", name));
        }
        let fixed = fixed_characters(&notice.subject);
        if fixed > LONGEST_SUBJECT {
            self.problems.push(at.problem("W606", &path("subject")).with("count", fixed).with("most", LONGEST_SUBJECT));
        }
        let subject = at.place(&path("subject"));
        self.wording(&notice.subject, &subject, None, &places);
        match at.templates.get(&notice.template).filter(|_| Form::stem(&notice.template).is_none()) {
            None => {
                let known = at.templates.keys().map(|name| &**name).filter(|name| Form::stem(name).is_none());
                let problem = at.unknown("E607", &path("template"), &notice.template, known);
                self.problems.push(problem.with("notice", name));
            }
            Some(text) => {
                let file: Name = format!("templates/{}.txt", notice.template).into();
                if text.trim().is_empty() {
                    let place = problem::Place { file: file.clone(), line: 1, column: 1, length: 1 };
                    self.problems.push(Problem::new("E611", place).with("template", &notice.template));
                }
                let place = problem::Place { file, line: 1, column: 1, length: 1 };
                self.wording(text, &place, Some(text), &places);
            }
        }
    }

    /// E613, W614: what may be done from the mail is an action wherever this is told, and somebody who gets the mail does it.
    fn links(&mut self, name: &'a Name, notice: &'a Notice, places: &[Place<'a>]) {
        let at = self.at;
        for (index, link) in notice.links.iter().enumerate() {
            let path = format!("notices.{name}.links[{index}]");
            let of_kind = |variant| at.problem("E613", &path).variant(variant).with("notice", name).with("name", link);
            if notice.list {
                self.problems.push(of_kind("list"));
                continue;
            }
            let nowhere = [Place::default()];
            let places = if places.is_empty() { &nowhere[..] } else { places };
            for place in places {
                let branch = place.branch.map(|kind| &**kind);
                let Some((_, action)) = at.workflow.linked(branch, link) else {
                    let own = at.workflow.actions_of(branch).into_iter().flat_map(|actions| actions.keys());
                    let known = own.chain(branch.map(|_| at.workflow.actions.keys()).into_iter().flatten());
                    let problem = at.unknown("E613", &path, link, known.map(|name| &**name));
                    self.problems.push(problem.with("notice", name));
                    break;
                };
                if action.creates || action.by.iter().all(|by| &*by.role == "system") {
                    self.problems.push(of_kind(if action.creates { "creates" } else { "system" }));
                    break;
                }
                let does = |role: &Name| action.by.iter().any(|by| by.role == *role);
                let gets = |recipient: &Recipient| does(&recipient.role) || recipient.or.as_ref().is_some_and(does);
                if !notice.to.iter().any(gets) {
                    self.problems.push(at.problem("W614", &path).with("notice", name).with("name", link));
                    break;
                }
            }
        }
    }

    fn form(&mut self, name: &'a Name, form: &'a Form) {
        let at = self.at;
        let Some(text) = at.templates.get(form.file().as_str()) else {
            let known = at.templates.keys().filter_map(|name| Form::stem(name));
            let path = format!("forms.{name}.template");
            let path = if at.places.find(&path).is_some() { path } else { format!("forms.{name}@") };
            let problem = at.unknown("E607", &path, &form.template, known);
            let variant = if problem.variant.is_some() { "form_near" } else { "form" };
            self.problems.push(problem.variant(variant).with("form", name));
            return;
        };
        let file: Name = format!("templates/{}", form.file()).into();
        let place = problem::Place { file, line: 1, column: 1, length: 1 };
        if text.trim().is_empty() {
            self.problems.push(Problem::new("E611", place.clone()).variant("form").with("template", form.file()));
        }
        let here = Place { branch: form.of.as_ref(), form: true, ..Place::default() };
        self.wording(text, &place, Some(text), std::slice::from_ref(&here));
    }

    /// E602, E603, E405. With `text`, the place of a name is looked for in it.
    fn wording(&mut self, template: &str, place: &problem::Place, text: Option<&str>, places: &[Place<'a>]) {
        let names = self.at.names_read(template);
        let names = match &*names {
            Ok(names) => names,
            Err(error) => {
                let line = if text.is_some() { error.line } else { place.line };
                let place = problem::Place { line, ..place.clone() };
                if self.told.insert((place.file.clone(), format!("{}:{}", place.line, error.what))) {
                    self.problems.push(Problem::new("E602", place).variant("unreadable").with("what", &error.what));
                }
                return;
            }
        };
        if let Some((line, column)) = stray_brace(template) {
            let here = match text {
                Some(_) => problem::Place { line, column, length: 1, ..place.clone() },
                None => place.clone(),
            };
            if self.told.insert((here.file.clone(), format!("{}:{}:brace", here.line, here.column))) {
                self.problems.push(Problem::new("E602", here).variant("brace"));
            }
        }
        for NameRead { name, written, .. } in names {
            let found = places.iter().map(|place| place.sees(self.at, name)).find(|seen| *seen != Seen::Yes);
            let Some(seen) = found else { continue };
            let place = text.and_then(|text| where_in(text, written, place)).unwrap_or_else(|| place.clone());
            if !self.told.insert((place.file.clone(), format!("{}:{}:{name}", place.line, place.column))) {
                continue;
            }
            self.problems.push(match seen {
                Seen::Secret if places.iter().any(|place| place.form) => {
                    Problem::new("E405", place).variant("form").with("name", written_or(written, name))
                }
                Seen::Secret => Problem::new("E405", place).with("name", written_or(written, name)),
                Seen::NotHere(why) => Problem::new("E603", place).variant(why).with("name", written_or(written, name)),
                Seen::Unknown(known) => {
                    let (name, known) = as_written(name, written, known);
                    let near = nearest(&name, known.iter().map(String::as_str));
                    let problem = Problem::new("E602", place).with("name", &name).with("known", list(&known));
                    match near {
                        Some(near) => problem.variant("near").with("near", near),
                        None => problem,
                    }
                }
                Seen::Yes => continue,
            });
        }
    }

    /// The sentences of `require`, `always` and `closes`.
    fn sentences(&mut self) {
        let at = self.at;
        for act in at.acts() {
            let place = Place { sentence: true, ..Place::of_act(act) };
            for require in &act.action.require {
                self.wording(&require.say, &at.place(&format!("{}.say", require.path)), None, std::slice::from_ref(&place));
            }
        }
        let place = Place { sentence: true, ..Place::default() };
        for require in &at.workflow.always {
            self.wording(&require.say, &at.place(&format!("{}.say", require.path)), None, std::slice::from_ref(&place));
        }
        for (name, deadline) in &at.workflow.deadlines {
            for (action, sentence) in &deadline.closes {
                let act = at.acts().iter().find(|act| act.branch == deadline.branch.as_ref() && act.name == action).cloned();
                let place = Place { branch: deadline.branch.as_ref(), act, sentence: true, ..Place::default() };
                self.wording(sentence, &at.place(&format!("deadlines.{name}.closes.{action}")), None, std::slice::from_ref(&place));
            }
        }
    }
}

fn written_or<'n>(written: &'n str, name: &'n str) -> &'n str {
    if written.is_empty() { name } else { written }
}

/// A name and those that could stand there, as the template would spell them: `t.unit` inside a loop, not `branches.assignment[].unit`.
fn as_written(name: &str, written: &str, known: Vec<String>) -> (String, Vec<String>) {
    let split =
        |name: &str| name.rsplit_once('.').map_or((String::new(), name.to_string()), |(of, last)| (format!("{of}."), last.to_string()));
    let ((of, last), (own, own_last)) = (split(name), split(written));
    if last != own_last || of == own {
        return (written_or(written, name).to_string(), known);
    }
    let spelt = known.into_iter().map(|known| known.strip_prefix(&*of).map(|last| format!("{own}{last}")).unwrap_or(known));
    (written.to_string(), spelt.collect())
}

/// Where a name stands in a text of many lines.
fn where_in(text: &str, name: &str, file: &problem::Place) -> Option<problem::Place> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    for (number, line) in text.lines().enumerate().filter(|_| !name.is_empty()) {
        for (byte, _) in line.match_indices(name) {
            let before = line[..byte].chars().next_back().is_some_and(is_part);
            let after = line[byte + name.len()..].chars().next().is_some_and(|letter| is_part(letter) && letter != '.');
            if !before && !after {
                let column = line[..byte].chars().count() as u32 + 1;
                return Some(problem::Place {
                    file: file.file.clone(),
                    line: number as u32 + 1,
                    column,
                    length: name.chars().count() as u32,
                });
            }
        }
    }
    None
}

/// W612: what kind of notice it is says whether it reminds of a date, and whether that has passed.
fn unfitting_kind(at: &Checked, name: &Name, notice: &Notice) -> Option<&'static str> {
    let rungs = at.workflow.deadlines.values().flat_map(|deadline| &deadline.ladder).filter(|rung| rung.tell.contains(name));
    let rungs: Vec<RungAt> = rungs.map(|rung| rung.at).collect();
    let by_acts = at.acts().iter().any(|act| act.effects().iter().any(|(effects, _)| effects.tell.contains(name)));
    let by_sweeps = at.workflow.sweeps.values().any(|sweep| sweep.tell.contains(name));
    let late = |rung: &RungAt| matches!(rung, RungAt::After(_) | RungAt::EveryAfter(_));
    match notice.kind {
        NoticeKind::Message => (!rungs.is_empty() && !by_acts && !by_sweeps).then_some("message"),
        NoticeKind::Reminder if rungs.is_empty() && by_acts && !by_sweeps => Some("told_by_actions"),
        NoticeKind::Escalation => rungs.iter().any(|rung| !late(rung)).then_some("early"),
        NoticeKind::Reminder => None,
    }
}

/// Line and column of the first brace that would be printed as it is although nobody said so by `{% raw %}`.
fn stray_brace(template: &str) -> Option<(u32, u32)> {
    let pieces = render::printed(template).into_iter().filter(|piece| !piece.raw);
    let at = pieces.into_iter().find_map(|piece| Some(piece.at + piece.text.find(['{', '}'])?))?;
    let before = &template[..at];
    let line = before.matches('\n').count() as u32 + 1;
    Some((line, before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1))
}

fn fixed_characters(subject: &str) -> usize {
    render::printed(subject).iter().map(|piece| piece.text.chars().count()).sum()
}
