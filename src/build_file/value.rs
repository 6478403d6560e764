//! Values of fields, as declarations hold them. Values during evaluation are in `term`.

/// A Python value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string. Paths and names of target types become strings too.
    Str(String),
    /// A list. Sets become lists too.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dict, in insertion order.
    Dict(Vec<(Value, Value)>),
    /// An object. Boxed to keep `Value` small: objects are rare, and a graph holds a hundred thousand values.
    Object(Box<Object>),
}

/// A call of an object constructor: `python_artifact(…)`, `http_source(…)`, `parametrize(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The name of the constructor.
    pub kind: String,
    /// Positional arguments.
    pub positional: Vec<Value>,
    /// Keyword arguments, in the order written.
    pub named: Vec<(String, Value)>,
}

impl Object {
    /// A keyword argument.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// An object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The entries of a dict.
    pub fn as_dict(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Dict(entries) => Some(entries),
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

    /// The strings of a list or tuple. Items of other types are omitted; any other value has no strings.
    pub fn strings(&self) -> Vec<&str> {
        self.items().unwrap_or_default().iter().filter_map(Value::as_str).collect()
    }
}
