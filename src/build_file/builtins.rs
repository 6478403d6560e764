//! The functions that BUILD files can call without declaring them, and how values are walked through.

use std::rc::Rc;

use ruff_text_size::TextSize;

use crate::build_file::call::Named;
use crate::build_file::eval::{Eval, Evaluator, MAX_SIZE};
use crate::build_file::format;
use crate::build_file::term::{MAX_DEPTH, Object, Term};

pub const NAMES: &[&str] = &[
    "AssertionError",
    "AttributeError",
    "Exception",
    "IndexError",
    "KeyError",
    "LookupError",
    "NotImplementedError",
    "RuntimeError",
    "TypeError",
    "ValueError",
    "__defaults__",
    "__dependencies_rules__",
    "__dependents_rules__",
    "abs",
    "all",
    "any",
    "bool",
    "build_file_dir",
    "dict",
    "enumerate",
    "env",
    "filter",
    "float",
    "frozenset",
    "int",
    "isinstance",
    "len",
    "list",
    "map",
    "max",
    "min",
    "open",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
];

impl<'a> Evaluator<'a, '_> {
    pub fn builtin(
        &mut self,
        name: &'static str,
        positional: Vec<Term<'a>>,
        named: Named<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let first = positional.first().cloned();
        let option = |wanted: &str| named.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        match (name, first) {
            ("dict", first) => {
                let mut pairs = first.map_or(Ok(Vec::new()), |first| self.pairs_of(&first, at))?;
                pairs.extend(named.into_iter().map(|(name, value)| (Term::str(name), value)));
                Ok(Term::dict(pairs))
            }
            ("print", _) => Ok(Term::None),
            ("build_file_dir", _) => Ok(Term::Path(self.context.dir.to_string().into())),
            ("env", Some(Term::Str(variable))) => Ok(match (self.context.env)(&variable) {
                Some(value) => Term::str(value),
                None => positional.get(1).cloned().or_else(|| option("default")).unwrap_or(Term::None),
            }),
            ("open", Some(path)) => {
                let path = format::text(&path);
                let text = (self.context.open)(&path);
                let text = text.map_err(|why| self.error(at, format!("cannot open `{path}`: {why}")))?;
                self.sized(text.len(), at)?;
                Ok(Term::File(text.into()))
            }
            ("list", None) => Ok(Term::list(Vec::new())),
            ("tuple", None) => Ok(Term::tuple(Vec::new())),
            ("set" | "frozenset", None) => Ok(Term::set(Vec::new())),
            ("str", None) => Ok(Term::str("")),
            ("list", Some(of)) => Ok(Term::list(self.iterate(&of, at)?)),
            ("tuple", Some(of)) => Ok(Term::tuple(self.iterate(&of, at)?)),
            ("set" | "frozenset", Some(of)) => {
                let items = self.iterate(&of, at)?.into_iter().map(|item| self.hashable(item, at));
                Ok(Term::set(items.collect::<Eval<_>>()?))
            }
            ("reversed", Some(of)) => Ok(Term::list(self.iterate(&of, at)?.into_iter().rev().collect())),
            ("str", Some(of)) => Ok(Term::str(format::text(&of))),
            ("repr", Some(of)) => Ok(Term::str(format::repr(&of))),
            ("bool", Some(of)) => Ok(Term::Bool(of.truth())),
            ("int", Some(of)) => self.int(&of, at),
            ("float", Some(of)) => match (of.number(), &of) {
                (Some(value), _) => Ok(Term::Float(value)),
                (None, Term::Str(text)) if text.trim().parse::<f64>().is_ok() => {
                    Ok(Term::Float(text.trim().parse().unwrap_or_default()))
                }
                _ => Err(self.error(at, format!("{} is no number", format::repr(&of)))),
            },
            ("abs", Some(Term::Int(value))) => Ok(Term::Int(value.wrapping_abs())),
            ("abs", Some(Term::Float(value))) => Ok(Term::Float(value.abs())),
            ("round", Some(of)) if of.number().is_some() => {
                Ok(Term::Int(of.number().unwrap_or_default().round_ties_even() as i64))
            }
            ("len", Some(of)) => {
                let len = match &of {
                    Term::Dict(items) => items.len() / 2,
                    _ => self.iterate(&of, at)?.len(),
                };
                Ok(Term::Int(len as i64))
            }
            ("any", Some(of)) => Ok(Term::Bool(self.iterate(&of, at)?.iter().any(Term::truth))),
            ("all", Some(of)) => Ok(Term::Bool(self.iterate(&of, at)?.iter().all(Term::truth))),
            ("sum", Some(of)) => {
                let mut total = positional.get(1).cloned().or_else(|| option("start")).unwrap_or(Term::Int(0));
                for item in self.iterate(&of, at)? {
                    total = self.binary(ruff_python_ast::Operator::Add, total, item, at)?;
                }
                Ok(total)
            }
            ("sorted", Some(of)) => {
                let items = self.iterate(&of, at)?;
                let mut sorted = self.sort(items, option("key"), at)?;
                if option("reverse").is_some_and(|reverse| reverse.truth()) {
                    sorted.reverse();
                }
                Ok(Term::list(sorted))
            }
            ("min" | "max", Some(of)) => {
                let items = if positional.len() > 1 { positional } else { self.iterate(&of, at)? };
                let sorted = self.sort(items, option("key"), at)?;
                let found = if name == "min" { sorted.first() } else { sorted.last() };
                let found = found.cloned().or_else(|| option("default"));
                found.ok_or_else(|| self.error(at, format!("`{name}()` of nothing")))
            }
            ("range", Some(_)) => self.range(&positional, at),
            ("enumerate", Some(of)) => {
                let start = match positional.get(1).cloned().or_else(|| option("start")) {
                    Some(Term::Int(start)) => start,
                    _ => 0,
                };
                let items = self.iterate(&of, at)?.into_iter().zip(start..);
                Ok(Term::list(items.map(|(item, index)| Term::tuple(vec![Term::Int(index), item])).collect()))
            }
            ("zip", _) => {
                let lists = positional.iter().map(|of| self.iterate(of, at)).collect::<Eval<Vec<_>>>()?;
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
                let row = |index: usize| Term::tuple(lists.iter().map(|list| list[index].clone()).collect());
                Ok(Term::list((0..shortest).map(row).collect()))
            }
            ("map", Some(function)) => {
                let lists = positional[1..].iter().map(|of| self.iterate(of, at)).collect::<Eval<Vec<_>>>()?;
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
                let mut mapped = Vec::with_capacity(shortest);
                for index in 0..shortest {
                    let arguments = lists.iter().map(|list| list[index].clone()).collect();
                    mapped.push(self.apply(&function, arguments, Vec::new(), at)?);
                }
                Ok(Term::list(mapped))
            }
            ("filter", Some(function)) if positional.len() == 2 => {
                let mut kept = Vec::new();
                for item in self.iterate(&positional[1], at)? {
                    let keep = match function {
                        Term::None => item.truth(),
                        _ => self.apply(&function, vec![item.clone()], Vec::new(), at)?.truth(),
                    };
                    if keep {
                        kept.push(item);
                    }
                }
                Ok(Term::list(kept))
            }
            ("isinstance", Some(of)) if positional.len() == 2 => {
                let kinds = match &positional[1] {
                    Term::Tuple(kinds) => kinds.to_vec(),
                    kind => vec![kind.clone()],
                };
                Ok(Term::Bool(kinds.iter().any(|kind| format::text(kind) == of.type_name())))
            }
            ("type", Some(of)) => match NAMES.iter().find(|name| **name == of.type_name()) {
                Some(name) => Ok(Term::Builtin(name)),
                None => Ok(Term::None),
            },
            (name, _) if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
                Ok(Term::Object(Rc::new(Object { kind: name.to_owned(), positional, named })))
            }
            _ => Err(self.error(at, format!("`{name}()` does not take these arguments"))),
        }
    }

    fn int(&mut self, of: &Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let value = match of {
            Term::Str(text) => text.trim().replace('_', "").parse().ok(),
            Term::Float(value) => Some(*value as i64),
            Term::Int(value) => Some(*value),
            Term::Bool(value) => Some(i64::from(*value)),
            _ => None,
        };
        value.map(Term::Int).ok_or_else(|| self.error(at, format!("{} is no whole number", format::repr(of))))
    }

    fn range(&mut self, bounds: &[Term<'a>], at: TextSize) -> Eval<'a, Term<'a>> {
        let (start, stop, step) = match bounds {
            [Term::Int(stop)] => (0, *stop, 1),
            [Term::Int(start), Term::Int(stop)] => (*start, *stop, 1),
            [Term::Int(start), Term::Int(stop), Term::Int(step)] if *step != 0 => (*start, *stop, *step),
            _ => return Err(self.error(at, "`range()` takes one to three whole numbers, the last not zero")),
        };
        let mut items = Vec::new();
        let mut next = start;
        while (step > 0 && next < stop) || (step < 0 && next > stop) {
            if items.len() >= MAX_SIZE {
                self.sized(items.len() + 1, at)?;
            }
            items.push(Term::Int(next));
            next = next.saturating_add(step);
        }
        Ok(Term::list(items))
    }

    fn sort(&mut self, items: Vec<Term<'a>>, key: Option<Term<'a>>, at: TextSize) -> Eval<'a, Vec<Term<'a>>> {
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let by = match &key {
                None | Some(Term::None) => item.clone(),
                Some(key) => self.apply(key, vec![item.clone()], Vec::new(), at)?,
            };
            keyed.push((by, item));
        }
        if let Some((first, _)) = keyed.first()
            && keyed.iter().any(|(by, _)| by.compare(first).is_none())
        {
            return Err(self.error(at, "these values have no order"));
        }
        // What has no order after all stands as equal; the order is then not Python's, but it is some order.
        keyed.sort_by(|(left, _), (right, _)| left.compare(right).unwrap_or(std::cmp::Ordering::Equal));
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }

    fn pairs_of(&mut self, of: &Term<'a>, at: TextSize) -> Eval<'a, Vec<(Term<'a>, Term<'a>)>> {
        if matches!(of, Term::Dict(_) | Term::Object(_)) {
            return self.mapping(of, 0, at);
        }
        let mut pairs = Vec::new();
        for pair in self.iterate(of, at)? {
            match self.iterate(&pair, at)?.as_slice() {
                [key, value] => pairs.push((self.hashable(key.clone(), at)?, value.clone())),
                _ => return Err(self.error(at, "`dict()` takes pairs")),
            }
        }
        Ok(pairs)
    }

    pub fn iterate(&mut self, of: &Term<'a>, at: TextSize) -> Eval<'a, Vec<Term<'a>>> {
        let items = match of {
            Term::List(items) | Term::Tuple(items) | Term::Set(items) => items.to_vec(),
            Term::Dict(items) => items.pairs().into_iter().map(|(key, _)| key).collect(),
            Term::Str(text) => text.chars().map(|char| Term::str(char.to_string())).collect(),
            Term::File(text) => text.split_inclusive('\n').map(Term::str).collect(),
            _ => return Err(self.error(at, format!("a {} cannot be walked through", of.type_name()))),
        };
        // Work on many items counts as many steps, so that loops over long lists end.
        for _ in 0..items.len() / 16 {
            self.step(at)?;
        }
        Ok(items)
    }

    /// Lets pass what can be a key of a dict or an item of a set.
    pub fn hashable(&self, term: Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        if !is_hashable(&term, 0) {
            return Err(self.error(at, format!("a {} cannot be a key, nor an item of a set", term.type_name())));
        }
        Ok(term)
    }
}

fn is_hashable(term: &Term<'_>, depth: usize) -> bool {
    match term {
        Term::List(_) | Term::Dict(_) | Term::Set(_) => false,
        Term::Tuple(items) => depth < MAX_DEPTH && items.0.borrow().iter().all(|item| is_hashable(item, depth + 1)),
        _ => true,
    }
}
