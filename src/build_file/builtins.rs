//! The built-in functions that BUILD files can call, and iteration over values. Methods are in `methods` and `strings`.

use std::rc::Rc;

use ruff_text_size::TextSize;

use crate::build_file::call::NamedArguments;
use crate::build_file::eval::{Eval, Evaluator, MAX_SIZE};
use crate::build_file::format;
use crate::build_file::term::{MAX_DEPTH, Object, Term};

/// Names that evaluate to a built-in function, type or exception. Sorted.
pub(super) const BUILTIN_NAMES: &[&str] = &[
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

/// The evaluated arguments of one call.
struct CallArguments<'a> {
    positional: Vec<Term<'a>>,
    named: NamedArguments<'a>,
}

impl<'a> CallArguments<'a> {
    /// The keyword argument `name`.
    fn keyword(&self, name: &str) -> Option<Term<'a>> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The positional argument at `index`, or the keyword argument `name`.
    fn at(&self, index: usize, name: &str) -> Option<Term<'a>> {
        self.positional.get(index).cloned().or_else(|| self.keyword(name))
    }
}

impl<'a> Evaluator<'a, '_> {
    /// Calls a built-in function. Exception types make an object that `raise` can report.
    pub(super) fn builtin(
        &mut self,
        name: &'static str,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Ok(Term::Object(Rc::new(Object { kind: name.to_owned(), positional, named })));
        }
        let arguments = CallArguments { positional, named };
        if let Some(value) = self.call_context_function(name, &arguments, at)? {
            return Ok(value);
        }
        if let Some(value) = self.convert(name, &arguments, at)? {
            return Ok(value);
        }
        if let Some(value) = self.fold(name, &arguments, at)? {
            return Ok(value);
        }
        let value = self.map(name, &arguments, at)?;
        value.ok_or_else(|| self.needs_python(at, format!("`{name}()` is not supported with these arguments")))
    }

    /// Built-ins that use the evaluation context: environment variables, files, the current directory.
    fn call_context_function(
        &mut self,
        name: &str,
        arguments: &CallArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Option<Term<'a>>> {
        Ok(Some(match (name, arguments.positional.first()) {
            ("print", _) => Term::None,
            ("build_file_dir", _) => Term::Path(self.context.dir.to_string().into()),
            ("env", Some(Term::Str(variable))) => match (self.context.env)(variable) {
                Some(value) => Term::str(value),
                None => arguments.at(1, "default").unwrap_or(Term::None),
            },
            ("open", Some(path)) => {
                let path = format::text(path);
                let text = (self.context.open)(&path);
                let text = text.map_err(|why| self.error(at, format!("cannot open `{path}`: {why}")))?;
                self.check_size(text.len(), at)?;
                Term::File(text.into())
            }
            _ => return Ok(None),
        }))
    }

    /// Built-ins that convert one value to another type.
    fn convert(&mut self, name: &str, arguments: &CallArguments<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        Ok(Some(match (name, arguments.positional.first()) {
            ("dict", first) => {
                let mut pairs = first.map_or(Ok(Vec::new()), |first| self.collect_pairs(first, at))?;
                pairs.extend(arguments.named.iter().map(|(name, value)| (Term::str(name.as_str()), value.clone())));
                Term::dict(pairs)
            }
            ("list", None) => Term::list(Vec::new()),
            ("tuple", None) => Term::tuple(Vec::new()),
            ("set" | "frozenset", None) => Term::set(Vec::new()),
            ("str", None) => Term::str(""),
            ("list", Some(subject)) => Term::list(self.iterate(subject, at)?),
            ("tuple", Some(subject)) => Term::tuple(self.iterate(subject, at)?),
            ("set" | "frozenset", Some(subject)) => {
                let items = self.iterate(subject, at)?.into_iter().map(|item| self.check_hashable(item, at));
                Term::set(items.collect::<Eval<_>>()?)
            }
            ("str", Some(subject)) if arguments.positional.len() == 1 => Term::str(format::text(subject)),
            ("repr", Some(subject)) => Term::str(format::repr(subject)),
            ("bool", Some(subject)) => Term::Bool(subject.truth()),
            ("int", Some(subject)) if arguments.positional.len() == 1 && arguments.named.is_empty() => {
                self.int(subject, at)?
            }
            ("float", Some(subject)) => self.float(subject, at)?,
            ("abs", Some(Term::Int(value))) => Term::Int(value.wrapping_abs()),
            ("abs", Some(Term::Float(value))) => Term::Float(value.abs()),
            ("round", Some(subject)) if arguments.positional.len() == 1 => match subject.number() {
                Some(value) => Term::Int(value.round_ties_even() as i64),
                None => return Ok(None),
            },
            ("type", Some(subject)) => {
                let builtin = BUILTIN_NAMES.iter().find(|name| **name == subject.type_name());
                builtin.map_or(Term::None, |name| Term::Builtin(name))
            }
            _ => return Ok(None),
        }))
    }

    /// Built-ins that reduce several values to one.
    fn fold(&mut self, name: &str, arguments: &CallArguments<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        let Some(subject) = arguments.positional.first() else { return Ok(None) };
        Ok(Some(match name {
            "len" => match subject {
                Term::Dict(items) => Term::Int(items.len() as i64 / 2),
                _ => Term::Int(self.iterate(subject, at)?.len() as i64),
            },
            "any" => Term::Bool(self.iterate(subject, at)?.iter().any(Term::truth)),
            "all" => Term::Bool(self.iterate(subject, at)?.iter().all(Term::truth)),
            "sum" => {
                let mut total = arguments.at(1, "start").unwrap_or(Term::Int(0));
                for item in self.iterate(subject, at)? {
                    total = self.binary(ruff_python_ast::Operator::Add, total, item, at)?;
                }
                total
            }
            "min" | "max" => {
                let items = if arguments.positional.len() > 1 {
                    arguments.positional.clone()
                } else {
                    self.iterate(subject, at)?
                };
                let sorted = self.sort(items, arguments.keyword("key"), at)?;
                let found = if name == "min" { sorted.first() } else { sorted.last() };
                let found = found.cloned().or_else(|| arguments.keyword("default"));
                found.ok_or_else(|| self.error(at, format!("`{name}()` of an empty sequence")))?
            }
            "isinstance" => {
                let kinds = match arguments.positional.get(1) {
                    Some(Term::Tuple(kinds)) => kinds.to_vec(),
                    Some(kind) => vec![kind.clone()],
                    None => return Ok(None),
                };
                Term::Bool(kinds.iter().any(|kind| format::text(kind) == subject.type_name()))
            }
            _ => return Ok(None),
        }))
    }

    /// Built-ins that make a list of several values.
    fn map(&mut self, name: &str, arguments: &CallArguments<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        let Some(first) = arguments.positional.first() else {
            return Ok((name == "zip").then(|| Term::list(Vec::new())));
        };
        let items = match name {
            "range" => return self.range(&arguments.positional, at).map(Some),
            "reversed" => self.iterate(first, at)?.into_iter().rev().collect(),
            "sorted" => {
                let items = self.iterate(first, at)?;
                let mut sorted = self.sort(items, arguments.keyword("key"), at)?;
                if arguments.keyword("reverse").is_some_and(|reverse| reverse.truth()) {
                    sorted.reverse();
                }
                sorted
            }
            "enumerate" => {
                let start = match arguments.at(1, "start") {
                    Some(Term::Int(start)) => start,
                    _ => 0,
                };
                let items = self.iterate(first, at)?.into_iter().zip(start..);
                items.map(|(item, index)| Term::tuple(vec![Term::Int(index), item])).collect()
            }
            "zip" => self.rows(&arguments.positional, at)?.into_iter().map(Term::tuple).collect(),
            "map" => {
                let rows = self.rows(&arguments.positional[1..], at)?.into_iter();
                rows.map(|row| self.apply(first, row, Vec::new(), at)).collect::<Eval<_>>()?
            }
            "filter" if arguments.positional.len() == 2 => {
                let mut selected = Vec::new();
                for item in self.iterate(&arguments.positional[1], at)? {
                    let keep = match first {
                        Term::None => item.truth(),
                        _ => self.apply(first, vec![item.clone()], Vec::new(), at)?.truth(),
                    };
                    selected.extend(keep.then_some(item));
                }
                selected
            }
            _ => return Ok(None),
        };
        Ok(Some(Term::list(items)))
    }

    /// Groups the first items of all lists, then the second items, and so on until the shortest list ends.
    fn rows(&mut self, lists: &[Term<'a>], at: TextSize) -> Eval<'a, Vec<Vec<Term<'a>>>> {
        let lists = lists.iter().map(|subject| self.iterate(subject, at)).collect::<Eval<Vec<_>>>()?;
        let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
        Ok((0..shortest).map(|index| lists.iter().map(|list| list[index].clone()).collect()).collect())
    }

    fn float(&mut self, subject: &Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let value = match subject {
            Term::Str(text) => text.trim().parse().ok(),
            _ => subject.number(),
        };
        value.map(Term::Float).ok_or_else(|| self.error(at, format!("{} is not a number", format::repr(subject))))
    }

    fn int(&mut self, subject: &Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let value = match subject {
            Term::Str(text) => text.trim().replace('_', "").parse().ok(),
            Term::Float(value) => Some(*value as i64),
            Term::Int(value) => Some(*value),
            Term::Bool(value) => Some(i64::from(*value)),
            _ => None,
        };
        value.map(Term::Int).ok_or_else(|| self.error(at, format!("{} is not an integer", format::repr(subject))))
    }

    fn range(&mut self, bounds: &[Term<'a>], at: TextSize) -> Eval<'a, Term<'a>> {
        let (start, stop, step) = match bounds {
            [Term::Int(stop)] => (0, *stop, 1),
            [Term::Int(start), Term::Int(stop)] => (*start, *stop, 1),
            [Term::Int(start), Term::Int(stop), Term::Int(step)] if *step != 0 => (*start, *stop, *step),
            _ => return Err(self.error(at, "`range()` takes one to three integers, and the step must not be zero")),
        };
        let mut items = Vec::new();
        let mut next = start;
        while (step > 0 && next < stop) || (step < 0 && next > stop) {
            if items.len() >= MAX_SIZE {
                self.check_size(items.len() + 1, at)?;
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
            return Err(self.needs_python(at, "these values cannot be sorted"));
        }
        // Values that cannot be compared with each other count as equal: the result is deterministic, if not Python's.
        keyed.sort_by(|(left, _), (right, _)| left.compare(right).unwrap_or(std::cmp::Ordering::Equal));
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }

    fn collect_pairs(&mut self, subject: &Term<'a>, at: TextSize) -> Eval<'a, Vec<(Term<'a>, Term<'a>)>> {
        if matches!(subject, Term::Dict(_) | Term::Object(_)) {
            return self.mapping(subject, 0, at);
        }
        let mut pairs = Vec::new();
        for pair in self.iterate(subject, at)? {
            match self.iterate(&pair, at)?.as_slice() {
                [key, value] => pairs.push((self.check_hashable(key.clone(), at)?, value.clone())),
                _ => return Err(self.error(at, "`dict()` takes pairs")),
            }
        }
        Ok(pairs)
    }

    /// The items that a `for` loop over the value would visit.
    pub(super) fn iterate(&mut self, subject: &Term<'a>, at: TextSize) -> Eval<'a, Vec<Term<'a>>> {
        let items = match subject {
            Term::List(items) | Term::Tuple(items) | Term::Set(items) => items.to_vec(),
            Term::Dict(items) => items.pairs().into_iter().map(|(key, _)| key).collect(),
            Term::Str(text) => text.chars().map(|char| Term::str(char.to_string())).collect(),
            Term::File(text) => text.split_inclusive('\n').map(Term::str).collect(),
            _ => {
                return Err(self.needs_python(at, format!("iteration over a {} is not supported", subject.type_name())));
            }
        };
        // Iterating over a long list costs steps, so that the step limit also bounds nested loops.
        for _ in 0..items.len() / 16 {
            self.step(at)?;
        }
        Ok(items)
    }

    /// Returns the value if it can be a dict key or a set item; otherwise an error.
    pub(super) fn check_hashable(&self, term: Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        if !is_hashable(&term, 0) {
            return Err(self.error(at, format!("a {} cannot be a dict key or a set item", term.type_name())));
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
