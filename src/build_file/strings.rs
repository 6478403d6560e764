//! Methods of strings. Formatting is in `format`.

use crate::build_file::eval::MAX_SIZE;
use crate::build_file::term::Term;

/// Calls a string method. `None` if the method is unknown or does not support these arguments.
pub(super) fn method<'a>(text: &str, name: &str, arguments: &[Term<'a>]) -> Option<Term<'a>> {
    let most = match name {
        "replace" | "split" | "rsplit" => 2,
        "splitlines" => 0,
        _ => 1,
    };
    if arguments.len() > most || (name.ends_with("split") && arguments.len() == 2 && matches!(arguments[0], Term::None))
    {
        return None;
    }
    let word = |at: usize| match arguments.get(at) {
        Some(Term::Str(word)) => Some(&**word),
        _ => None,
    };
    if let Some(parts) = split(text, name, word(0), arguments.get(1)) {
        return Some(parts);
    }
    if let Some(answer) = question(text, name, arguments.first()) {
        return Some(Term::Bool(answer));
    }
    Some(Term::str(match name {
        "strip" => strip(text.trim_start_matches(in_set(word(0))), word(0)),
        "lstrip" => text.trim_start_matches(in_set(word(0))).to_owned(),
        "rstrip" => strip(text, word(0)),
        "lower" | "casefold" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "title" | "capitalize" => capitalize(text, name == "title"),
        "replace" => {
            let (from, to) = (word(0)?, word(1)?);
            let grown = text.len().saturating_add(text.matches(from).count().saturating_mul(to.len()));
            if grown > MAX_SIZE {
                return None;
            }
            text.replace(from, to)
        }
        "removeprefix" => text.strip_prefix(word(0)?).unwrap_or(text).to_owned(),
        "removesuffix" => text.strip_suffix(word(0)?).unwrap_or(text).to_owned(),
        "find" | "index" => match (text.find(word(0)?), name) {
            (Some(at), _) => return Some(Term::Int(text[..at].chars().count() as i64)),
            (None, "find") => return Some(Term::Int(-1)),
            (None, _) => return None,
        },
        "count" => return Some(Term::Int(text.matches(word(0)?).count() as i64)),
        _ => return None,
    }))
}

fn split<'a>(text: &str, name: &str, by: Option<&str>, limit: Option<&Term<'a>>) -> Option<Term<'a>> {
    let limit = match limit {
        Some(Term::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX - 1),
        _ => usize::MAX - 1,
    };
    let by = by.filter(|by| !by.is_empty());
    Some(match (name, by) {
        ("split", Some(by)) => Term::list(text.splitn(limit + 1, by).map(Term::str).collect()),
        ("rsplit", Some(by)) => {
            let parts: Vec<Term> = text.rsplitn(limit + 1, by).map(Term::str).collect();
            Term::list(parts.into_iter().rev().collect())
        }
        ("split" | "rsplit", None) => Term::list(text.split_whitespace().map(Term::str).collect()),
        ("splitlines", _) => Term::list(text.lines().map(Term::str).collect()),
        ("partition", Some(by)) => {
            let (before, by, after) = text.split_once(by).map_or((text, "", ""), |(before, after)| (before, by, after));
            Term::tuple([before, by, after].map(Term::str).to_vec())
        }
        ("rpartition", Some(by)) => {
            let (before, by, after) =
                text.rsplit_once(by).map_or(("", "", text), |(before, after)| (before, by, after));
            Term::tuple([before, by, after].map(Term::str).to_vec())
        }
        _ => return None,
    })
}

/// Methods that test a string.
fn question(text: &str, name: &str, argument: Option<&Term<'_>>) -> Option<bool> {
    let any = |test: &dyn Fn(&str) -> bool| match argument {
        Some(Term::Str(word)) => Some(test(word)),
        Some(Term::Tuple(words)) => {
            Some(words.to_vec().iter().any(|word| matches!(word, Term::Str(word) if test(word))))
        }
        _ => None,
    };
    Some(match name {
        "startswith" => any(&|word| text.starts_with(word))?,
        "endswith" => any(&|word| text.ends_with(word))?,
        "isdigit" | "isnumeric" => !text.is_empty() && text.chars().all(|char| char.is_ascii_digit()),
        "isalpha" => !text.is_empty() && text.chars().all(char::is_alphabetic),
        "isupper" => text.to_uppercase() == text && text.to_lowercase() != text,
        "islower" => text.to_lowercase() == text && text.to_uppercase() != text,
        _ => return None,
    })
}

/// A predicate for characters to strip: those of `set`, or white space if there is none.
fn in_set(set: Option<&str>) -> impl Fn(char) -> bool {
    move |char| set.map_or_else(|| char.is_whitespace(), |set| set.contains(char))
}

fn strip(text: &str, set: Option<&str>) -> String {
    let kept = text.trim_end_matches(in_set(set));
    kept.to_owned()
}

fn capitalize(text: &str, each_word: bool) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match start {
            true => out.extend(char.to_uppercase()),
            false => out.extend(char.to_lowercase()),
        }
        start = each_word && !char.is_alphanumeric();
    }
    out
}
