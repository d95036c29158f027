//! What a workflow declares, gathered before the sections that refer to it are read: the types of fields, whose action is whose, and the
//! names behind which lengths and ladders stand. It is forgotten once the workflow has been read.

use super::tree::Node;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Ask, Field, FieldRef, Holder, OnePer, Scope, Section};
use crate::kernel::model::value::Type;
use indexmap::IndexMap;
use std::collections::HashSet;

#[derive(Debug, Default)]
pub struct World<'n> {
    pub fields: Section<Field>,
    pub branches: IndexMap<Name, BranchWorld>,
    pub actions: HashSet<Name>,
    /// Request → the branch it runs in.
    pub requests: IndexMap<Name, Option<Name>>,
    pub tables: HashSet<Name>,
    pub ladders: IndexMap<Name, &'n Node>,
}

#[derive(Debug, Default)]
pub struct BranchWorld {
    pub one_per: Option<OnePer>,
    pub fields: Section<Field>,
    pub actions: HashSet<Name>,
    /// Roles that own a state of it or do one of its actions.
    pub roles: HashSet<Name>,
}

/// A field as others see it.
#[derive(Debug)]
pub struct Seen {
    pub of: Holder,
    pub title: String,
    pub kind: Type,
}

impl World<'_> {
    /// The branch's field of this name, else the item's.
    pub fn field(&self, branch: Option<&str>, name: &str) -> Option<Seen> {
        branch.and_then(|branch| self.branch_field(branch, name)).or_else(|| {
            let field = self.fields.get(name)?;
            Some(Seen { of: Holder::Item, title: field.title.clone(), kind: field.kind.clone() })
        })
    }

    pub fn branch_field(&self, branch: &str, name: &str) -> Option<Seen> {
        let branch = self.branches.get(branch)?;
        let (title, kind) = match branch.fields.get(name) {
            Some(field) => (field.title.clone(), field.kind.clone()),
            None => match (branch.one_per?, name) {
                (OnePer::Unit, "unit") => (name.to_string(), Type::Unit),
                (OnePer::Person, "person") => (name.to_string(), Type::Person),
                _ => return None,
            },
        };
        Some(Seen { of: Holder::Task, title, kind })
    }

    pub fn field_names(&self, branch: Option<&str>) -> Vec<&str> {
        let branch = branch.and_then(|branch| self.branches.get(branch));
        let own = branch.into_iter().flat_map(|branch| branch.fields.keys());
        own.chain(self.fields.keys()).map(|name| &**name).collect()
    }

    /// The type behind a reference; `asks` are the inputs in sight.
    pub fn type_of(&self, field: &FieldRef, branch: Option<&str>, asks: &[Ask]) -> Option<Type> {
        match field.of {
            Holder::Item => self.fields.get(&field.field).map(|field| field.kind.clone()),
            Holder::Task => self.branch_field(branch?, &field.field).map(|seen| seen.kind),
            Holder::Input => asks.iter().find(|ask| ask.name == field.field).map(|ask| ask.kind.clone()),
        }
    }

    /// What an expression tied to a fact may read: the fact is named from inside `branch`, or from the item.
    pub fn scope_of_fact(&self, branch: Option<&Name>, fact: &str) -> Scope {
        if let Some((owner, what)) = fact.split_once('.') {
            if let Some(of) = self.requests.get(owner) {
                let step = match what {
                    "approved" => "approve",
                    "refused" => "refuse",
                    _ => "ask",
                };
                return Scope {
                    branch: of.clone(),
                    action: Some(format!("{owner}.{step}").into()),
                    request: Some(owner.into()),
                    each: None,
                };
            }
            return Scope { branch: Some(owner.into()), action: Some(what.into()), ..Scope::default() };
        }
        let own = branch.filter(|branch| self.branches.get(*branch).is_some_and(|branch| branch.actions.contains(fact)));
        match own {
            Some(branch) => Scope { branch: Some(branch.clone()), action: Some(fact.into()), ..Scope::default() },
            None if self.actions.contains(fact) => Scope { action: Some(fact.into()), ..Scope::default() },
            None => Scope { branch: branch.cloned(), ..Scope::default() },
        }
    }
}
