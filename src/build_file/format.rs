//! Conversion of terms to text: `str()`, `repr()`, `%`, `.format()` and f-string format specifications. Supports the
//! subset that BUILD files use.

use crate::build_file::term::{MAX_DEPTH, Term};

/// Limit on the width and precision of a format specification.
const MAX_WIDTH: usize = 10_000;

/// The text that `str()` returns.
pub(super) fn text(term: &Term<'_>) -> String {
    match term {
        Term::Str(text) | Term::Path(text) | Term::Version(text) | Term::Symbol(text) => text.to_string(),
        _ => repr(term),
    }
}

/// The text that `repr()` returns.
pub(super) fn repr(term: &Term<'_>) -> String {
    let mut out = String::new();
    write_repr(term, 0, &mut out);
    out
}

fn write_repr(term: &Term<'_>, depth: usize, out: &mut String) {
    if depth > MAX_DEPTH || out.len() > super::eval::MAX_SIZE {
        out.push('…');
        return;
    }
    let mut sequence = |open: &str, items: &[Term<'_>], close: &str| {
        out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            write_repr(item, depth + 1, out);
        }
        out.push_str(close);
    };
    match term {
        Term::None => out.push_str("None"),
        Term::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        Term::Int(value) => out.push_str(&value.to_string()),
        Term::Float(value) => out.push_str(&format!("{value:?}")),
        Term::Str(text) => out.push_str(&quoted(text)),
        Term::List(items) => sequence("[", &items.0.borrow(), "]"),
        Term::Set(items) if items.len() == 0 => out.push_str("set()"),
        Term::Set(items) => sequence("{", &items.0.borrow(), "}"),
        Term::Tuple(items) if items.len() == 1 => sequence("(", &items.0.borrow(), ",)"),
        Term::Tuple(items) => sequence("(", &items.0.borrow(), ")"),
        Term::Dict(items) => {
            out.push('{');
            for (index, (key, value)) in items.pairs().iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_repr(key, depth + 1, out);
                out.push_str(": ");
                write_repr(value, depth + 1, out);
            }
            out.push('}');
        }
        Term::Version(text) => out.push_str(&format!("<Version({})>", quoted(text))),
        Term::Path(text) | Term::Symbol(text) | Term::File(text) => out.push_str(text),
        Term::Object(object) => out.push_str(&format!("{}(…)", object.kind)),
        Term::Builtin(name) => out.push_str(name),
        Term::Method(method) => out.push_str(method.1),
        Term::Function(function) => out.push_str(function.name),
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            char if char == quote => out.extend(['\\', char]),
            char => out.push(char),
        }
    }
    out.push(quote);
    out
}

/// Formats one replacement field. `conversion` is the letter after `!`, `spec` the format specification after `:`.
pub(super) fn with_spec(term: &Term<'_>, conversion: Option<char>, spec: &str) -> Result<String, String> {
    let converted = match conversion {
        Some('r' | 'a') => Some(repr(term)),
        Some(_) => Some(text(term)),
        None => None,
    };
    if spec.is_empty() {
        return Ok(converted.unwrap_or_else(|| text(term)));
    }
    let unknown = || format!("the format specification `{spec}` is not supported");
    let chars: Vec<char> = spec.chars().collect();
    let is_align = |at: usize| chars.get(at).is_some_and(|char| ['<', '>', '^', '='].contains(char));
    let (mut fill, mut align, mut at) = match (is_align(1), is_align(0)) {
        (true, _) => (chars[0], Some(chars[1]), 2),
        (_, true) => (' ', Some(chars[0]), 1),
        _ => (' ', None, 0),
    };
    if chars.get(at) == Some(&'0') {
        (fill, align, at) = ('0', align.or(Some('>')), at + 1);
    }
    let rest: String = chars[at..].iter().collect();
    let kind_at = rest.find(|char: char| char.is_ascii_alphabetic() || char == '%').unwrap_or(rest.len());
    let (numbers, kind) = rest.split_at(kind_at);
    let (width, precision) = numbers.split_once('.').unwrap_or((numbers, ""));
    let parse = |digits: &str| match digits {
        "" => Ok(None),
        digits => digits.parse::<usize>().map(Some).ok().filter(|width| *width <= Some(MAX_WIDTH)).ok_or_else(unknown),
    };
    let (width, precision) = (parse(width)?, parse(precision)?);
    let body = match (kind, term.number(), converted) {
        ("f" | "F", Some(value), None) => format!("{value:.*}", precision.unwrap_or(6)),
        ("x", Some(_), None) if matches!(term, Term::Int(_)) => match term {
            Term::Int(value) => format!("{value:x}"),
            _ => return Err(unknown()),
        },
        ("d" | "s" | "", _, converted) => {
            let body = converted.unwrap_or_else(|| text(term));
            precision.map_or(body.clone(), |precision| body.chars().take(precision).collect())
        }
        _ => return Err(unknown()),
    };
    let numeric = matches!(term, Term::Int(_) | Term::Float(_));
    Ok(pad(&body, width.unwrap_or(0), fill, align.unwrap_or(if numeric { '>' } else { '<' })))
}

fn pad(body: &str, width: usize, fill: char, align: char) -> String {
    let missing = width.saturating_sub(body.chars().count());
    let before = match align {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    let fill = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    [fill(before), body.to_owned(), fill(missing - before)].concat()
}

/// The result of `template % right`, or why it is not supported.
pub(super) fn percent(template: &str, right: &Term<'_>) -> Result<String, String> {
    let mut positional = match right {
        Term::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (value, after) = match (after.strip_prefix('('), right) {
            (Some(named), Term::Dict(dict)) => {
                let (name, after) = named.split_once(')').ok_or("a `%(name)` has no closing parenthesis")?;
                (
                    dict.value_of(&Term::str(name)).ok_or_else(|| format!("`%({name})`: the dict has no such key"))?,
                    after,
                )
            }
            _ if after.starts_with('%') => (Term::str("%"), after),
            _ => (positional.next().ok_or("there are fewer values than `%` placeholders")?, after),
        };
        let kind_at = after
            .find(|char: char| char.is_ascii_alphabetic() || char == '%')
            .ok_or("a `%` placeholder has no conversion letter")?;
        let spec = &after[..kind_at];
        match after.as_bytes()[kind_at] {
            b'%' => out.push('%'),
            b'r' => out.push_str(&with_spec(&value, Some('r'), spec)?),
            b'f' => out.push_str(&with_spec(&value, None, &format!("{spec}f"))?),
            b'x' => out.push_str(&with_spec(&value, None, &format!("{spec}x"))?),
            b's' | b'd' | b'i' => out.push_str(&with_spec(&value, None, spec)?),
            kind => return Err(format!("`%{}` is not supported", char::from(kind))),
        }
        rest = &after[kind_at + 1..];
        if out.len() > super::eval::MAX_SIZE {
            return Err("the formatted text is too large".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The result of `template.format(*positional, **named)`, or why it is not supported.
pub(super) fn braces<'a>(
    template: &str,
    positional: &[Term<'a>],
    named: &[(String, Term<'a>)],
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let (field, after) =
            rest.split_once('}').filter(|_| brace == "{").ok_or("the format has an unmatched brace")?;
        rest = after;
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = field.split_once('!').unwrap_or((field, ""));
        let value = match name.parse::<usize>() {
            Ok(index) => positional.get(index),
            Err(_) if name.is_empty() => {
                next += 1;
                positional.get(next - 1)
            }
            Err(_) => named.iter().find(|(known, _)| known == name).map(|(_, value)| value),
        };
        let value = value.ok_or_else(|| format!("the format has no value for `{{{name}}}`"))?;
        out.push_str(&with_spec(value, conversion.chars().next(), spec)?);
        if out.len() > super::eval::MAX_SIZE {
            return Err("the formatted text is too large".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}
