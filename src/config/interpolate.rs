//! Interpolation of `%(name)s` in settings files. The caller supplies the function that looks up names.

use regex::{Captures, Regex};
use serde_json::Value;
use std::sync::OnceLock;

/// Limits for one value, which stop recursive settings and settings of exponential size.
const MAX_REPLACEMENTS: usize = 10_000;
const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 50;

/// A placeholder that cannot be replaced, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// The name is not defined.
    Unknown(String),
    /// The replacement exceeds a limit, for example because it contains itself.
    Recursive(String),
}

/// Replaces placeholders in all strings of `value`, and recursively in the replacements.
pub(super) fn interpolate(value: &Value, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Value, Unresolved> {
    Ok(match value {
        Value::String(text) => Value::String(expand(text, lookup, 0, &mut 0)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| interpolate(item, lookup)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| Ok((key.clone(), interpolate(value, lookup)?));
            Value::Object(map.iter().map(entry).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    replacements: &mut usize,
) -> Result<String, Unresolved> {
    static PLACEHOLDER: OnceLock<Regex> = OnceLock::new();
    let placeholder = PLACEHOLDER.get_or_init(|| Regex::new(r"%\(([A-Za-z0-9_.]+)\)s").expect("a valid pattern"));
    let mut out = String::new();
    let mut end = 0;
    for found in placeholder.captures_iter(text) {
        let (whole, name) = parts(&found);
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        let replacement = lookup(name).ok_or_else(|| Unresolved::Unknown(name.to_owned()))?;
        *replacements += 1;
        if depth == MAX_DEPTH || *replacements > MAX_REPLACEMENTS || out.len() + replacement.len() > MAX_BYTES {
            return Err(Unresolved::Recursive(name.to_owned()));
        }
        out.push_str(&expand(&replacement, lookup, depth + 1, replacements)?);
    }
    out.push_str(&text[end..]);
    Ok(out)
}

fn parts<'t>(found: &Captures<'t>) -> (regex::Match<'t>, &'t str) {
    let whole = found.get(0).expect("group 0 is the match");
    (whole, found.get(1).expect("the pattern has one group").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lookup(name: &str) -> Option<String> {
        let known = [("root", "/r"), ("dir", "%(root)s/d"), ("loop", "%(loop)s"), ("env.A", "%")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn check(value: Value, expected: Result<Value, Unresolved>) {
        assert_eq!(interpolate(&value, &lookup), expected);
    }

    #[test]
    fn placeholders_are_replaced_recursively() {
        check(json!("%(dir)s:%(root)s"), Ok(json!("/r/d:/r")));
        check(json!({"a": ["%(root)s", 1]}), Ok(json!({"a": ["/r", 1]})));
        check(json!("100% of %(env.A)s (x)s"), Ok(json!("100% of % (x)s")));
    }

    #[test]
    fn unknown_and_recursive_names_are_refused() {
        check(json!("%(nope)s"), Err(Unresolved::Unknown("nope".into())));
        check(json!("%(loop)s"), Err(Unresolved::Recursive("loop".into())));
    }

    #[test]
    fn values_of_exponential_size_are_refused() {
        let doubling = |name: &str| match name.len() {
            40 => Some(String::new()),
            _ => Some(format!("%(a{name})s%(b{name})s")),
        };
        assert!(matches!(interpolate(&json!("%(x)s"), &doubling), Err(Unresolved::Recursive(_))));
    }
}
