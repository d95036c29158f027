//! The types of expressions: those of the language, the views, and text constants, which fit whatever has them as an option.

use crate::kernel::model::Name;
use crate::kernel::model::value::Type;
use rhai::Position;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ty {
    /// After a mistake: fits everything, so that one mistake is told once.
    Unknown,
    /// No value at all.
    Nothing,
    YesNo,
    Number,
    Text,
    /// One of these constants.
    Words(Vec<Word>),
    Choice(Vec<Name>),
    Date,
    Length,
    Person,
    Unit,
    File,
    /// Another item.
    Link,
    List(Box<Ty>),
    Record(Name),
    /// A branch of a kind: `task`, or what a field points to.
    Task(Name),
    /// A branch of any kind: `task` in the cases of a role, which serves items and all kinds of branches.
    AnyTask,
    Optional(Box<Ty>),
    Item,
    Input(Rc<InputOf>),
    /// The deadlines of the item and of this kind of branch; of all kinds inside functions.
    Due(DueOf),
    /// A deadline by its name.
    Clock(Name),
    Branches,
    Set(Name),
    Actor,
    Param,
    /// The requests of the item and of this kind of branch.
    Requests(Option<Name>),
    Asked(Name),
}

/// A text constant and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub text: String,
    pub at: Position,
}

/// What an action asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InputOf {
    pub action: Name,
    pub fields: Vec<(Name, Ty)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum DueOf {
    Item,
    Branch(Name),
    Any,
}

impl Ty {
    pub fn of(kind: &Type) -> Ty {
        match kind {
            Type::YesNo => Ty::YesNo,
            Type::Number | Type::Year => Ty::Number,
            Type::Text => Ty::Text,
            Type::Choice(options) => Ty::Choice(options.clone()),
            Type::Date => Ty::Date,
            Type::Duration => Ty::Length,
            Type::Person => Ty::Person,
            Type::Unit => Ty::Unit,
            Type::File => Ty::File,
            Type::List(entry) => Ty::List(Box::new(Ty::of(entry))),
            Type::Record(kind) => Ty::Record(kind.clone()),
            Type::Branch(kind) | Type::TaskView(kind) => Ty::Task(kind.clone()),
            Type::Item => Ty::Link,
            Type::Optional(kind) => Ty::of(kind).optional(),
            Type::ItemView => Ty::Item,
            // Inputs are resolved by the checker, which knows the actions.
            Type::InputView(action) => Ty::Input(Rc::new(InputOf { action: action.clone(), fields: Vec::new() })),
            Type::DueView => Ty::Due(DueOf::Any),
            Type::BranchesView => Ty::Branches,
            Type::ActorView => Ty::Actor,
            Type::ParamView => Ty::Param,
        }
    }

    /// May be empty. A list is never empty in that sense: it has no entries.
    pub fn optional(self) -> Ty {
        match self {
            Ty::Optional(_) | Ty::List(_) | Ty::Unknown | Ty::Nothing => self,
            other => Ty::Optional(Box::new(other)),
        }
    }

    pub fn is_optional(&self) -> bool {
        matches!(self, Ty::Optional(_))
    }

    pub fn inner(&self) -> &Ty {
        match self {
            Ty::Optional(inner) => inner,
            other => other,
        }
    }

    pub fn is_text_like(&self) -> bool {
        matches!(self, Ty::Text | Ty::Words(_) | Ty::Choice(_) | Ty::Person | Ty::Unit | Ty::File | Ty::Link | Ty::Unknown)
    }

    /// Its name in a sentence: a key of the catalogue, or a word of the language itself.
    pub fn name(&self) -> &'static str {
        match self.inner() {
            Ty::Unknown | Ty::Nothing | Ty::Optional(_) => "@type.nothing",
            Ty::YesNo => "@type.yes_no",
            Ty::Number => "@type.number",
            Ty::Text | Ty::Words(_) => "@type.text",
            Ty::Choice(_) => "@type.choice",
            Ty::Date => "@type.date",
            Ty::Length => "@type.duration",
            Ty::Person => "@type.person",
            Ty::Unit => "@type.unit",
            Ty::File => "@type.file",
            Ty::Link => "@type.item",
            Ty::List(_) => "@type.list",
            Ty::Record(_) => "@type.record",
            Ty::Task(_) | Ty::AnyTask => "@type.branch",
            Ty::Item => "`item`",
            Ty::Input(_) => "`input`",
            Ty::Due(_) => "`due`",
            Ty::Clock(_) => "@type.deadline",
            Ty::Branches => "`branches`",
            Ty::Set(_) => "@type.branches",
            Ty::Actor => "`actor`",
            Ty::Param => "`param`",
            Ty::Requests(_) => "`request`",
            Ty::Asked(_) => "@type.request",
        }
    }
}

/// How well a value fits where it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// But for being empty at times.
    MayBeEmpty,
    No,
}

/// Whether a value fits. Constants fit a choice here whatever they say; the checker looks at each.
pub(super) fn fits(given: &Ty, wanted: &Ty) -> Fit {
    if given.is_optional() && !wanted.is_optional() {
        return match fits(given.inner(), wanted) {
            Fit::Yes => Fit::MayBeEmpty,
            other => other,
        };
    }
    let yes = match (given.inner(), wanted.inner()) {
        (Ty::Unknown, _) | (_, Ty::Unknown) => true,
        (given, Ty::Text) => given.is_text_like(),
        (Ty::Words(_), Ty::Choice(_) | Ty::Person | Ty::Unit | Ty::File | Ty::Link) => true,
        // A condition beside it may leave out the others.
        (Ty::Choice(given), Ty::Choice(wanted)) => given.iter().any(|option| wanted.contains(option)),
        (Ty::Text, Ty::File | Ty::Link) => true,
        (Ty::List(given), Ty::List(wanted)) => fits(given, wanted) == Fit::Yes,
        (Ty::Input(given), Ty::Input(wanted)) => wanted.fields.iter().all(|(name, wanted)| {
            let given = given.fields.iter().find(|(other, _)| other == name);
            given.is_some_and(|(_, given)| fits(given, wanted) == Fit::Yes)
        }),
        (Ty::Due(_), Ty::Due(_)) => true,
        (given, wanted) => given == wanted,
    };
    if yes { Fit::Yes } else { Fit::No }
}

/// The type of a value that is one or the other; `None` when they have nothing in common.
pub(super) fn join(a: &Ty, b: &Ty) -> Option<Ty> {
    if a.is_optional() || b.is_optional() {
        return join(a.inner(), b.inner()).map(Ty::optional);
    }
    Some(match (a, b) {
        (Ty::Unknown, other) | (other, Ty::Unknown) => other.clone(),
        (Ty::Words(a), Ty::Words(b)) => Ty::Words(a.iter().chain(b).cloned().collect()),
        (Ty::Choice(a), Ty::Choice(b)) => Ty::Choice(a.iter().chain(b.iter().filter(|option| !a.contains(option))).cloned().collect()),
        (Ty::Words(_), other) | (other, Ty::Words(_)) if other.is_text_like() => other.clone(),
        (Ty::List(a), Ty::List(b)) => Ty::List(Box::new(join(a, b)?)),
        (a, b) if a == b => a.clone(),
        (a, b) if a.is_text_like() && b.is_text_like() => Ty::Text,
        _ => return None,
    })
}
