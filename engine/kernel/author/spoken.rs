//! Expressions in sentences, from their terms and the titles of what they name: `item.replies < 2` → “答复次数小于2”.
//!
//! What cannot be said is shown as code, and marked.

use super::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Ask, Expr, Field, Section, Wants};
use crate::kernel::model::value::Type;
use crate::kernel::rules::terms::{Term, property};

/// Where an expression stands: which branch and which input it speaks of, and what the parameters of a function are.
#[derive(Clone, Copy, Default)]
struct Spot<'s> {
    branch: Option<&'s str>,
    action: Option<&'s str>,
    request: Option<&'s str>,
    takes: Option<&'s Section<Type>>,
    /// What `each` is.
    each: Option<&'s Type>,
}

/// What a term is, as far as its constants need it.
enum Kind<'s> {
    Field(&'s Field),
    Ask(&'s Ask),
    State(Option<Name>),
    Roles,
    Unit,
    Date,
    Flag,
    Other,
}

/// What a name or a property stands for.
enum Seen {
    Item,
    Task(Name),
    Input,
    Due,
    Clock(Name),
    Branches,
    Set(Name),
    Actor,
    Param,
    Requests,
    Request(Name),
    Plain,
}

impl Speaker<'_> {
    /// A condition or a value as people read it.
    pub fn expr(&self, expr: &Expr) -> String {
        let scope = &expr.scope;
        let spot = Spot {
            branch: scope.branch.as_deref(),
            action: scope.action.as_deref(),
            request: scope.request.as_deref(),
            takes: None,
            each: scope.each.as_ref(),
        };
        let said = self.terms.of(expr).and_then(|term| match expr.wants {
            Wants::Condition => self.condition(term, spot),
            Wants::Value(_) | Wants::ForEach | Wants::Any | Wants::Key | Wants::Shown => self.term(term, spot),
        });
        said.unwrap_or_else(|| self.code(&expr.source))
    }

    /// What a declared function gives; `None` when only its code can say.
    pub fn function_body(&self, name: &str) -> Option<String> {
        let function = self.workflow.functions.get(name)?;
        let term = self.terms.function(name)?;
        let spot = Spot { takes: Some(&function.takes), ..Spot::default() };
        match function.gives {
            Type::YesNo => self.condition(term, spot),
            _ => self.term(term, spot),
        }
    }

    fn condition(&self, term: &Term, spot: Spot) -> Option<String> {
        self.holds(term, true, spot)
    }

    fn holds(&self, term: &Term, yes: bool, spot: Spot) -> Option<String> {
        let pick = |one: &'static str, other: &'static str| if yes { one } else { other };
        Some(match term {
            Term::Not(inner) => self.holds(inner, !yes, spot)?,
            Term::All(terms) | Term::Any(terms) => {
                // A negation goes inside: not (a and b) is not a, or not b.
                let all = matches!(term, Term::All(_)) == yes;
                let parts: Option<Vec<String>> = terms.iter().map(|term| self.bracketed(term, yes, all, spot)).collect();
                parts?.join(&self.say(if all { "term.and" } else { "term.or" }, &[]))
            }
            Term::Compare(sign, left, right) => self.compared(opposite(sign, yes), left, right, spot)?,
            Term::In(entry, list) => self.within(entry, list, yes, spot)?,
            Term::Call(name, args) => match (&**name, args.as_slice()) {
                ("is_set", [of]) => self.say(pick("term.is_set", "term.is_not_set"), &[("a", &self.filled_in(of, spot)?)]),
                ("starts_with", [text, start]) => {
                    let (a, b) = (self.term(text, spot)?, self.term(start, spot)?);
                    self.say(pick("term.starts_with", "term.starts_not_with"), &[("a", &a), ("b", &b)])
                }
                (name, _) => {
                    let title = &self.workflow.functions.get(name)?.title;
                    self.say(pick("term.function", "term.not_function"), &[("title", title)])
                }
            },
            Term::Question(of, question, args) => self.asked(of, question, args, yes, spot)?,
            Term::Property(of, name) => {
                let name: &str = name;
                match (self.seen(of, spot)?, property(name)) {
                    (Seen::Set(kind), "any") if !self.has_view(&kind, name) => {
                        self.say(pick("term.any", "term.none"), &[("branches", &self.branches(of, spot)?)])
                    }
                    (Seen::Set(kind), "all_ended") if !self.has_view(&kind, name) => {
                        self.say(pick("term.all_ended", "term.not_all_ended"), &[("branches", &self.branches(of, spot)?)])
                    }
                    (Seen::Clock(deadline), "running" | "was_late") => {
                        let key = format!("term.{}{}", if yes { "" } else { "not_" }, property(name));
                        self.say(&key, &[("deadline", &self.deadline(&deadline))])
                    }
                    _ => self.is_yes(term, yes, spot)?,
                }
            }
            Term::YesNo(value) => self.say(if *value == yes { "term.always" } else { "term.never" }, &[]),
            Term::If(parts) => {
                let [condition, then, other] = &**parts;
                let (a, b) = (self.holds(then, yes, spot)?, self.holds(other, yes, spot)?);
                self.say("term.if", &[("condition", &self.condition(condition, spot)?), ("then", &a), ("other", &b)])
            }
            Term::Switch(subject, rows, other) => {
                self.switched(subject, rows, other.as_deref(), spot, &|term| self.holds(term, yes, spot))?
            }
            Term::Name(_) | Term::FirstSet(_) => self.is_yes(term, yes, spot)?,
            _ => return None,
        })
    }

    /// What is filled in or not, whether it was recorded or is just being entered.
    fn filled_in(&self, term: &Term, spot: Spot) -> Option<String> {
        let first = match term {
            Term::FirstSet(parts) => parts.first()?,
            other => other,
        };
        match first {
            Term::Property(of, name) if matches!(self.seen(of, spot)?, Seen::Input) => Some(self.ask(name, spot)?.title.clone()),
            _ => self.term(term, spot),
        }
    }

    fn is_yes(&self, term: &Term, yes: bool, spot: Spot) -> Option<String> {
        Some(self.say("term.yes_no", &[("a", &self.term(term, spot)?), ("b", &self.yes_no(yes))]))
    }

    /// A part of a chain: chains of the other kind inside it get brackets.
    fn bracketed(&self, term: &Term, yes: bool, all: bool, spot: Spot) -> Option<String> {
        let text = self.holds(term, yes, spot)?;
        let (inner, yes) = match term {
            Term::Not(inner) => (&**inner, !yes),
            other => (other, yes),
        };
        let other_kind = match inner {
            Term::All(_) => !(yes == all),
            Term::Any(_) => yes == all,
            Term::If(_) | Term::Switch(..) => true,
            _ => false,
        };
        Some(if other_kind { self.say("term.brackets", &[("text", &text)]) } else { text })
    }

    fn compared(&self, sign: &str, left: &Term, right: &Term, spot: Spot) -> Option<String> {
        // `count_in_state([…]) == 0` and its like say that there is none.
        if let (Term::Question(of, question, args), Term::Number(0)) = (left, right)
            && &**question == "count_in_state"
            && let "==" | ">" | "!=" = sign
        {
            return self.asked(of, "any_in_state", args, sign != "==", spot);
        }
        if let (Term::Property(of, name), Term::Number(0)) = (left, right)
            && let (Some(Seen::Set(_)), "count", "==" | ">" | "!=") = (self.seen(of, spot), property(name), sign)
        {
            let key = if sign == "==" { "term.none" } else { "term.any" };
            return Some(self.say(key, &[("branches", &self.branches(of, spot)?)]));
        }
        let kind = self.kind_at(left, spot);
        if let (Term::YesNo(value), "==" | "!=") = (right, sign) {
            return self.holds(left, *value == (sign == "=="), spot);
        }
        let (a, b) = (self.term(left, spot)?, self.constant(right, &kind, spot)?);
        if let (Term::Text(text), "==" | "!=") = (right, sign)
            && text.is_empty()
        {
            let a = self.filled_in(left, spot)?;
            return Some(self.say(if sign == "==" { "term.is_not_set" } else { "term.is_set" }, &[("a", &a)]));
        }
        let dates = matches!(kind, Kind::Date) || matches!(self.kind_at(right, spot), Kind::Date);
        let key = match (sign, dates) {
            ("==", _) => "is",
            ("!=", _) => "is_not",
            ("<", false) => "less",
            ("<=", false) => "at_most",
            (">", false) => "more",
            (">=", false) => "at_least",
            ("<", true) => "earlier",
            ("<=", true) => "not_later",
            (">", true) => "later",
            (">=", true) => "not_earlier",
            _ => return None,
        };
        Some(self.say(&format!("term.{key}"), &[("a", &a), ("b", &b)]))
    }

    fn within(&self, entry: &Term, list: &Term, yes: bool, spot: Spot) -> Option<String> {
        let pick = |one: &'static str, other: &'static str| if yes { one } else { other };
        if let Term::List(options) = list {
            let kind = self.kind_at(entry, spot);
            let options: Option<Vec<String>> = options.iter().map(|option| self.constant(option, &kind, spot)).collect();
            let (a, options) = (self.term(entry, spot)?, options?);
            return Some(match yes {
                true => self.say("term.is", &[("a", &a), ("b", &self.any_of(options))]),
                false => self.say("term.none_of", &[("a", &a), ("b", &self.list(options))]),
            });
        }
        let kind = self.kind_at(list, spot);
        let entry = self.constant(entry, &kind, spot)?;
        if let Kind::Roles = kind {
            return Some(self.say(pick("term.acts_as", "term.acts_not_as"), &[("role", &entry)]));
        }
        Some(self.say(pick("term.has", "term.has_not"), &[("list", &self.term(list, spot)?), ("entry", &entry)]))
    }

    /// A question to branches, the item or a deadline that is answered by yes or no.
    fn asked(&self, of: &Term, question: &str, args: &[Term], yes: bool, spot: Spot) -> Option<String> {
        let key = |key: &str| format!("term.{}{key}", if yes { "" } else { "not_" });
        match (self.seen(of, spot)?, question, args) {
            (Seen::Set(kind), "all_in_state" | "any_in_state", [Term::List(states)]) => {
                let states = self.states_named(&kind, states)?;
                Some(self.say(&key(question), &[("branches", &self.branches(of, spot)?), ("states", &states)]))
            }
            (Seen::Set(_), "any_late", [Term::Text(deadline)]) => {
                Some(self.say(&key("any_late"), &[("branches", &self.branches(of, spot)?), ("deadline", &self.deadline(deadline))]))
            }
            (Seen::Item | Seen::Task(_), "any_late" | "was_late", [Term::Text(deadline)]) => {
                let word = if question == "was_late" { "was_late" } else { "is_late" };
                Some(self.say(&key(word), &[("deadline", &self.deadline(deadline))]))
            }
            (Seen::Clock(deadline), "fired", [Term::Text(rung)]) => {
                Some(self.say(&key("fired"), &[("deadline", &self.deadline(&deadline)), ("rung", rung)]))
            }
            _ => None,
        }
    }

    fn states_named(&self, kind: &str, states: &[Term]) -> Option<String> {
        let titles = states.iter().map(|state| match state {
            Term::Text(state) => Some(self.state(Some(kind), state)),
            _ => None,
        });
        Some(self.any_of(titles.collect::<Option<Vec<_>>>()?))
    }

    /// A constant by the title that its type gives it.
    fn constant(&self, term: &Term, kind: &Kind, spot: Spot) -> Option<String> {
        let Term::Text(text) = term else { return self.term(term, spot) };
        let quoted = || self.say("quoted", &[("text", text)]);
        let option = |titles: &indexmap::IndexMap<Name, String>| titles.get(text).cloned().unwrap_or_else(|| text.to_string());
        Some(match kind {
            Kind::Field(field) => match &field.kind {
                Type::Unit => self.unit(text),
                Type::Text => quoted(),
                _ => option(&field.option_titles),
            },
            Kind::Ask(ask) => match &ask.kind {
                Type::Unit => self.unit(text),
                Type::Text => quoted(),
                _ => self.field_of_ask(ask, spot.branch).map_or_else(|| text.to_string(), |field| option(&field.option_titles)),
            },
            Kind::State(branch) => self.state(branch.as_deref(), text),
            Kind::Roles => self.role(text),
            Kind::Unit => self.unit(text),
            Kind::Flag => self.say(&format!("flag.{text}"), &[]),
            Kind::Date => text.to_string(),
            Kind::Other => quoted(),
        })
    }

    fn field_of_ask(&self, ask: &Ask, branch: Option<&str>) -> Option<&Field> {
        let own = branch.and_then(|kind| self.workflow.branches.get(kind)?.fields.get(&ask.name));
        own.or_else(|| self.workflow.fields.get(&ask.name))
    }

    /// A value as people read it.
    fn term(&self, term: &Term, spot: Spot) -> Option<String> {
        Some(match term {
            Term::Text(text) => self.say("quoted", &[("text", text)]),
            Term::Number(number) => number.to_string(),
            Term::YesNo(yes) => self.yes_no(*yes),
            Term::List(entries) => self.list(entries.iter().map(|entry| self.term(entry, spot)).collect::<Option<Vec<_>>>()?),
            Term::Name(name) => match &**name {
                "today" => self.say("today", &[]),
                "each" => self.say("each", &[]),
                "item" if spot.takes.is_none_or(|takes| matches!(takes.get(name), Some(Type::ItemView))) => self.say("item", &[]),
                "task" => self.say("task", &[]),
                other if spot.takes.is_some_and(|takes| takes.contains_key(other)) => self.say("quoted", &[("text", other)]),
                _ => return None,
            },
            Term::Property(of, name) => self.property_of(of, name, spot)?,
            Term::Question(of, question, args) => self.figure(of, question, args, spot)?,
            Term::Call(name, args) => self.called(name, args, spot)?,
            Term::FirstSet(parts) => {
                let (first, rest) = parts.split_first()?;
                let kind = self.kind_at(first, spot);
                let mut text = self.term(first, spot)?;
                for part in rest {
                    text = match part {
                        Term::Text(empty) if empty.is_empty() => text,
                        part => self.say("term.or_else", &[("a", &text), ("b", &self.constant(part, &kind, spot)?)]),
                    };
                }
                text
            }
            Term::Sum(sign, left, right) => {
                let sign = if *sign == "*" { "×" } else { sign };
                format!("{} {sign} {}", self.term(left, spot)?, self.term(right, spot)?)
            }
            Term::If(parts) => {
                let [condition, then, other] = &**parts;
                let (a, b) = (self.term(then, spot)?, self.term(other, spot)?);
                self.say("term.if", &[("condition", &self.condition(condition, spot)?), ("then", &a), ("other", &b)])
            }
            Term::Switch(subject, rows, other) => self.switched(subject, rows, other.as_deref(), spot, &|term| self.term(term, spot))?,
            Term::Not(_) | Term::All(_) | Term::Any(_) | Term::Compare(..) | Term::In(..) => {
                self.say("term.whether", &[("condition", &self.condition(term, spot)?)])
            }
        })
    }

    fn switched(
        &self,
        subject: &Term,
        rows: &[(Vec<Term>, Term)],
        other: Option<&Term>,
        spot: Spot,
        say: &dyn Fn(&Term) -> Option<String>,
    ) -> Option<String> {
        let kind = self.kind_at(subject, spot);
        let mut parts = Vec::new();
        for (labels, value) in rows {
            let labels: Option<Vec<String>> = labels.iter().map(|label| self.constant(label, &kind, spot)).collect();
            parts.push(self.say("term.case", &[("labels", &self.any_of(labels?)), ("value", &say(value)?)]));
        }
        if let Some(other) = other {
            parts.push(self.say("term.other_case", &[("value", &say(other)?)]));
        }
        Some(self.say("term.switch", &[("subject", &self.term(subject, spot)?), ("cases", &parts.join(&self.say("semicolon", &[])))]))
    }

    fn property_of(&self, of: &Term, name: &str, spot: Spot) -> Option<String> {
        let word = property(name);
        Some(match self.seen(of, spot)? {
            // Inside a branch the item's own state is told apart from that of the branch.
            Seen::Item if word == "state" && spot.branch.is_some() => self.say("item_state", &[]),
            Seen::Item => self.field(None, if self.workflow.fields.contains_key(name) { name } else { word }),
            Seen::Task(kind) => {
                let declared = self.workflow.branches.get(&kind).is_some_and(|branch| branch.fields.contains_key(name));
                self.field(Some(&kind), if declared { name } else { word })
            }
            Seen::Input => {
                self.say("entered", &[("title", &self.ask(name, spot).map_or_else(|| name.to_string(), |ask| ask.title.clone()))])
            }
            Seen::Clock(deadline) => match word {
                "date" | "times_extended" | "days_left" | "working_days_left" | "days_late" | "working_days_late" | "running"
                | "was_late" => self.say(&format!("clock.{word}"), &[("deadline", &self.deadline(&deadline))]),
                _ => return None,
            },
            Seen::Set(_) => match word {
                "count" | "count_open" | "units" | "persons" | "open_units" | "open_persons" => {
                    self.say(&format!("set.{word}"), &[("branches", &self.branches(of, spot)?)])
                }
                _ => return None,
            },
            Seen::Actor => match word {
                "person" | "unit" | "units" | "roles" => self.say(&format!("actor.{word}"), &[]),
                _ => return None,
            },
            Seen::Param => self.say("param.named", &[("value", &self.param(name)), ("name", name)]),
            Seen::Request(request) => {
                let declared = self.workflow.requests.get(&request)?;
                let title = declared.ask.iter().find(|ask| &*ask.name == name).map_or(name, |ask| &ask.title);
                self.say("requested", &[("request", &declared.title), ("title", title)])
            }
            Seen::Plain => {
                let whole = self.term(of, spot)?;
                match word {
                    "len" | "kind" | "parent" | "committee" | "unit" | "person" => self.say(&format!("of.{word}"), &[("of", &whole)]),
                    _ => return None,
                }
            }
            Seen::Due | Seen::Branches | Seen::Requests => return None,
        })
    }

    /// A figure over branches.
    fn figure(&self, of: &Term, question: &str, args: &[Term], spot: Spot) -> Option<String> {
        let Seen::Set(kind) = self.seen(of, spot)? else {
            return Some(self.say("term.whether", &[("condition", &self.asked(of, question, args, true, spot)?)]));
        };
        let branches = self.branches(of, spot)?;
        match (question, args) {
            ("worst" | "sum" | "earliest" | "latest", [Term::Text(field)]) => {
                Some(self.say(&format!("set.{question}"), &[("branches", &branches), ("field", &self.field(Some(&kind), field))]))
            }
            ("count_in_state" | "share_in_state", [Term::List(states)]) => {
                let states = self.states_named(&kind, states)?;
                Some(self.say(&format!("set.{question}"), &[("branches", &branches), ("states", &states)]))
            }
            _ => Some(self.say("term.whether", &[("condition", &self.asked(of, question, args, true, spot)?)])),
        }
    }

    fn called(&self, name: &str, args: &[Term], spot: Spot) -> Option<String> {
        let said: Option<Vec<String>> = args.iter().map(|arg| self.term(arg, spot)).collect();
        if let Some(function) = self.workflow.functions.get(name) {
            return Some(self.say("term.value_of", &[("title", &function.title)]));
        }
        match (name, args) {
            ("date", [Term::Text(day)]) => return Some(day.to_string()),
            ("members", [Term::Text(group)]) => return Some(self.say("call.members", &[("a", group)])),
            ("add", [day, Term::Text(length)]) => {
                let length = crate::kernel::time::Length::parse(length)?;
                let length = crate::kernel::words::due::length(self.lang, length);
                return Some(self.say("call.add", &[("a", &self.term(day, spot)?), ("b", &length)]));
            }
            ("is_set" | "starts_with", _) => {
                let call = Term::Call(name.into(), args.to_vec());
                return Some(self.say("term.whether", &[("condition", &self.condition(&call, spot)?)]));
            }
            _ => {}
        }
        match (name, said?.as_slice()) {
            ("days_between" | "working_days_between" | "add" | "add_working_days" | "min" | "max", [a, b]) => {
                Some(self.say(&format!("call.{name}"), &[("a", a), ("b", b)]))
            }
            ("year_of" | "month_of" | "len", [a]) => Some(self.say(&format!("call.{name}"), &[("a", a)])),
            _ => None,
        }
    }

    /// A set of branches: the kind by its title, with the conditions of the views that narrow it.
    fn branches(&self, term: &Term, spot: Spot) -> Option<String> {
        match term {
            Term::Property(of, name) => match self.seen(of, spot)? {
                Seen::Branches => Some(self.branch(name)),
                Seen::Set(kind) => {
                    let condition = self.workflow.branches.get(&kind)?.views.get(name)?;
                    Some(self.say("set.those", &[("branches", &self.branches(of, spot)?), ("condition", &self.expr(condition))]))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn has_view(&self, kind: &str, name: &str) -> bool {
        self.workflow.branches.get(kind).is_some_and(|branch| branch.views.contains_key(name))
    }

    fn seen(&self, term: &Term, spot: Spot) -> Option<Seen> {
        match term {
            Term::Name(name) => {
                if let Some(takes) = spot.takes {
                    return Some(match takes.get(name)? {
                        Type::ItemView => Seen::Item,
                        Type::TaskView(kind) | Type::Record(kind) => Seen::Task(kind.clone()),
                        Type::InputView(_) => Seen::Input,
                        Type::DueView => Seen::Due,
                        Type::BranchesView => Seen::Branches,
                        Type::ActorView => Seen::Actor,
                        Type::ParamView => Seen::Param,
                        _ => Seen::Plain,
                    });
                }
                Some(match &**name {
                    "item" => Seen::Item,
                    "task" => Seen::Task(spot.branch.unwrap_or_default().into()),
                    "input" => Seen::Input,
                    "due" => Seen::Due,
                    "branches" => Seen::Branches,
                    "actor" => Seen::Actor,
                    "param" => Seen::Param,
                    "request" => Seen::Requests,
                    "each" => match spot.each {
                        Some(Type::Record(kind) | Type::Branch(kind)) => Seen::Task(kind.clone()),
                        _ => Seen::Plain,
                    },
                    _ => Seen::Plain,
                })
            }
            Term::Property(of, name) => Some(match self.seen(of, spot)? {
                Seen::Due => Seen::Clock(name.clone()),
                Seen::Branches => Seen::Set(name.clone()),
                Seen::Set(kind) if self.has_view(&kind, name) => Seen::Set(kind),
                Seen::Requests => Seen::Request(name.clone()),
                _ => Seen::Plain,
            }),
            _ => Some(Seen::Plain),
        }
    }

    /// What an action or request asks under a name.
    fn ask(&self, name: &str, spot: Spot) -> Option<&Ask> {
        let (branch, action) = match spot.takes {
            Some(takes) => {
                let action = takes.values().find_map(|kind| match kind {
                    Type::InputView(action) => Some(&**action),
                    _ => None,
                })?;
                match action.split_once('.').filter(|(kind, _)| self.workflow.branches.contains_key(*kind)) {
                    Some((kind, action)) => (Some(kind), Some(action)),
                    None => (None, Some(action)),
                }
            }
            None => (spot.branch, spot.action),
        };
        let found = |branch: Option<&str>| {
            let action = self.workflow.actions_of(branch)?.get(action?)?;
            action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask)).find(|ask| &*ask.name == name)
        };
        let requested = || self.workflow.requests.get(spot.request?)?.ask.iter().find(|ask| &*ask.name == name);
        let anywhere = || self.workflow.branches.keys().find_map(|kind| found(Some(kind)));
        found(branch).or_else(|| found(None)).or_else(requested).or_else(anywhere)
    }

    fn kind_at(&self, term: &Term, spot: Spot) -> Kind<'_> {
        let of_field = |field: &'_ Field| matches!(field.kind, Type::Date);
        match term {
            Term::Name(name) if &**name == "today" => Kind::Date,
            Term::Name(name) => match spot.takes.and_then(|takes| takes.get(name)) {
                Some(Type::Date) => Kind::Date,
                _ => Kind::Other,
            },
            Term::FirstSet(parts) => parts.first().map_or(Kind::Other, |part| self.kind_at(part, spot)),
            Term::Call(name, _) if matches!(&**name, "date" | "add" | "add_working_days") => Kind::Date,
            Term::Question(of, question, args) => match (self.seen(of, spot), &**question, args.as_slice()) {
                (Some(Seen::Set(kind)), "worst", [Term::Text(field)]) => {
                    self.workflow.branches.get(&kind).and_then(|branch| branch.fields.get(field)).map_or(Kind::Other, Kind::Field)
                }
                (Some(Seen::Set(_)), "earliest" | "latest", _) => Kind::Date,
                _ => Kind::Other,
            },
            Term::Property(of, name) => match self.seen(of, spot) {
                Some(Seen::Item) => match self.workflow.fields.get(name) {
                    Some(field) if of_field(field) => Kind::Date,
                    Some(field) => Kind::Field(field),
                    None => self.given(name, None),
                },
                Some(Seen::Task(kind)) => match self.workflow.branches.get(&kind).and_then(|branch| branch.fields.get(name)) {
                    Some(field) if of_field(field) => Kind::Date,
                    Some(field) => Kind::Field(field),
                    None => self.given(name, Some(kind)),
                },
                Some(Seen::Input) => match self.ask(name, spot) {
                    Some(ask) if ask.kind == Type::Date => Kind::Date,
                    Some(ask) => Kind::Ask(ask),
                    None => Kind::Other,
                },
                Some(Seen::Clock(_)) if property(name) == "date" => Kind::Date,
                Some(Seen::Request(request)) => {
                    let ask = self.workflow.requests.get(&request).and_then(|request| request.ask.iter().find(|ask| ask.name == *name));
                    match ask {
                        Some(ask) if ask.kind == Type::Date => Kind::Date,
                        Some(ask) => Kind::Ask(ask),
                        None => Kind::Other,
                    }
                }
                Some(Seen::Actor) if property(name) == "roles" => Kind::Roles,
                Some(Seen::Set(_)) if matches!(property(name), "units" | "open_units") => Kind::Unit,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    fn given(&self, name: &str, branch: Option<Name>) -> Kind<'_> {
        match property(name) {
            "state" => Kind::State(branch),
            "unit" => Kind::Unit,
            "flag" => Kind::Flag,
            _ => Kind::Other,
        }
    }
}

/// A comparison that says the opposite when `yes` is false.
fn opposite(sign: &'static str, yes: bool) -> &'static str {
    match (sign, yes) {
        (sign, true) => sign,
        ("==", _) => "!=",
        ("!=", _) => "==",
        ("<", _) => ">=",
        ("<=", _) => ">",
        (">", _) => "<=",
        (">=", _) => "<",
        (sign, _) => sign,
    }
}
