//! What a template reads, through loops and through names of its own too: `{% for t in branches.assignment %}{{ t.unit }}` reads
//! `branches.assignment[].unit`. Whether such a name means anything is left to the check.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, ForLoop, Stmt};
use std::collections::{BTreeSet, HashMap};

/// A value that a template reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameRead {
    /// With its dots, from a view on: `item.number`; `[]` stands for any entry of a list.
    pub name: String,
    /// As the template spells it.
    pub written: String,
    /// All that is in it may be shown, not only the number of its entries or what is asked of it by name.
    pub whole: bool,
}

/// Everything that a parsed template reads. `globals` are names that are always there.
pub fn reads(template: &Stmt, globals: &[&str]) -> Vec<NameRead> {
    let mut reading = Reading { globals, scopes: vec![HashMap::new()], found: BTreeSet::new() };
    reading.statement(template);
    reading.found.into_iter().collect()
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    At(String),
    /// What `groupby` makes of a list: pairs of a value and the entries that have it.
    Groups(String),
    /// One such pair.
    Group(String),
}

struct Reading<'a> {
    globals: &'a [&'a str],
    /// The template's own names, the innermost last; without an origin they hold something computed.
    scopes: Vec<HashMap<&'a str, Vec<Origin>>>,
    found: BTreeSet<NameRead>,
}

impl<'a> Reading<'a> {
    fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(shown) => drop(self.value(&shown.expr, true)),
            Stmt::ForLoop(repeated) => self.repeated(repeated),
            Stmt::IfCond(condition) => {
                self.value(&condition.expr, false);
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            Stmt::Set(set) => {
                let origins = self.value(&set.expr, false);
                self.bind(&set.target, origins);
            }
            Stmt::SetBlock(block) => {
                self.inside(&block.body, |_| {});
                self.bind(&block.target, Vec::new());
            }
            Stmt::WithBlock(with) => self.inside(&with.body, |reading| {
                for (target, value) in &with.assignments {
                    let origins = reading.value(value, false);
                    reading.bind(target, origins);
                }
            }),
            Stmt::FilterBlock(block) => {
                self.value(&block.filter, true);
                self.statements(&block.body);
            }
            Stmt::AutoEscape(block) => self.statements(&block.body),
            // Raw text, and statements that wording may not use.
            _ => {}
        }
    }

    fn statements(&mut self, statements: &[Stmt<'a>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn inside(&mut self, body: &[Stmt<'a>], names: impl FnOnce(&mut Self)) {
        self.scopes.push(HashMap::new());
        names(self);
        self.statements(body);
        self.scopes.pop();
    }

    fn repeated(&mut self, repeated: &ForLoop<'a>) {
        let list = self.value(&repeated.iter, false);
        self.inside(&repeated.body, |reading| {
            reading.bind_name("loop", Vec::new());
            reading.bind(&repeated.target, entries(&list));
            reading.values(repeated.filter_expr.iter(), false);
        });
        self.statements(&repeated.else_body);
    }

    /// A name of the template's own. Set on several ways, it may hold what any of them gave it.
    fn bind(&mut self, target: &Expr<'a>, origins: Vec<Origin>) {
        match target {
            Expr::Var(name) => self.bind_name(name.id, origins),
            Expr::List(names) => self.bind_parts(&names.items, &origins),
            Expr::Tuple(names) => self.bind_parts(&names.items, &origins),
            _ => {}
        }
    }

    fn bind_parts(&mut self, names: &[Expr<'a>], origins: &[Origin]) {
        for (index, name) in names.iter().enumerate() {
            let entries = origins.iter().filter_map(|origin| match origin {
                Origin::Group(list) if index == 1 => Some(Origin::At(list.clone())),
                _ => None,
            });
            self.bind(name, entries.collect());
        }
    }

    fn bind_name(&mut self, name: &'a str, origins: Vec<Origin>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.entry(name).or_default().extend(origins);
        }
    }

    fn values<'e>(&mut self, exprs: impl Iterator<Item = &'e Expr<'a>>, whole: bool)
    where
        'a: 'e,
    {
        exprs.for_each(|expr| _ = self.value(expr, whole));
    }

    /// Notes what an expression reads and gives where its value comes from. `whole`: whatever is in the value may be shown.
    fn value(&mut self, expr: &Expr<'a>, whole: bool) -> Vec<Origin> {
        match expr {
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Slice(_) => {
                let (origins, written) = self.chain(expr);
                self.note(&origins, &written, whole);
                origins
            }
            Expr::Filter(filter) => self.filtered(filter.name, filter.expr.as_ref(), &filter.args, whole),
            Expr::IfExpr(either) => {
                self.value(&either.test_expr, false);
                let mut origins = self.value(&either.true_expr, whole);
                origins.extend(either.false_expr.iter().flat_map(|other| self.value(other, whole)).collect::<Vec<_>>());
                origins
            }
            Expr::BinOp(pair) if matches!(pair.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                let mut origins = self.value(&pair.left, whole);
                origins.extend(self.value(&pair.right, whole));
                origins
            }
            Expr::BinOp(pair) => {
                self.values([&pair.left, &pair.right].into_iter(), true);
                Vec::new()
            }
            Expr::Compare(compared) => {
                self.values(std::iter::once(&compared.expr).chain(compared.ops.iter().map(|other| &other.expr)), true);
                Vec::new()
            }
            Expr::UnaryOp(inner) => {
                self.value(&inner.expr, false);
                Vec::new()
            }
            Expr::Test(test) => {
                self.value(&test.expr, false);
                self.arguments(&test.args);
                Vec::new()
            }
            Expr::Call(call) => {
                match &call.expr {
                    Expr::GetAttr(method) => self.value(&method.expr, true),
                    function => self.value(function, true),
                };
                self.arguments(&call.args);
                Vec::new()
            }
            Expr::List(list) => {
                self.values(list.items.iter(), true);
                Vec::new()
            }
            Expr::Tuple(list) => {
                self.values(list.items.iter(), true);
                Vec::new()
            }
            Expr::Map(map) => {
                self.values(map.keys.iter().chain(&map.values), true);
                Vec::new()
            }
            Expr::Const(_) => Vec::new(),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'a>]) {
        for argument in arguments {
            let (CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr)) = argument;
            self.value(expr, true);
        }
    }

    /// `a.b["c"][0]` without noting what is only passed through.
    fn chain(&mut self, expr: &Expr<'a>) -> (Vec<Origin>, String) {
        match expr {
            Expr::Var(variable) => {
                let own = self.scopes.iter().rev().find_map(|scope| scope.get(variable.id)).cloned();
                let origins = own.unwrap_or_else(|| match self.globals.contains(&variable.id) {
                    true => Vec::new(),
                    false => vec![Origin::At(variable.id.to_string())],
                });
                (origins, variable.id.to_string())
            }
            Expr::GetAttr(part) => {
                let (origins, written) = self.chain(&part.expr);
                (parts(&origins, part.name), if written.is_empty() { part.name.to_string() } else { format!("{written}.{}", part.name) })
            }
            Expr::GetItem(part) => {
                let (origins, written) = self.chain(&part.expr);
                match constant(&part.subscript_expr) {
                    Some(name) => (parts(&origins, &name), written),
                    None => {
                        self.value(&part.subscript_expr, true);
                        (entries(&origins), written)
                    }
                }
            }
            Expr::Slice(slice) => {
                self.values([&slice.start, &slice.stop, &slice.step].into_iter().flatten(), true);
                self.chain(&slice.expr)
            }
            other => (self.value(other, false), String::new()),
        }
    }

    fn filtered(&mut self, filter: &str, value: Option<&Expr<'a>>, arguments: &[CallArg<'a>], whole: bool) -> Vec<Origin> {
        let by_name = matches!(filter, "selectattr" | "rejectattr" | "groupby" | "attr");
        let attribute = arguments.iter().find_map(|argument| match argument {
            CallArg::Kwarg("attribute", expr) => Some(expr),
            _ => None,
        });
        let attribute = attribute.or_else(|| match arguments.first() {
            Some(CallArg::Pos(expr)) if by_name => Some(expr),
            _ => None,
        });
        let shown = match filter {
            "length" | "count" | "groupby" => false,
            "sort" | "list" | "reverse" | "select" | "reject" | "selectattr" | "rejectattr" | "unique" | "default" | "d" | "first"
            | "last" | "min" | "max" => whole,
            "map" | "attr" => attribute.is_none(),
            _ => true,
        };
        let origins = value.map(|value| self.value(value, shown)).unwrap_or_default();
        self.arguments(arguments);
        let of_entry = if filter == "attr" { origins.clone() } else { entries(&origins) };
        let picked = attribute.map(|attribute| match constant(attribute) {
            Some(name) => {
                let picked = parts(&of_entry, &name);
                self.note(&picked, &name, true);
                picked
            }
            None => {
                self.note(&of_entry, "", true);
                Vec::new()
            }
        });
        match filter {
            "sort" | "list" | "reverse" | "select" | "reject" | "selectattr" | "rejectattr" | "unique" => origins,
            "default" | "d" => {
                let instead = arguments.iter().filter_map(|argument| if let CallArg::Pos(expr) = argument { Some(expr) } else { None });
                origins.into_iter().chain(instead.flat_map(|expr| self.value(expr, whole)).collect::<Vec<_>>()).collect()
            }
            "first" | "last" | "min" | "max" => of_entry,
            "attr" => picked.unwrap_or_default(),
            "groupby" => origins
                .iter()
                .filter_map(|origin| if let Origin::At(list) = origin { Some(list) } else { None })
                .cloned()
                .map(Origin::Groups)
                .collect(),
            _ => Vec::new(),
        }
    }

    fn note(&mut self, origins: &[Origin], written: &str, whole: bool) {
        for origin in origins {
            let (Origin::At(name) | Origin::Groups(name) | Origin::Group(name)) = origin;
            self.found.insert(NameRead { name: name.clone(), written: written.to_string(), whole });
        }
    }
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Const(constant) => constant.value.as_str().map(str::to_string),
        _ => None,
    }
}

fn parts(origins: &[Origin], name: &str) -> Vec<Origin> {
    let part = |origin: &Origin| match origin {
        Origin::At(of) => Some(Origin::At(format!("{of}.{name}"))),
        Origin::Group(list) if name == "list" => Some(Origin::At(list.clone())),
        Origin::Groups(_) | Origin::Group(_) => None,
    };
    origins.iter().filter_map(part).collect()
}

fn entries(origins: &[Origin]) -> Vec<Origin> {
    let entry = |origin: &Origin| match origin {
        Origin::At(list) => Some(Origin::At(format!("{list}[]"))),
        Origin::Groups(list) => Some(Origin::Group(list.clone())),
        Origin::Group(_) => None,
    };
    origins.iter().filter_map(entry).collect()
}
