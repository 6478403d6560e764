//! Interprets the value of one source according to the type of the option: it replaces the value of sources with lower precedence,
//! or edits it. `load` determines the precedence.

use serde_json::{Map, Number, Value};

use crate::base::text::nearest;
use crate::config::table::Kind;
use crate::config::{literal, shell};

/// The effect of one source on the value of an option.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edit {
    /// Replaces the value.
    Replace(Value),
    /// Appends items to a list.
    Add(Vec<Value>),
    /// Removes items from a list.
    Remove(Vec<Value>),
    /// Replaces single keys of a dict.
    Merge(Map<String, Value>),
}

/// A value that does not have the type of its option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvalidValue {
    /// The message.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Interprets a value of a settings file, or the text of a variable, a flag or an `@file`.
pub(super) fn edits(kind: Kind, value: &Value) -> Result<Vec<Edit>, InvalidValue> {
    match kind {
        Kind::Texts | Kind::Integers | Kind::ShellWords => list_edits(kind, value),
        Kind::Dict => dict_edits(value),
        _ => Ok(vec![Edit::Replace(scalar(kind, value)?)]),
    }
}

/// Applies edits in ascending precedence. Removals are applied last, but a replacement discards earlier removals.
pub(super) fn merge(default: &Value, edits: impl IntoIterator<Item = Edit>) -> Value {
    let mut value = default.clone();
    let mut removed: Vec<Value> = Vec::new();
    for edit in edits {
        match edit {
            Edit::Replace(new) => {
                value = new;
                removed.clear();
            }
            Edit::Add(items) => match &mut value {
                Value::Array(list) => list.extend(items),
                _ => value = Value::Array(items),
            },
            Edit::Remove(items) => removed.extend(items),
            Edit::Merge(new) => match &mut value {
                Value::Object(map) => map.extend(new),
                _ => value = Value::Object(new),
            },
        }
    }
    if let Value::Array(list) = &mut value {
        list.retain(|item| !removed.contains(item));
    }
    value
}

fn invalid<T>(message: impl Into<String>) -> Result<T, InvalidValue> {
    Err(InvalidValue { message: message.into(), hint: None })
}

fn scalar(kind: Kind, value: &Value) -> Result<Value, InvalidValue> {
    let expected = describe(kind);
    let refuse = || invalid(format!("{} is not {expected}", show(value)));
    match (kind, value) {
        (Kind::Bool, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Bool, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => refuse(),
        },
        (Kind::Integer | Kind::Size, Value::Number(number)) if number.is_i64() => Ok(value.clone()),
        (Kind::Integer, Value::String(text)) => integer(text).map_or_else(refuse, |number| Ok(number.into())),
        (Kind::Size, Value::String(text)) => size(text).map_or_else(refuse, |bytes| Ok(bytes.into())),
        (Kind::Float, Value::Number(_)) => Ok(value.clone()),
        (Kind::Float, Value::String(text)) => {
            let number = text.trim().parse().ok().and_then(Number::from_f64);
            number.map_or_else(refuse, |number| Ok(Value::Number(number)))
        }
        (Kind::Text, Value::String(_)) => Ok(value.clone()),
        (Kind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => Ok(value.clone()),
        (Kind::Choice(choices), Value::String(text)) => {
            let hint = nearest(text, choices.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            Err(InvalidValue { message: format!("{} is not {expected}", show(value)), hint })
        }
        _ => refuse(),
    }
}

fn list_edits(kind: Kind, value: &Value) -> Result<Vec<Edit>, InvalidValue> {
    match value {
        Value::Array(list) => Ok(vec![Edit::Replace(Value::Array(items(kind, list)?))]),
        Value::Object(map) => map.iter().map(|(key, value)| keyed_edit(kind, key, value)).collect(),
        Value::String(text) => list_edits_from_text(kind, text.trim()),
        other => invalid(format!("{} is not {}", show(other), describe(kind))),
    }
}

/// Interprets `option.add = […]` and `option.remove = […]`.
fn keyed_edit(kind: Kind, key: &str, value: &Value) -> Result<Edit, InvalidValue> {
    match (key, value) {
        ("add", Value::Array(list)) => Ok(Edit::Add(items(kind, list)?)),
        ("remove", Value::Array(list)) => Ok(Edit::Remove(items(kind, list)?)),
        ("add" | "remove", other) => invalid(format!("`{key}` requires a list, not {}", show(other))),
        _ => invalid(format!("unknown key `{key}`: a list has the keys `add` and `remove`")),
    }
}

/// `[…]` replaces the list, `+[…],-[…]` edits it, and any other text is one additional item.
fn list_edits_from_text(kind: Kind, text: &str) -> Result<Vec<Edit>, InvalidValue> {
    let is_edit = ["+[", "-[", "+(", "-("].iter().any(|start| text.starts_with(start));
    if is_edit {
        let parsed = literal::parse_edits(text).or_else(|unexpected| invalid(unexpected_text(text, &unexpected)))?;
        let edit = |(adds, value): (bool, Value)| match value {
            Value::Array(list) if adds => Ok(Edit::Add(items(kind, &list)?)),
            Value::Array(list) => Ok(Edit::Remove(items(kind, &list)?)),
            other => invalid(format!("{} is not {}", show(&other), describe(kind))),
        };
        return parsed.into_iter().map(edit).collect();
    }
    if text.starts_with(['[', '(']) {
        let parsed = literal::parse(text).or_else(|unexpected| invalid(unexpected_text(text, &unexpected)))?;
        return list_edits(kind, &parsed);
    }
    Ok(vec![Edit::Add(items(kind, &[Value::String(text.to_owned())])?)])
}

fn items(kind: Kind, list: &[Value]) -> Result<Vec<Value>, InvalidValue> {
    let mut out = Vec::new();
    for item in list {
        match (kind, item) {
            (Kind::Texts, Value::String(_)) => out.push(item.clone()),
            (Kind::ShellWords, Value::String(text)) => out.extend(shell_words(text)?.into_iter().map(Value::String)),
            (Kind::Integers, item) => out.push(scalar(Kind::Integer, item)?),
            (_, other) => return invalid(format!("{} in a list of strings is not a string", show(other))),
        }
    }
    Ok(out)
}

fn shell_words(text: &str) -> Result<Vec<String>, InvalidValue> {
    shell::words(text).ok_or_else(|| InvalidValue { message: format!("`{text}` has an unclosed quote"), hint: None })
}

fn dict_edits(value: &Value) -> Result<Vec<Edit>, InvalidValue> {
    match value {
        Value::Object(map) => match (map.len(), map.get("add")) {
            (1, Some(Value::Object(added))) => Ok(vec![Edit::Merge(added.clone())]),
            _ => Ok(vec![Edit::Replace(value.clone())]),
        },
        Value::String(text) => {
            let text = text.trim();
            let (adds, literal_text) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
            match literal::parse(literal_text) {
                Ok(Value::Object(map)) if adds => Ok(vec![Edit::Merge(map)]),
                Ok(Value::Object(map)) => Ok(vec![Edit::Replace(Value::Object(map))]),
                Ok(other) => invalid(format!("{} is not a dict", show(&other))),
                Err(unexpected) => invalid(unexpected_text(literal_text, &unexpected)),
            }
        }
        other => Err(InvalidValue {
            message: format!("{} is not a dict", show(other)),
            hint: Some("write it as a table, or as text: `{'key': 'value'}`".to_owned()),
        }),
    }
}

fn unexpected_text(text: &str, unexpected: &literal::Unexpected) -> String {
    let rest: String = text[unexpected.offset..].chars().take(20).collect();
    let found = if rest.is_empty() { "the end".to_owned() } else { format!("`{rest}`") };
    format!("`{}` is not a valid value: expected {}, found {found}", shorten(text), unexpected.expected)
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        other => format!("`{other}`"),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn describe(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer => "a whole number".to_owned(),
        Kind::Float => "a number".to_owned(),
        Kind::Size => "a size, such as `512MiB` or a number of bytes".to_owned(),
        Kind::Text => "a string".to_owned(),
        Kind::Choice(choices) => format!("one of {}", quoted(choices)),
        Kind::Texts | Kind::ShellWords => "a list of strings".to_owned(),
        Kind::Integers => "a list of whole numbers".to_owned(),
        Kind::Dict => "a dict".to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn integer(text: &str) -> Option<i64> {
    text.trim().replace('_', "").parse().ok()
}

fn size(text: &str) -> Option<i64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let shift = match text[unit_at..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let number = text[..unit_at].trim();
    let bytes = integer(number).map(|whole| whole as f64).or_else(|| number.parse().ok())? * (1_i64 << shift) as f64;
    (bytes >= 0.0 && bytes < i64::MAX as f64).then_some(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Asserts the value after sources in ascending precedence.
    fn check(kind: Kind, default: Value, sources: &[Value], expected: Value) {
        let edits = sources.iter().flat_map(|source| edits(kind, source).unwrap());
        assert_eq!(merge(&default, edits), expected, "{sources:?}");
    }

    fn refused(kind: Kind, value: Value) -> String {
        edits(kind, &value).unwrap_err().message
    }

    #[test]
    fn text_without_brackets_appends_and_a_list_replaces() {
        check(Kind::Texts, json!(["d"]), &[json!("a"), json!("b")], json!(["d", "a", "b"]));
        check(Kind::Texts, json!(["d"]), &[json!(["a"]), json!("a,b")], json!(["a", "a,b"]));
        check(Kind::Texts, json!(["d"]), &[json!("['a', 'b']")], json!(["a", "b"]));
        check(Kind::Texts, json!([]), &[json!("+x"), json!("-x")], json!(["+x", "-x"]));
    }

    #[test]
    fn removals_are_applied_last_unless_a_replacement_follows() {
        check(Kind::Texts, json!(["a"]), &[json!({"remove": ["b"]}), json!({"add": ["b", "c"]})], json!(["a", "c"]));
        check(Kind::Texts, json!(["a"]), &[json!("-['b']"), json!(["b", "b"])], json!(["b", "b"]));
        check(Kind::Texts, json!(["a", "b", "b"]), &[json!("+['c'],-['b']")], json!(["a", "c"]));
    }

    #[test]
    fn shell_words_are_split() {
        check(
            Kind::ShellWords,
            json!([]),
            &[json!(["-v -m", "'not integration'"])],
            json!(["-v", "-m", "not integration"]),
        );
        check(Kind::ShellWords, json!([]), &[json!(["a #b"])], json!(["a", "#b"]));
        assert!(refused(Kind::ShellWords, json!(["'a"])).contains("quote"));
    }

    #[test]
    fn dicts_are_replaced_or_merged() {
        check(Kind::Dict, json!({"a": 1}), &[json!({"b": 2})], json!({"b": 2}));
        check(Kind::Dict, json!({"a": 1, "b": 1}), &[json!({"add": {"b": 2}})], json!({"a": 1, "b": 2}));
        check(Kind::Dict, json!({"a": 1}), &[json!("+{'b': ['v']}")], json!({"a": 1, "b": ["v"]}));
    }

    #[test]
    fn scalars_are_read_from_text() {
        check(Kind::Bool, json!(false), &[json!("TRUE")], json!(true));
        check(Kind::Integer, json!(null), &[json!("1_000")], json!(1000));
        check(Kind::Size, json!(null), &[json!("1.5GiB")], json!(1_610_612_736));
        check(Kind::Size, json!(null), &[json!("2 kb")], json!(2048));
        check(Kind::Float, json!(null), &[json!("2.5")], json!(2.5));
    }

    #[test]
    fn an_invalid_value_is_reported_with_the_expected_type() {
        assert_eq!(refused(Kind::Bool, json!("maybe")), "`maybe` is not `true` or `false`");
        assert_eq!(refused(Kind::Integer, json!(["a"])), "a list is not a whole number");
        assert_eq!(refused(Kind::Texts, json!([1])), "`1` in a list of strings is not a string");
        assert_eq!(
            refused(Kind::Texts, json!("['a'")),
            "`['a'` is not a valid value: expected `,` or the closing bracket, found the end"
        );
        let invalid = edits(Kind::Choice(&["all", "failed"]), &json!("fail")).unwrap_err();
        assert_eq!(invalid.message, "`fail` is not one of `all`, `failed`");
        assert!(refused(Kind::Size, json!("9999999999999GiB")).contains("size"));
    }
}
