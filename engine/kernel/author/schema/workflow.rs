//! The schema of a workflow's files. They are merged by section, so that each may hold any part of the whole.

use super::words::{DATE, HOUR, lengths, reference, rung_at, send_window};
use super::{count, expression, list, named, one_of, pattern, row, text, text_or, value, yes};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Workflow;
use crate::kernel::read::{desks, keys};
use indexmap::IndexSet;
use serde_json::{Value as Json, json};

const PLAIN: [&str; 10] = ["text", "number", "date", "year", "duration", "person", "unit", "file", "yes_no", "item"];

pub fn schema(workflow: &Workflow) -> Json {
    let names = Names::of(workflow);
    let sections: Vec<&str> = keys::HEAD.iter().chain(&keys::SECTIONS).copied().collect();
    row(&sections, &[], |key| names.section(key))
}

/// The names of one workflow, each list in the order of the files.
struct Names<'w> {
    workflow: &'w Workflow,
    roles: Vec<&'w str>,
    notices: Vec<&'w str>,
    branches: Vec<&'w str>,
    /// Of the item and of every kind of branch.
    states: IndexSet<&'w str>,
    fields: IndexSet<&'w str>,
    actions: IndexSet<&'w str>,
    /// What deadlines start and end on.
    facts: IndexSet<String>,
}

impl<'w> Names<'w> {
    fn of(workflow: &'w Workflow) -> Names<'w> {
        let text = |name: &'w Name| &**name;
        let of_branches = workflow.branches.values();
        let mut facts: IndexSet<String> = ["opened".to_string()].into();
        for action in workflow.actions.values() {
            facts.insert(action.records_as.to_string());
        }
        for (kind, branch) in &workflow.branches {
            for action in branch.actions.values() {
                facts.extend([action.records_as.to_string(), format!("{kind}.{}", action.records_as)]);
            }
        }
        // Steps of requests are named in `closes` as they are done.
        facts.extend(workflow.requests.keys().flat_map(|name| ["ask", "approve", "refuse"].map(|step| format!("{name}.{step}"))));
        Names {
            workflow,

            roles: workflow.roles.keys().map(text).chain(["system"]).collect(),
            notices: workflow.notices.keys().map(text).collect(),
            branches: workflow.branches.keys().map(text).collect(),
            states: workflow.states.keys().chain(of_branches.clone().flat_map(|branch| branch.states.keys())).map(text).collect(),
            fields: workflow.fields.keys().chain(of_branches.clone().flat_map(|branch| branch.fields.keys())).map(text).collect(),
            actions: workflow.actions.keys().chain(of_branches.flat_map(|branch| branch.actions.keys())).map(text).collect(),
            facts,
        }
    }

    fn section(&self, key: &str) -> Json {
        match key {
            "workflow" => text(),
            "language" => json!({ "const": 1 }),
            "languages" => list(text()),
            "version" => count(),
            "month_overflow" => one_of(["last_day", "first_of_next"]),
            "day_off" => day_off(),
            "send_window" => pattern(&send_window()),
            "letter" => named(json!({ "type": ["string", "integer"] })),
            "amend_by" => self.role_list(),
            "publish" => row(&keys::PUBLISH, &[], |_| json!({ "type": "boolean" })),
            "roles" => named(self.role_row()),
            "fields" => named(self.field()),
            "states" => named(self.state()),
            "actions" => named(self.action()),
            "branches" => named(self.branch()),
            "deadlines" => named(self.deadline()),
            "ladders" => named(self.ladder()),
            "requests" => named(self.request()),
            "tables" => named(self.table()),
            "params" => named(list(row(&keys::PARAM, &["from", "value"], |key| match key {
                "from" => pattern(DATE),
                "value" => json!({ "type": ["string", "integer", "boolean"] }),
                _ => text(),
            }))),
            "functions" => named(row(&keys::FUNCTION, &["title", "file", "gives"], |key| match key {
                "takes" => named(text()),
                _ => text(),
            })),
            "notices" => named(self.notice()),
            "sweeps" => named(self.sweep()),
            "always" => list(self.require()),
            "reports" => named(self.report()),
            "documents" => named(row(&keys::DOCUMENT, &["title", "parts"], |key| match key {
                "parts" => list(row(&keys::PART, &[], |_| text())),
                "of_one" => yes(),
                _ => text(),
            })),
            "forms" => named(row(&keys::FORM, &["title"], |key| if key == "of" { one_of(&self.branches) } else { text() })),
            "imports" => named(self.import()),
            "desks" => named(row(&keys::DESK, &["title", "for", "parts"], |key| match key {
                "for" | "first_for" => self.role_list(),
                "parts" => list(row(&keys::DESK_PART, &["title", "show"], |key| match key {
                    "show" => one_of(desks::kinds()),
                    "states" => self.state_list(),
                    "branch" => one_of(&self.branches),
                    "rows" => count(),
                    _ => text(),
                })),
                _ => text(),
            })),
            "ledger" => row(&keys::LEDGER, &[], |_| list(text())),
            "published" => row(&keys::PUBLISHED, &["title", "states", "field", "is", "fields"], |key| match key {
                "states" => self.state_list(),
                "is" | "fields" => list(text()),
                _ => text(),
            }),
            "changes" => list(row(&keys::CHANGE, &["version", "because"], |key| match key {
                "version" => count(),
                "because" => text(),
                "open_items" => named(one_of(["keep", "recompute"])),
                "retired_fields" | "retired_branches" | "retired_deadlines" | "retired_requests" | "corrected" => list(text()),
                _ => named(text()),
            })),
            _ => text(),
        }
    }

    fn role(&self) -> Json {
        one_of(&self.roles)
    }

    fn role_list(&self) -> Json {
        list(self.role())
    }

    fn state_list(&self) -> Json {
        list(one_of(&self.states))
    }

    fn role_row(&self) -> Json {
        // `group G`, `DUTY of UNIT`, `person item.FIELD`, `system`.
        let who = || pattern(&format!("system|group [^ ]+|person {}|[^ ]+ of .+", reference()));
        let case = row(&keys::WHO_CASE, &["is"], |key| if key == "when" { expression() } else { who() });
        let cases = list(text_or(who(), &["object"], case));
        row(&keys::ROLE, &["title", "who"], |key| if key == "who" { text_or(who(), &["array"], cases.clone()) } else { text() })
    }

    /// Every type that a field, an input or a column may have.
    fn kind(&self) -> Json {
        let lists = PLAIN.iter().map(|plain| format!("{plain}_list")).chain(self.branches.iter().map(|branch| format!("{branch}_list")));
        let branches = self.branches.iter().map(|branch| format!("branch of {branch}"));
        let same = self.fields.iter().flat_map(|field| [format!("same as {field}"), format!("same as item.{field}")]);
        let plain = PLAIN.iter().map(|plain| plain.to_string()).chain(["choice".to_string()]);
        one_of(plain.chain(lists).chain(branches).chain(same))
    }

    fn field(&self) -> Json {
        row(&keys::FIELD, &["type"], |key| match key {
            "type" => self.kind(),
            "options" => list(option()),
            "option_titles" => named(text()),
            "required" | "unique" | "secret" => yes(),
            "default" => value(),
            "is" => expression(),
            "visible_to" => self.role_list(),
            "sealed_until" => one_of(&self.actions),
            "tally" => row(&keys::TALLY, &keys::TALLY, |key| match key {
                "of" => one_of(&self.branches),
                "counts_in" => list(text()),
                "points" => named(count()),
                "weights" => named(value()),
                _ => text(),
            }),
            _ => text(),
        })
    }

    fn state(&self) -> Json {
        row(&keys::STATE, &["title", "kind"], |key| match key {
            "kind" => one_of(["start", "active", "waiting", "end"]),
            "owner" => self.role(),
            "no_deadline_needed" => yes(),
            _ => text(),
        })
    }

    fn require(&self) -> Json {
        row(&keys::REQUIRE, &["if", "say"], |key| if key == "if" { expression() } else { text() })
    }

    /// Fields by name, or declarations in place.
    fn ask(&self) -> Json {
        let declared = named(row(&keys::ASK, &[], |key| match key {
            "type" => self.kind(),
            "options" => list(option()),
            "option_titles" => named(text()),
            "required" => yes(),
            _ => text(),
        }));
        let given = ["unit", "person"];
        let fields = self.fields.iter().copied().chain(given).flat_map(|field| [field.to_string(), format!("{field}?")]);
        let entries = list(text_or(one_of(fields), &["object"], declared.clone()));
        json!({ "type": ["array", "object"], "if": { "type": "array" }, "then": entries, "else": declared })
    }

    fn by(&self) -> Json {
        let way = row(&keys::BY, &["role"], |key| match key {
            "when" => expression(),
            "ask" => self.ask(),
            _ => self.role(),
        });
        list(text_or(self.role(), &["object"], way))
    }

    fn set(&self) -> Json {
        let guarded = row(&keys::SET, &["value"], |key| if key == "when" { expression() } else { value() });
        let entry = json!({ "if": { "type": "object" }, "then": guarded, "else": value() });
        let names = self.fields.iter().copied().chain(["unit", "person"]);
        json!({ "type": "object", "propertyNames": one_of(names), "additionalProperties": entry })
    }

    /// The keys that say what is done beside moving.
    fn effect(&self, key: &str) -> Option<Json> {
        Some(match key {
            "set" => self.set(),
            "open" => {
                let opened = list(row(&keys::OPEN, &[], |key| if key == "set" { self.set() } else { expression() }));
                let entry = text_or(text(), &["array"], opened);
                json!({ "type": "object", "propertyNames": one_of(&self.branches), "additionalProperties": entry })
            }
            "cancel" => list(one_of(&self.branches)),
            "do_on" => json!({ "type": "object", "propertyNames": one_of(&self.branches), "additionalProperties": one_of(&self.actions) }),
            "or_none" => yes(),
            "tell" => list(one_of(&self.notices)),
            "then_try" => list(one_of(&self.actions)),
            "opens" => list(row(&keys::OPENS, &["workflow", "do", "id"], errand)),
            "sends" => list(row(&keys::SENDS, &["workflow", "to", "do"], errand)),
            "to" => one_of(&self.states),
            _ => return None,
        })
    }

    fn action(&self) -> Json {
        row(&keys::ACTION, &["title", "by"], |key| match key {
            "by" => self.by(),
            "not_by" => pattern("same_person_as .+"),
            "creates" => yes(),
            "from" => self.state_list(),
            "choose" => list(row(&keys::CHOOSE, &["when"], |key| self.effect(key).unwrap_or_else(expression))),
            "ask" => self.ask(),
            "require" => list(self.require()),
            "freeze" => list(row(&keys::FREEZE, &keys::FREEZE, |key| if key == "set" { named(text()) } else { text() })),
            "sequence" => named(json!({ "type": ["string", "array"] })),
            key => self.effect(key).unwrap_or_else(text),
        })
    }

    fn branch(&self) -> Json {
        row(&keys::BRANCH, &["title", "states"], |key| match key {
            "one_per" => one_of(["unit", "person"]),
            "at_most" => count(),
            "fields" => named(self.field()),
            "states" => named(self.state()),
            "actions" => named(self.action()),
            "views" => named(expression()),
            "cancelled_state" => one_of(&self.states),
            "when_item_ends" => one_of(["cancel", "keep_open"]),
            "visible_to" => self.role_list(),
            "sealed_until" => one_of(&self.actions),
            _ => text(),
        })
    }

    fn length(&self) -> Json {
        let named = self.workflow.params.keys().chain(self.workflow.tables.keys()).map(|name| &**name).collect::<Vec<_>>().join("|");
        let phrase = pattern(&if named.is_empty() { lengths() } else { format!("{named}|{}", lengths()) });
        let earliest = row(&keys::LENGTH, &keys::LENGTH, |_| list(phrase.clone()));
        text_or(phrase.clone(), &["object"], earliest)
    }

    fn ladder(&self) -> Json {
        let rung = row(&keys::RUNG, &["rung", "at"], |key| match key {
            "at" => pattern(&rung_at()),
            "tell" => list(one_of(&self.notices)),
            "flag" => one_of(["amber", "red"]),
            "do" => one_of(&self.actions),
            "at_most" => count(),
            "when" => expression(),
            "catch_up" => yes(),
            _ => text(),
        });
        let entries = list(text_or(pattern("use .+"), &["object"], rung));
        text_or(pattern("use .+"), &["array"], entries)
    }

    fn deadline(&self) -> Json {
        row(&keys::DEADLINE, &["title", "length"], |key| match key {
            "branch" => one_of(&self.branches),
            "starts_on" | "ends_on" => list(one_of(&self.facts)),
            "runs_in" | "pauses_in" | "quiet_in" => self.state_list(),
            "anchor" => pattern(&reference()),
            "length" | "no_later_than" => self.length(),
            "when" => expression(),
            "pauses_move_cap" => yes(),
            "extended_by" => self.by_fact(expression()),
            "extended_to" => self.by_fact(self.length()),
            "closes" => self.by_fact(text()),
            "day_off" => day_off(),
            "by_hour" => pattern(HOUR),
            "ladder" => self.ladder(),
            _ => text(),
        })
    }

    fn by_fact(&self, value: Json) -> Json {
        json!({ "type": "object", "propertyNames": one_of(&self.facts), "additionalProperties": value })
    }

    fn request(&self) -> Json {
        let outcome = || {
            row(&keys::OUTCOME, &[], |key| match key {
                "ask" => self.ask(),
                "require" => list(self.require()),
                key => self.effect(key).unwrap_or_else(text),
            })
        };
        let deciders = || {
            let way = row(&[keys::BY.as_slice(), keys::CONSENT.as_slice()].concat(), &[], |key| match key {
                "when" => expression(),
                "ask" => self.ask(),
                "all" => self.by(),
                _ => self.role(),
            });
            list(text_or(self.role(), &["object"], way))
        };
        row(&keys::REQUEST, &["title", "from", "ask_by", "decide_by"], |key| match key {
            "branch" => one_of(&self.branches),
            "from" => self.state_list(),
            "ask_by" => self.by(),
            "ask" => self.ask(),
            "require" => list(self.require()),
            "decide_by" => deciders(),
            "length" => self.length(),
            "ladder" => self.ladder(),
            "approve" | "refuse" => outcome(),
            _ => text(),
        })
    }

    fn table(&self) -> Json {
        let cell = json!({ "type": ["string", "integer", "boolean"] });
        let cells = json!({
            "type": "object", "properties": { "gives": self.length() }, "required": ["gives"],
            "patternProperties": { format!("^({})$", reference()): cell }, "additionalProperties": false,
        });
        row(&keys::TABLE, &["rows"], |key| if key == "rows" { list(cells.clone()) } else { text() })
    }

    fn notice(&self) -> Json {
        let recipient = row(&keys::RECIPIENT, &["role"], |_| self.role());
        let recipients = || list(text_or(self.role(), &["object"], recipient.clone()));
        row(&keys::NOTICE, &["to", "subject"], |key| match key {
            "kind" => one_of(["message", "reminder", "escalation"]),
            "to" | "cc" => recipients(),
            "one_mail_per" => one_of(&self.branches),
            "bundle" => one_of(["per_person_per_day"]),
            "list" => yes(),
            "links" => list(one_of(&self.actions)),
            _ => text(),
        })
    }

    fn sweep(&self) -> Json {
        row(&keys::SWEEP, &["cron", "if_missed"], |key| match key {
            "over" => one_of(&self.branches),
            "for_each" => one_of(["units", "persons"]),
            "creates" => row(&keys::CREATES, &["do", "id"], |key| if key == "do" { one_of(&self.actions) } else { errand(key) }),
            "when" => expression(),
            "do" => one_of(&self.actions),
            "tell" => list(one_of(&self.notices)),
            "if_missed" => one_of(["run_once", "skip", "run_each"]),
            "limit" => count(),
            _ => text(),
        })
    }

    fn report(&self) -> Json {
        let figure = row(&keys::FIGURE, &[], |key| match key {
            "title" => text(),
            "share" | "of" => text(),
            _ => expression(),
        });
        // A field by its bare name, or an expression; several in a list, or each under its heading.
        let by = json!({
            "type": ["string", "array", "object"], "items": expression(), "additionalProperties": expression(),
            "if": { "type": "string", "pattern": "^[^ .()]+$" }, "then": one_of(self.workflow.fields.keys()),
        });
        row(&keys::REPORT, &["title"], |key| match key {
            "over" => one_of(&self.branches),
            "when" | "of" => expression(),
            "by" => by.clone(),
            "share" => option(),
            "columns" => named(figure.clone()),
            "total" => yes(),
            "list" => named(expression()),
            "order" => json!({ "type": ["string", "array"], "items": expression() }),
            _ => text(),
        })
    }

    fn import(&self) -> Json {
        let column = row(&keys::COLUMN, &[], |key| match key {
            "headings" => list(text()),
            "type" => self.kind(),
            "options" => list(option()),
            "required" => yes(),
            "values" => named(option()),
            _ => text(),
        });
        let step = row(&keys::IMPORT_STEP, &["do", "by", "on"], |key| match key {
            "do" => one_of(&self.actions),
            "by" => self.role(),
            "with" => named(text()),
            _ => text(),
        });
        row(&keys::IMPORT, &["title", "columns", "steps"], |key| match key {
            "columns" => named(column.clone()),
            "steps" => list(step.clone()),
            _ => text(),
        })
    }
}

fn day_off() -> Json {
    one_of(["next_working_day", "previous_working_day", "keep"])
}

/// An option of a choice; a bare number is one, too.
fn option() -> Json {
    json!({ "type": ["string", "integer"] })
}

/// What is handed over to another item.
fn errand(key: &str) -> Json {
    match key {
        "with" => named(expression()),
        "when" => expression(),
        _ => text(),
    }
}
