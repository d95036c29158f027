//! A file of rule tests as its author wrote it.

use super::Name;
use super::step::Step;
use super::value::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoryFile {
    /// The workflow, or the file that holds its head.
    pub test_of: Name,
    /// Persons beside those of the directory.
    pub people: BTreeMap<Name, ExtraPerson>,
    /// Units beside those of the directory: duty → persons, and `kind`, `committee`, `parent` under `is`.
    pub units: BTreeMap<Name, BTreeMap<Name, Vec<Name>>>,
    /// Used by every test unless a test says otherwise.
    pub item: BTreeMap<Name, Value>,
    pub tests: Vec<Story>,
    pub table_tests: BTreeMap<Name, Vec<BTreeMap<String, Value>>>,
    pub function_tests: BTreeMap<Name, Vec<FunctionTest>>,
    /// Sentences that hold on every step of every test.
    pub never: Vec<String>,
    /// `states`, `actions`, `guards_both_ways`, `rungs`, `notices`, `table_rows` → a percentage below which the run fails.
    pub coverage: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtraPerson {
    pub groups: Vec<Name>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Story {
    pub name: String,
    /// Notices left out of `mails`.
    pub ignore_notices: Vec<Name>,
    /// Fields (and `state`) of the item at the beginning; `nothing` opens none, the first step does.
    pub given: BTreeMap<Name, Value>,
    /// No item is opened before the first step.
    pub starts_empty: bool,
    /// Local civil time at which the story begins; the first step's by default.
    pub from: Option<String>,
    /// Person → exactly the actions offered.
    pub may: BTreeMap<Name, Vec<Name>>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FunctionTest {
    pub with: BTreeMap<Name, Value>,
    pub gives: Value,
}
