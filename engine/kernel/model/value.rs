//! What a field, an input or a param holds, and the types that the language knows.

use super::Name;
use crate::kernel::time::{Date, Length};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Values by name: the fields of an item or a branch, or the input of an action.
pub type Fields = BTreeMap<Name, Value>;

/// One value. Persons, units, files and options of a choice are texts (their identifiers).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Empty,
    Bool(bool),
    Number(i64),
    Text(Name),
    Date(Date),
    Length(Length),
    List(Vec<Value>),
    Record(Fields),
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Empty)
    }

    pub fn as_text(&self) -> Option<&Name> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_date(&self) -> Option<Date> {
        match self {
            Value::Date(date) => Some(*date),
            _ => None,
        }
    }

    pub fn as_list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            _ => &[],
        }
    }
}

/// The JSON form is self-describing: dates are `{"$date": "2026-02-28"}` and lengths `{"$length": "3 months"}`, all else is plain JSON.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match self {
            Value::Empty => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(value) => serializer.serialize_i64(*value),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(list) => serializer.collect_seq(list),
            Value::Record(fields) => serializer.collect_map(fields),
            Value::Date(date) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$date", &date.to_string())?;
                map.end()
            }
            Value::Length(length) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$length", &length.to_string())?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        from_json(json).map_err(serde::de::Error::custom)
    }
}

fn from_json(json: serde_json::Value) -> Result<Value, String> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::Empty,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Number(number.as_i64().ok_or_else(|| format!("`{number}` is not a whole number"))?),
        Json::String(text) => Value::Text(text.into()),
        Json::Array(list) => Value::List(list.into_iter().map(from_json).collect::<Result<_, _>>()?),
        Json::Object(map) => {
            if let (1, Some(Json::String(text))) = (map.len(), map.get("$date")) {
                return text.parse().map(Value::Date).map_err(|_| format!("`{text}` is not a date"));
            }
            if let (1, Some(Json::String(text))) = (map.len(), map.get("$length")) {
                return Length::parse(text).map(Value::Length).ok_or_else(|| format!("`{text}` is not a length"));
            }
            Value::Record(map.into_iter().map(|(name, value)| Ok((name.into(), from_json(value)?))).collect::<Result<_, String>>()?)
        }
    })
}

/// The type of a field, an input, a param, an expression, or a parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    YesNo,
    Number,
    Text,
    /// One of the options, in declared order: the last one is the worst.
    Choice(Vec<Name>),
    Date,
    /// A calendar year, held as a number.
    Year,
    Duration,
    Person,
    Unit,
    File,
    List(Box<Type>),
    /// The fields of a branch of this kind, as an entry of `KIND_list`.
    Record(Name),
    /// A branch of this kind in the same item, held by its number.
    Branch(Name),
    /// Another item, held by its id.
    Item,
    /// A value that may be absent (only in expressions and in `takes`).
    Optional(Box<Type>),
    /// The views that functions may take.
    ItemView,
    TaskView(Name),
    InputView(Name),
    DueView,
    BranchesView,
    ActorView,
    ParamView,
}

impl Type {
    /// The type of what may be absent; of anything else itself.
    pub fn inner(&self) -> &Type {
        match self {
            Type::Optional(kind) => kind.inner(),
            kind => kind,
        }
    }

    /// What one entry is, of a list or of what may be absent; of anything else itself.
    pub fn entry(&self) -> &Type {
        match self {
            Type::List(entry) | Type::Optional(entry) => entry.entry(),
            other => other,
        }
    }
}
