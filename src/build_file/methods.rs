//! Attributes and methods of lists, dicts, sets, paths, files and target types. String methods are in `strings`.

use std::rc::Rc;

use ruff_text_size::TextSize;

use crate::build_file::call::NamedArguments;
use crate::build_file::eval::{Eval, Evaluator};
use crate::build_file::term::{Items, Term};
use crate::build_file::{format, strings};

impl<'a> Evaluator<'a, '_> {
    /// The value of an attribute. Attributes that may be methods become bound methods.
    pub(super) fn attribute(&mut self, subject: Term<'a>, name: &'a str, at: TextSize) -> Eval<'a, Term<'a>> {
        if let Term::Path(path) = &subject
            && let Some(value) = path_attribute(path, name)
        {
            return Ok(value);
        }
        match &subject {
            // `python_sources.tags.default`: the defaults of fields are not available during evaluation.
            Term::Symbol(_) if name == "default" => Ok(Term::None),
            Term::Symbol(_) => Ok(subject),
            Term::None | Term::Bool(_) | Term::Int(_) | Term::Float(_) | Term::Function(_) => {
                Err(self
                    .needs_python(at, format!("the attribute `{name}` of a {} is not supported", subject.type_name())))
            }
            _ => Ok(Term::Method(Rc::new((subject, name)))),
        }
    }

    /// Calls a method.
    pub(super) fn method(
        &mut self,
        subject: &Term<'a>,
        name: &'a str,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let takes_named = matches!(name, "format" | "update");
        let result = match subject {
            _ if !named.is_empty() && !takes_named => None,
            Term::Str(text) if name == "join" => Some(self.join(text, positional.first(), at)?),
            Term::Str(text) if name == "format" => {
                let text = format::braces(text, &positional, &named);
                Some(Term::str(text.map_err(|message| self.needs_python(at, message))?))
            }
            Term::Str(text) => strings::method(text, name, &positional),
            Term::List(items) if name == "extend" => {
                let more = positional.first().map_or(Ok(Vec::new()), |more| self.iterate(more, at))?;
                self.check_size(items.len() + more.len(), at)?;
                items.0.borrow_mut().extend(more);
                Some(Term::None)
            }
            Term::List(items) => list(items, name, positional),
            Term::Tuple(items) => list(items, name, positional),
            Term::Dict(items) => match name {
                "update" | "setdefault" => Some(self.update(items, name, positional, named, at)?),
                _ => dict(items, name, positional),
            },
            Term::Set(items) => self.set_method(items, name, positional, at)?,
            Term::Path(path) => path_method(path, name, &positional),
            Term::File(text) => match name {
                "read" | "__enter__" => Some(Term::str(Rc::clone(text))),
                "readline" => Some(Term::str(text.split_inclusive('\n').next().unwrap_or_default())),
                "readlines" => Some(Term::list(text.split_inclusive('\n').map(Term::str).collect())),
                "close" => Some(Term::None),
                _ => None,
            },
            Term::Builtin("dict") if name == "fromkeys" => {
                let keys = positional.first().map_or(Ok(Vec::new()), |keys| self.iterate(keys, at))?;
                let value = positional.get(1).cloned().unwrap_or(Term::None);
                Some(Term::dict(keys.into_iter().map(|key| (key, value.clone())).collect()))
            }
            _ => None,
        };
        result.ok_or_else(|| {
            let message = format!("`{name}()` of a {} is not supported with these arguments", subject.type_name());
            self.needs_python(at, message)
        })
    }

    fn join(&mut self, separator: &str, subject: Option<&Term<'a>>, at: TextSize) -> Eval<'a, Term<'a>> {
        let items = subject.map_or(Ok(Vec::new()), |subject| self.iterate(subject, at))?;
        if let Some(other) = items.iter().find(|item| !matches!(item, Term::Str(_))) {
            return Err(self.error(at, format!("`join()` takes strings, not a {}", other.type_name())));
        }
        let texts: Vec<String> = items.iter().map(format::text).collect();
        self.check_size(texts.iter().map(|text| text.len() + separator.len()).sum(), at)?;
        Ok(Term::str(texts.join(separator)))
    }

    fn update(
        &mut self,
        items: &Items<'a>,
        name: &str,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let mut positional = positional.into_iter();
        let first = positional.next();
        if name == "setdefault" {
            let key = self.check_hashable(first.unwrap_or(Term::None), at)?;
            if let Some(value) = items.value_of(&key) {
                return Ok(value);
            }
            let value = positional.next().unwrap_or(Term::None);
            items.put(key, value.clone());
            return Ok(value);
        }
        let pairs = first.map_or(Ok(Vec::new()), |more| self.mapping(&more, items.len(), at))?;
        for (key, value) in pairs.into_iter().chain(named.into_iter().map(|(name, value)| (Term::str(name), value))) {
            items.put(key, value);
        }
        Ok(Term::None)
    }

    fn set_method(
        &mut self,
        items: &Rc<Items<'a>>,
        name: &str,
        positional: Vec<Term<'a>>,
        at: TextSize,
    ) -> Eval<'a, Option<Term<'a>>> {
        let Some(first) = positional.first() else {
            return Ok((name == "copy").then(|| Term::set(items.to_vec())));
        };
        if matches!(name, "add" | "discard" | "remove") {
            let item = self.check_hashable(first.clone(), at)?;
            items.0.borrow_mut().retain(|other| !other.equals(&item));
            if name == "add" {
                items.0.borrow_mut().push(item);
            }
            return Ok(Some(Term::None));
        }
        let Term::Set(other) = Term::set(self.iterate(first, at)?) else {
            return Ok(None);
        };
        let op = match name {
            "union" => ruff_python_ast::Operator::BitOr,
            "intersection" => ruff_python_ast::Operator::BitAnd,
            "difference" => ruff_python_ast::Operator::Sub,
            "issubset" => return Ok(Some(Term::Bool(items.to_vec().iter().all(|item| other.contains(item))))),
            "issuperset" => return Ok(Some(Term::Bool(other.to_vec().iter().all(|item| items.contains(item))))),
            "update" => {
                let Term::Set(all) = Term::set([items.to_vec(), other.to_vec()].concat()) else {
                    return Ok(None);
                };
                *items.0.borrow_mut() = all.to_vec();
                return Ok(Some(Term::None));
            }
            _ => return Ok(None),
        };
        self.binary(op, Term::Set(Rc::clone(items)), Term::Set(other), at).map(Some)
    }
}

fn list<'a>(items: &Items<'a>, name: &str, mut arguments: Vec<Term<'a>>) -> Option<Term<'a>> {
    let first = arguments.pop();
    match (name, first, arguments.pop()) {
        ("append", Some(item), None) => items.0.borrow_mut().push(item),
        ("insert", Some(item), Some(Term::Int(at))) => {
            let mut items = items.0.borrow_mut();
            let len = items.len();
            let at = if at < 0 { at.saturating_add(len as i64).max(0) } else { at };
            items.insert(usize::try_from(at).unwrap_or(len).min(len), item);
        }
        ("remove", Some(item), None) => {
            let at = items.0.borrow().iter().position(|other| other.equals(&item))?;
            items.0.borrow_mut().remove(at);
        }
        ("pop", None, None) => return items.0.borrow_mut().pop(),
        ("pop", Some(Term::Int(0)), None) if items.len() > 0 => return Some(items.0.borrow_mut().remove(0)),
        ("reverse", None, None) => items.0.borrow_mut().reverse(),
        ("clear", None, None) => items.0.borrow_mut().clear(),
        ("sort", None, None) => {
            // Sorts a copy: comparing the items of a list that contains itself borrows the list again.
            let mut sorted = items.to_vec();
            sorted.sort_by(|left, right| left.compare(right).unwrap_or(std::cmp::Ordering::Equal));
            *items.0.borrow_mut() = sorted;
        }
        ("copy", None, None) => return Some(Term::list(items.to_vec())),
        ("count", Some(item), None) => {
            let count = items.0.borrow().iter().filter(|other| other.equals(&item)).count();
            return Some(Term::Int(count as i64));
        }
        ("index", Some(item), None) => {
            let at = items.0.borrow().iter().position(|other| other.equals(&item))?;
            return Some(Term::Int(at as i64));
        }
        _ => return None,
    }
    Some(Term::None)
}

fn dict<'a>(items: &Items<'a>, name: &str, arguments: Vec<Term<'a>>) -> Option<Term<'a>> {
    let pairs = || items.pairs().into_iter();
    let mut arguments = arguments.into_iter();
    let (first, second) = (arguments.next(), arguments.next());
    Some(match (name, first) {
        ("keys", None) => Term::list(pairs().map(|(key, _)| key).collect()),
        ("values", None) => Term::list(pairs().map(|(_, value)| value).collect()),
        ("items", None) => Term::list(pairs().map(|(key, value)| Term::tuple(vec![key, value])).collect()),
        ("copy", None) => Term::dict(items.pairs()),
        ("get", Some(key)) => items.value_of(&key).or(second).unwrap_or(Term::None),
        ("pop", Some(key)) => items.remove_key(&key).or(second)?,
        _ => return None,
    })
}

fn path_attribute<'a>(path: &str, name: &str) -> Option<Term<'a>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let last = parts.last().copied().unwrap_or_default();
    let parent = |count: usize| match parts[..parts.len().saturating_sub(count)].join("/") {
        parent if parent.is_empty() => ".".to_owned(),
        parent => parent,
    };
    Some(match name {
        "name" => Term::str(last),
        "stem" => Term::str(last.rsplit_once('.').map_or(last, |(stem, _)| if stem.is_empty() { last } else { stem })),
        "suffix" => Term::str(match last.rfind('.') {
            Some(at) if at > 0 => &last[at..],
            _ => "",
        }),
        "parts" => Term::tuple(parts.iter().copied().map(Term::str).collect()),
        "parent" => Term::Path(parent(1).into()),
        "parents" => Term::tuple((1..=parts.len()).map(|count| Term::Path(parent(count).into())).collect()),
        _ => return None,
    })
}

fn path_method<'a>(path: &str, name: &str, arguments: &[Term<'a>]) -> Option<Term<'a>> {
    let other = || arguments.iter().map(format::text).collect::<Vec<_>>().join("/");
    let below = || match other().as_str() {
        "" | "." => Some(path.to_owned()),
        dir => path.strip_prefix(dir).and_then(|rest| match rest {
            "" => Some(".".to_owned()),
            rest => rest.strip_prefix('/').map(str::to_owned),
        }),
    };
    Some(match name {
        "as_posix" | "__str__" => Term::str(path),
        "joinpath" => Term::Path([path, "/", &other()].concat().trim_start_matches("./").into()),
        "relative_to" => Term::Path(below()?.into()),
        "is_relative_to" => Term::Bool(below().is_some()),
        _ => return None,
    })
}
