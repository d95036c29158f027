//! The keys of every kind of row: the reader refuses all others, and the schema for editors is made of the same tables.

pub const HEAD: [&str; 13] = [
    "workflow",
    "title",
    "language",
    "languages",
    "version",
    "timezone",
    "calendar",
    "month_overflow",
    "day_off",
    "send_window",
    "letter",
    "amend_by",
    "publish",
];

/// How a version of the rules comes into use.
pub const PUBLISH: [&str; 1] = ["second_person"];

pub const SECTIONS: [&str; 22] = [
    "roles",
    "fields",
    "states",
    "actions",
    "branches",
    "deadlines",
    "ladders",
    "requests",
    "tables",
    "params",
    "functions",
    "notices",
    "sweeps",
    "always",
    "reports",
    "documents",
    "forms",
    "imports",
    "desks",
    "ledger",
    "published",
    "changes",
];

pub const ROLE: [&str; 2] = ["title", "who"];
pub const WHO_CASE: [&str; 2] = ["is", "when"];

pub const FIELD: [&str; 12] =
    ["title", "type", "options", "option_titles", "required", "default", "unique", "secret", "is", "tally", "visible_to", "sealed_until"];
pub const TALLY: [&str; 6] = ["of", "counts_in", "answer", "points", "group", "weights"];

pub const STATE: [&str; 4] = ["title", "kind", "owner", "no_deadline_needed"];

pub const ACTION: [&str; 20] = [
    "title", "by", "not_by", "creates", "from", "to", "choose", "ask", "require", "set", "open", "cancel", "do_on", "or_none", "tell",
    "then_try", "sequence", "opens", "sends", "freeze",
];
/// Figures of a report that are recorded.
pub const FREEZE: [&str; 3] = ["report", "row", "set"];
pub const BY: [&str; 4] = ["role", "when", "for", "ask"];
pub const ASK: [&str; 5] = ["type", "options", "required", "title", "option_titles"];
pub const REQUIRE: [&str; 2] = ["if", "say"];
pub const CHOOSE: [&str; 11] = ["to", "when", "set", "open", "cancel", "do_on", "or_none", "tell", "then_try", "opens", "sends"];
/// What is asked of another workflow: a new item, or an action on items that are named.
pub const OPENS: [&str; 6] = ["workflow", "do", "id", "with", "link", "when"];
pub const SENDS: [&str; 5] = ["workflow", "to", "do", "with", "when"];
pub const OPEN: [&str; 3] = ["for_each", "set", "when"];
pub const SET: [&str; 2] = ["value", "when"];

pub const BRANCH: [&str; 11] = [
    "title",
    "one_per",
    "at_most",
    "fields",
    "states",
    "actions",
    "views",
    "cancelled_state",
    "when_item_ends",
    "visible_to",
    "sealed_until",
];

pub const DEADLINE: [&str; 19] = [
    "title",
    "branch",
    "starts_on",
    "ends_on",
    "runs_in",
    "anchor",
    "length",
    "when",
    "pauses_in",
    "quiet_in",
    "pauses_move_cap",
    "extended_by",
    "extended_to",
    "no_later_than",
    "day_off",
    "by_hour",
    "ladder",
    "closes",
    "counts_as",
];
pub const LENGTH: [&str; 1] = ["earliest_of"];
pub const RUNG: [&str; 8] = ["rung", "at", "tell", "flag", "do", "at_most", "when", "catch_up"];

pub const REQUEST: [&str; 12] =
    ["title", "branch", "from", "ask_by", "ask", "require", "decide_by", "length", "ladder", "approve", "refuse", "counts_as"];
pub const OUTCOME: [&str; 13] =
    ["title", "to", "ask", "require", "set", "open", "cancel", "do_on", "or_none", "tell", "then_try", "opens", "sends"];
pub const CONSENT: [&str; 1] = ["all"];

pub const TABLE: [&str; 2] = ["title", "rows"];
pub const PARAM: [&str; 3] = ["from", "value", "source"];
pub const FUNCTION: [&str; 4] = ["title", "file", "takes", "gives"];

pub const NOTICE: [&str; 10] = ["title", "kind", "to", "cc", "subject", "template", "one_mail_per", "bundle", "list", "links"];
pub const RECIPIENT: [&str; 2] = ["role", "or"];
pub const SWEEP: [&str; 10] = ["title", "cron", "over", "for_each", "when", "do", "creates", "tell", "if_missed", "limit"];
/// What a sweep makes for each unit or person.
pub const CREATES: [&str; 3] = ["do", "id", "with"];
pub const REPORT: [&str; 10] = ["title", "over", "when", "of", "by", "share", "columns", "total", "list", "order"];
pub const FIGURE: [&str; 7] = ["title", "count", "sum", "earliest", "latest", "share", "of"];
pub const DOCUMENT: [&str; 3] = ["title", "of_one", "parts"];
pub const PART: [&str; 3] = ["heading", "text", "report"];

pub const FORM: [&str; 3] = ["title", "of", "template"];

pub const DESK: [&str; 4] = ["title", "for", "first_for", "parts"];
pub const DESK_PART: [&str; 8] = ["title", "show", "states", "unit", "action", "report", "rows", "branch"];
/// Of these, the ones that each kind of part has.
pub const DESK_PLAIN: [&str; 2] = ["title", "show"];
pub const DESK_WAITING: [&str; 5] = ["title", "show", "states", "unit", "action"];
pub const DESK_REPORT: [&str; 4] = ["title", "show", "report", "rows"];
pub const DESK_ROUND: [&str; 3] = ["title", "show", "branch"];
pub const LEDGER: [&str; 2] = ["columns", "filters"];
pub const PUBLISHED: [&str; 5] = ["title", "states", "field", "is", "fields"];

pub const IMPORT: [&str; 5] = ["title", "sheet", "item", "columns", "steps"];
pub const COLUMN: [&str; 6] = ["heading", "headings", "type", "options", "required", "values"];
pub const IMPORT_STEP: [&str; 4] = ["do", "by", "on", "with"];

pub const CHANGE: [&str; 14] = [
    "version",
    "because",
    "renamed_states",
    "renamed_fields",
    "renamed_actions",
    "renamed_branches",
    "renamed_deadlines",
    "retired_states",
    "retired_fields",
    "retired_branches",
    "retired_deadlines",
    "retired_requests",
    "open_items",
    "corrected",
];

pub const DIRECTORY: [&str; 2] = ["units", "persons"];
pub const UNIT: [&str; 8] = ["title", "also", "kind", "parent", "committee", "phone", "formerly", "merged_into"];
pub const RELATION: [&str; 3] = ["is", "from", "to"];
pub const FORMERLY: [&str; 2] = ["title", "to"];
pub const MERGED: [&str; 2] = ["unit", "from"];
pub const PERSON: [&str; 6] = ["title", "mail", "phone", "groups", "duties", "stand_in"];
pub const GROUP: [&str; 3] = ["group", "from", "to"];
pub const DUTY: [&str; 4] = ["duty", "unit", "from", "to"];
pub const STAND_IN: [&str; 3] = ["person", "from", "to"];
