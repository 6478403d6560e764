//! What a BUILD file's expressions evaluate to.

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    /// In the order written.
    Dict(Vec<(Value, Value)>),
    /// Boxed: few values are one, and a repository's graph has a hundred thousand values.
    Object(Box<Object>),
}

/// A call of an object constructor: `python_artifact(…)`, `http_source(…)`, `parametrize(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: String,
    pub positional: Vec<Value>,
    pub named: Vec<(String, Value)>,
}

impl Value {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list or tuple.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The strings of a list or tuple; what is no string is left out.
    pub fn strings(&self) -> Vec<&str> {
        self.items().unwrap_or_default().iter().filter_map(Value::as_str).collect()
    }
}
