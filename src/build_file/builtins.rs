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

struct Given<'a> {
    positional: Vec<Term<'a>>,
    named: Named<'a>,
}

impl<'a> Given<'a> {
    fn option(&self, name: &str) -> Option<Term<'a>> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn at(&self, index: usize, name: &str) -> Option<Term<'a>> {
        self.positional.get(index).cloned().or_else(|| self.option(name))
    }
}

impl<'a> Evaluator<'a, '_> {
    pub fn builtin(
        &mut self,
        name: &'static str,
        positional: Vec<Term<'a>>,
        named: Named<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Ok(Term::Object(Rc::new(Object { kind: name.to_owned(), positional, named })));
        }
        let arguments = Given { positional, named };
        if let Some(value) = self.ask_the_world(name, &arguments, at)? {
            return Ok(value);
        }
        if let Some(value) = self.convert(name, &arguments, at)? {
            return Ok(value);
        }
        if let Some(value) = self.fold(name, &arguments, at)? {
            return Ok(value);
        }
        let value = self.map(name, &arguments, at)?;
        value.ok_or_else(|| self.beyond(at, format!("`{name}()` is not known with these arguments")))
    }

    fn ask_the_world(&mut self, name: &str, given: &Given<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        Ok(Some(match (name, given.positional.first()) {
            ("print", _) => Term::None,
            ("build_file_dir", _) => Term::Path(self.context.dir.to_string().into()),
            ("env", Some(Term::Str(variable))) => match (self.context.env)(variable) {
                Some(value) => Term::str(value),
                None => given.at(1, "default").unwrap_or(Term::None),
            },
            ("open", Some(path)) => {
                let path = format::text(path);
                let text = (self.context.open)(&path);
                let text = text.map_err(|why| self.error(at, format!("cannot open `{path}`: {why}")))?;
                self.sized(text.len(), at)?;
                Term::File(text.into())
            }
            _ => return Ok(None),
        }))
    }

    /// One value to one of another type.
    fn convert(&mut self, name: &str, given: &Given<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        Ok(Some(match (name, given.positional.first()) {
            ("dict", first) => {
                let mut pairs = first.map_or(Ok(Vec::new()), |first| self.pairs_of(first, at))?;
                pairs.extend(given.named.iter().map(|(name, value)| (Term::str(name.as_str()), value.clone())));
                Term::dict(pairs)
            }
            ("list", None) => Term::list(Vec::new()),
            ("tuple", None) => Term::tuple(Vec::new()),
            ("set" | "frozenset", None) => Term::set(Vec::new()),
            ("str", None) => Term::str(""),
            ("list", Some(of)) => Term::list(self.iterate(of, at)?),
            ("tuple", Some(of)) => Term::tuple(self.iterate(of, at)?),
            ("set" | "frozenset", Some(of)) => {
                let items = self.iterate(of, at)?.into_iter().map(|item| self.hashable(item, at));
                Term::set(items.collect::<Eval<_>>()?)
            }
            ("str", Some(of)) if given.positional.len() == 1 => Term::str(format::text(of)),
            ("repr", Some(of)) => Term::str(format::repr(of)),
            ("bool", Some(of)) => Term::Bool(of.truth()),
            ("int", Some(of)) if given.positional.len() == 1 && given.named.is_empty() => self.int(of, at)?,
            ("float", Some(of)) => self.float(of, at)?,
            ("abs", Some(Term::Int(value))) => Term::Int(value.wrapping_abs()),
            ("abs", Some(Term::Float(value))) => Term::Float(value.abs()),
            ("round", Some(of)) if given.positional.len() == 1 => match of.number() {
                Some(value) => Term::Int(value.round_ties_even() as i64),
                None => return Ok(None),
            },
            ("type", Some(of)) => {
                let builtin = NAMES.iter().find(|name| **name == of.type_name());
                builtin.map_or(Term::None, |name| Term::Builtin(name))
            }
            _ => return Ok(None),
        }))
    }

    /// Many values to one.
    fn fold(&mut self, name: &str, given: &Given<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        let Some(of) = given.positional.first() else { return Ok(None) };
        Ok(Some(match name {
            "len" => match of {
                Term::Dict(items) => Term::Int(items.len() as i64 / 2),
                _ => Term::Int(self.iterate(of, at)?.len() as i64),
            },
            "any" => Term::Bool(self.iterate(of, at)?.iter().any(Term::truth)),
            "all" => Term::Bool(self.iterate(of, at)?.iter().all(Term::truth)),
            "sum" => {
                let mut total = given.at(1, "start").unwrap_or(Term::Int(0));
                for item in self.iterate(of, at)? {
                    total = self.binary(ruff_python_ast::Operator::Add, total, item, at)?;
                }
                total
            }
            "min" | "max" => {
                let items = if given.positional.len() > 1 { given.positional.clone() } else { self.iterate(of, at)? };
                let sorted = self.sort(items, given.option("key"), at)?;
                let found = if name == "min" { sorted.first() } else { sorted.last() };
                let found = found.cloned().or_else(|| given.option("default"));
                found.ok_or_else(|| self.error(at, format!("`{name}()` of nothing")))?
            }
            "isinstance" => {
                let kinds = match given.positional.get(1) {
                    Some(Term::Tuple(kinds)) => kinds.to_vec(),
                    Some(kind) => vec![kind.clone()],
                    None => return Ok(None),
                };
                Term::Bool(kinds.iter().any(|kind| format::text(kind) == of.type_name()))
            }
            _ => return Ok(None),
        }))
    }

    /// Many values to many.
    fn map(&mut self, name: &str, given: &Given<'a>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        let Some(first) = given.positional.first() else {
            return Ok((name == "zip").then(|| Term::list(Vec::new())));
        };
        let items = match name {
            "range" => return self.range(&given.positional, at).map(Some),
            "reversed" => self.iterate(first, at)?.into_iter().rev().collect(),
            "sorted" => {
                let items = self.iterate(first, at)?;
                let mut sorted = self.sort(items, given.option("key"), at)?;
                if given.option("reverse").is_some_and(|reverse| reverse.truth()) {
                    sorted.reverse();
                }
                sorted
            }
            "enumerate" => {
                let start = match given.at(1, "start") {
                    Some(Term::Int(start)) => start,
                    _ => 0,
                };
                let items = self.iterate(first, at)?.into_iter().zip(start..);
                items.map(|(item, index)| Term::tuple(vec![Term::Int(index), item])).collect()
            }
            "zip" => self.rows(&given.positional, at)?.into_iter().map(Term::tuple).collect(),
            "map" => {
                let rows = self.rows(&given.positional[1..], at)?.into_iter();
                rows.map(|row| self.apply(first, row, Vec::new(), at)).collect::<Eval<_>>()?
            }
            "filter" if given.positional.len() == 2 => {
                let mut kept = Vec::new();
                for item in self.iterate(&given.positional[1], at)? {
                    let keep = match first {
                        Term::None => item.truth(),
                        _ => self.apply(first, vec![item.clone()], Vec::new(), at)?.truth(),
                    };
                    kept.extend(keep.then_some(item));
                }
                kept
            }
            _ => return Ok(None),
        };
        Ok(Some(Term::list(items)))
    }

    /// The first items of each list, the second ones, and so on to the end of the shortest.
    fn rows(&mut self, lists: &[Term<'a>], at: TextSize) -> Eval<'a, Vec<Vec<Term<'a>>>> {
        let lists = lists.iter().map(|of| self.iterate(of, at)).collect::<Eval<Vec<_>>>()?;
        let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
        Ok((0..shortest).map(|index| lists.iter().map(|list| list[index].clone()).collect()).collect())
    }

    fn float(&mut self, of: &Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let value = match of {
            Term::Str(text) => text.trim().parse().ok(),
            _ => of.number(),
        };
        value.map(Term::Float).ok_or_else(|| self.error(at, format!("{} is no number", format::repr(of))))
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
            return Err(self.beyond(at, "these values have no order"));
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
            _ => return Err(self.beyond(at, format!("a {} is not walked through here", of.type_name()))),
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
