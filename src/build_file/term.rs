//! The values of the evaluator. Unlike `Value`, they are mutable and callable, and live for one evaluation only.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::str::FromStr;

use ruff_python_ast::{Expr, Parameters, Stmt};
use uv_pep440::Version;

use crate::build_file::source::Source;
use crate::build_file::value::{self, Value};

/// Nesting limit for comparing, printing and converting values.
pub(super) const MAX_DEPTH: usize = 64;

/// A value during evaluation.
#[derive(Clone)]
pub(super) enum Term<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    List(Rc<Items<'a>>),
    Tuple(Rc<Items<'a>>),
    Set(Rc<Items<'a>>),
    /// Keys and values alternate.
    Dict(Rc<Items<'a>>),
    Object(Rc<Object<'a>>),
    /// A path, as `build_file_dir()` returns it.
    Path(Rc<str>),
    /// An open file, as `open()` returns it: its whole text.
    File(Rc<str>),
    /// A release of Pants, which compares with strings by the order of versions.
    Version(Rc<str>),
    /// The name of a target type or object constructor.
    Symbol(Rc<str>),
    Builtin(&'static str),
    Method(Rc<(Term<'a>, &'a str)>),
    Function(Rc<Function<'a>>),
}

/// The items of a container. They are dropped without recursion, since a loop can nest lists to any depth.
#[derive(Default)]
pub(super) struct Items<'a>(pub RefCell<Vec<Term<'a>>>);

/// A call of an object constructor.
pub(super) struct Object<'a> {
    pub kind: String,
    pub positional: Vec<Term<'a>>,
    pub named: Vec<(String, Term<'a>)>,
}

/// A function or lambda of the file or of a prelude.
pub(super) struct Function<'a> {
    pub source: &'a Source,
    pub name: &'a str,
    pub parameters: Option<&'a Parameters>,
    pub defaults: BTreeMap<&'a str, Term<'a>>,
    pub body: Body<'a>,
    pub frame: Rc<Frame<'a>>,
}

/// The body of a function or lambda.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Statements(&'a [Stmt]),
    Expression(&'a Expr),
}

/// The names of one scope, and its enclosing scope.
#[derive(Default)]
pub(super) struct Frame<'a> {
    pub names: RefCell<BTreeMap<String, Term<'a>>>,
    pub parent: Option<Rc<Frame<'a>>>,
}

impl<'a> Frame<'a> {
    pub(super) fn inside(parent: &Rc<Frame<'a>>) -> Rc<Frame<'a>> {
        Rc::new(Frame { names: RefCell::default(), parent: Some(Rc::clone(parent)) })
    }

    pub(super) fn get(&self, name: &str) -> Option<Term<'a>> {
        let mut frame = Some(self);
        while let Some(here) = frame {
            if let Some(term) = here.names.borrow().get(name) {
                return Some(term.clone());
            }
            frame = here.parent.as_deref();
        }
        None
    }

    pub(super) fn set(&self, name: &str, term: Term<'a>) {
        self.names.borrow_mut().insert(name.to_owned(), term);
    }
}

impl Drop for Items<'_> {
    fn drop(&mut self) {
        let mut rest = std::mem::take(self.0.get_mut());
        while let Some(term) = rest.pop() {
            if let Term::List(items) | Term::Tuple(items) | Term::Set(items) | Term::Dict(items) = term
                && let Some(mut items) = Rc::into_inner(items)
            {
                rest.append(items.0.get_mut());
            }
        }
    }
}

impl<'a> Items<'a> {
    pub(super) fn from_vec(items: Vec<Term<'a>>) -> Rc<Items<'a>> {
        Rc::new(Items(RefCell::new(items)))
    }

    pub(super) fn to_vec(&self) -> Vec<Term<'a>> {
        self.0.borrow().clone()
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn contains(&self, term: &Term<'a>) -> bool {
        self.0.borrow().iter().any(|item| item.equals(term))
    }

    /// The keys and values of a dict.
    pub(super) fn pairs(&self) -> Vec<(Term<'a>, Term<'a>)> {
        self.0.borrow().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    pub(super) fn value_of(&self, key: &Term<'a>) -> Option<Term<'a>> {
        self.0.borrow().chunks_exact(2).find(|pair| pair[0].equals(key)).map(|pair| pair[1].clone())
    }

    pub(super) fn put(&self, key: Term<'a>, value: Term<'a>) {
        let mut items = self.0.borrow_mut();
        match items.chunks_exact_mut(2).find(|pair| pair[0].equals(&key)) {
            Some(pair) => pair[1] = value,
            None => items.extend([key, value]),
        }
    }

    pub(super) fn remove_key(&self, key: &Term<'a>) -> Option<Term<'a>> {
        let mut items = self.0.borrow_mut();
        let at = items.chunks_exact(2).position(|pair| pair[0].equals(key))?;
        items.drain(at * 2..at * 2 + 2).next_back()
    }
}

impl<'a> Term<'a> {
    pub(super) fn str(text: impl Into<Rc<str>>) -> Term<'a> {
        Term::Str(text.into())
    }

    pub(super) fn list(items: Vec<Term<'a>>) -> Term<'a> {
        Term::List(Items::from_vec(items))
    }

    pub(super) fn tuple(items: Vec<Term<'a>>) -> Term<'a> {
        Term::Tuple(Items::from_vec(items))
    }

    pub(super) fn set(items: Vec<Term<'a>>) -> Term<'a> {
        let set = Items::default();
        for item in items {
            if !set.contains(&item) {
                set.0.borrow_mut().push(item);
            }
        }
        Term::Set(Rc::new(set))
    }

    pub(super) fn dict(pairs: Vec<(Term<'a>, Term<'a>)>) -> Term<'a> {
        let dict = Items::default();
        for (key, value) in pairs {
            dict.put(key, value);
        }
        Term::Dict(Rc::new(dict))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Term::None => "None",
            Term::Bool(_) => "bool",
            Term::Int(_) => "int",
            Term::Float(_) => "float",
            Term::Str(_) => "str",
            Term::List(_) => "list",
            Term::Tuple(_) => "tuple",
            Term::Set(_) => "set",
            Term::Dict(_) => "dict",
            Term::Object(_) => "object",
            Term::Path(_) => "path",
            Term::File(_) => "file",
            Term::Version(_) => "version",
            Term::Symbol(_) => "target type",
            Term::Builtin(_) | Term::Method(_) | Term::Function(_) => "function",
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Term::None => false,
            Term::Bool(value) => *value,
            Term::Int(value) => *value != 0,
            Term::Float(value) => *value != 0.0,
            Term::Str(text) => !text.is_empty(),
            Term::List(items) | Term::Tuple(items) | Term::Set(items) | Term::Dict(items) => items.len() > 0,
            _ => true,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Term::Bool(value) => Some(f64::from(u8::from(*value))),
            Term::Int(value) => Some(*value as f64),
            Term::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn equals(&self, other: &Term<'a>) -> bool {
        equal(self, other, 0)
    }

    pub(super) fn compare(&self, other: &Term<'a>) -> Option<Ordering> {
        compare(self, other, 0)
    }

    /// Converts the term to a value of a declaration. `None` for functions and for terms beyond the nesting limit.
    pub(super) fn to_value(&self) -> Option<Value> {
        to_value(self, 0)
    }
}

fn equal<'a>(left: &Term<'a>, right: &Term<'a>, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let all = |left: &Items<'a>, right: &Items<'a>| {
        let (left, right) = (left.0.borrow(), right.0.borrow());
        left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| equal(left, right, depth + 1))
    };
    match (left, right) {
        (Term::None, Term::None) => true,
        (Term::Str(left), Term::Str(right)) | (Term::Path(left), Term::Path(right)) => left == right,
        (Term::Symbol(left), Term::Symbol(right)) => left == right,
        (Term::Version(left), Term::Version(right) | Term::Str(right)) => {
            compare_versions(left, right).is_some_and(Ordering::is_eq)
        }
        (Term::Str(left), Term::Version(right)) => compare_versions(left, right).is_some_and(Ordering::is_eq),
        (Term::List(left), Term::List(right)) | (Term::Tuple(left), Term::Tuple(right)) => all(left, right),
        (Term::Set(left), Term::Set(right)) => {
            left.len() == right.len() && left.to_vec().iter().all(|item| right.contains(item))
        }
        (Term::Dict(left), Term::Dict(right)) => {
            let same = |(key, value): &(Term<'a>, Term<'a>)| {
                right.value_of(key).is_some_and(|other| equal(value, &other, depth + 1))
            };
            left.len() == right.len() && left.pairs().iter().all(same)
        }
        (Term::Int(left), Term::Int(right)) => left == right,
        _ => matches!((left.number(), right.number()), (Some(left), Some(right)) if left == right),
    }
}

fn compare<'a>(left: &Term<'a>, right: &Term<'a>, depth: usize) -> Option<Ordering> {
    if depth > MAX_DEPTH {
        return None;
    }
    match (left, right) {
        (Term::Str(left), Term::Str(right)) | (Term::Path(left), Term::Path(right)) => Some(left.cmp(right)),
        (Term::Int(left), Term::Int(right)) => Some(left.cmp(right)),
        (Term::Version(left), Term::Version(right) | Term::Str(right)) => compare_versions(left, right),
        (Term::Str(left), Term::Version(right)) => compare_versions(left, right),
        (Term::List(left), Term::List(right)) | (Term::Tuple(left), Term::Tuple(right)) => {
            let (left, right) = (left.0.borrow(), right.0.borrow());
            for (left, right) in left.iter().zip(right.iter()) {
                let order = compare(left, right, depth + 1)?;
                if order.is_ne() {
                    return Some(order);
                }
            }
            Some(left.len().cmp(&right.len()))
        }
        _ => left.number()?.partial_cmp(&right.number()?),
    }
}

/// The order of two versions (PEP 440). `None` if one is invalid.
fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    Some(Version::from_str(left).ok()?.cmp(&Version::from_str(right).ok()?))
}

fn to_value(term: &Term<'_>, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let values = |items: &[Term<'_>]| items.iter().map(|item| to_value(item, depth + 1)).collect::<Option<Vec<_>>>();
    Some(match term {
        Term::None => Value::None,
        Term::Bool(value) => Value::Bool(*value),
        Term::Int(value) => Value::Int(*value),
        Term::Float(value) => Value::Float(*value),
        Term::Str(text) | Term::Path(text) | Term::File(text) | Term::Version(text) | Term::Symbol(text) => {
            Value::Str(text.to_string())
        }
        Term::List(items) | Term::Set(items) => Value::List(values(&items.0.borrow())?),
        Term::Tuple(items) => Value::Tuple(values(&items.0.borrow())?),
        Term::Dict(items) => {
            let pairs = items.pairs();
            let pair =
                |(key, value): &(Term<'_>, Term<'_>)| Some((to_value(key, depth + 1)?, to_value(value, depth + 1)?));
            Value::Dict(pairs.iter().map(pair).collect::<Option<_>>()?)
        }
        Term::Object(object) => {
            let named = object.named.iter();
            let named = named.map(|(name, value)| Some((name.clone(), to_value(value, depth + 1)?)));
            Value::Object(Box::new(value::Object {
                kind: object.kind.clone(),
                positional: values(&object.positional)?,
                named: named.collect::<Option<_>>()?,
            }))
        }
        Term::Builtin(_) | Term::Method(_) | Term::Function(_) => return None,
    })
}
