//! `parametrize(…)`: expands the fields of one declaration to those of several targets. Pure; addresses are assigned in
//! `generate`.

use std::collections::BTreeMap;

use crate::build_file::{GROUP_PREFIX, Object, Value};
use crate::targets::defaults::Fields;

/// The parameters of one variant: field, or `parametrize` for a group, and the name of the value.
pub(super) type Parameters = BTreeMap<String, String>;

/// Limit on the variants of one declaration.
const MAX_TARGETS: usize = 1_000;

/// Whether the field has several values.
pub(super) fn is_parametrized(field: &str, value: &Value) -> bool {
    field.starts_with(GROUP_PREFIX) || matches!(value, Value::Object(object) if object.kind == "parametrize")
}

/// The product of all parametrized fields, with the parameters of each variant. Groups are alternatives to each other.
/// An error is a message about an invalid use of `parametrize`.
pub(super) fn expand(fields: Fields) -> Result<Vec<(Parameters, Fields)>, String> {
    if !fields.iter().any(|(field, value)| is_parametrized(field, value)) {
        return Ok(vec![(Parameters::new(), fields)]);
    }
    let (special, plain): (Fields, Fields) =
        fields.into_iter().partition(|(field, value)| is_parametrized(field, value));
    let (groups, single): (Vec<_>, Vec<_>) =
        special.into_iter().partition(|(field, _)| field.starts_with(GROUP_PREFIX));
    let mut results = vec![(Parameters::new(), plain)];
    if !groups.is_empty() {
        let base = results.remove(0).1;
        for (_, group) in groups {
            let (name, set) = split_group(group)?;
            // The fields of a group may be parametrized too.
            for (mut parameters, set) in expand(set.into_iter().collect())? {
                parameters.insert("parametrize".to_owned(), name.clone());
                let mut fields = base.clone();
                fields.extend(set);
                results.push((parameters, fields));
            }
        }
    }
    for (field, value) in single {
        let choices = choices(&field, value)?;
        if results.len() * choices.len() > MAX_TARGETS {
            return Err(format!("`parametrize` makes more than {MAX_TARGETS} targets"));
        }
        let mut product = Vec::with_capacity(results.len() * choices.len());
        for (parameters, fields) in results {
            // The value of a group takes precedence.
            if fields.contains_key(&field) {
                product.push((parameters, fields));
                continue;
            }
            for (key, value) in &choices {
                let (mut parameters, mut fields) = (parameters.clone(), fields.clone());
                parameters.insert(field.clone(), key.clone());
                fields.insert(field.clone(), value.clone());
                product.push((parameters, fields));
            }
        }
        results = product;
    }
    Ok(results)
}

fn choices(field: &str, value: Value) -> Result<Vec<(String, Value)>, String> {
    let Value::Object(object) = value else {
        return Ok(vec![(String::new(), value)]);
    };
    let Object { positional, named, .. } = *object;
    let mut choices = Vec::new();
    for value in positional {
        match value {
            Value::Str(text) => choices.push((text.clone(), Value::Str(text))),
            _ => return Err(format!("`parametrize` for `{field}` has a value that is not a string and has no name")),
        }
    }
    choices.extend(named);
    if let Some((key, _)) = choices.iter().find(|(key, _)| key.contains([':', '#', '!', '@', '?', '=', ',', ' '])) {
        return Err(format!(
            "`{key}` of `parametrize` for `{field}` contains a character that is not allowed in addresses"
        ));
    }
    Ok(choices)
}

fn split_group(group: Value) -> Result<(String, Vec<(String, Value)>), String> {
    let refuse = || "`**parametrize(…)` takes the group's name and then named fields".to_owned();
    let Value::Object(group) = group else { return Err(refuse()) };
    match group.positional.as_slice() {
        [Value::Str(name)] => Ok((name.clone(), group.named)),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn parametrize(positional: &[&str], named: &[(&str, Value)]) -> Value {
        Value::Object(Box::new(Object {
            kind: "parametrize".to_owned(),
            positional: positional.iter().map(|value| text(value)).collect(),
            named: named.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }))
    }

    fn check(fields: &[(&str, Value)], expected: &[&str]) {
        let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
        let show = |parameters: &Parameters| {
            parameters.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        };
        let found: Vec<String> = expand(fields).expect("expands").iter().map(|(found, _)| show(found)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn all_fields_form_a_product() {
        check(&[("a", text("x"))], &[""]);
        check(&[("a", parametrize(&["x", "y"], &[]))], &["a=x", "a=y"]);
        let two = parametrize(&[], &[("k", Value::Int(1)), ("l", Value::None)]);
        check(&[("a", parametrize(&["x", "y"], &[])), ("b", two)], &["a=x,b=k", "a=x,b=l", "a=y,b=k", "a=y,b=l"]);
    }

    #[test]
    fn groups_are_alternatives() {
        let group = |name: &str| parametrize(&[name], &[("resolve", text(name))]);
        let fields = [("**parametrize#0", group("one")), ("**parametrize#1", group("two"))];
        check(&fields, &["parametrize=one", "parametrize=two"]);
        let inner = [("resolve", parametrize(&["a", "b"], &[])), ("timeout", Value::Int(1))];
        let fields = [("**parametrize#0", parametrize(&["one"], &inner)), ("**parametrize#1", group("two"))];
        check(&fields, &["parametrize=one,resolve=a", "parametrize=one,resolve=b", "parametrize=two"]);
    }

    #[test]
    fn values_that_cannot_be_keys_are_refused() {
        let fields = |value| Fields::from([("a".to_owned(), value)]);
        let positional = vec![Value::List(vec![])];
        let list = Value::Object(Box::new(Object { kind: "parametrize".to_owned(), positional, named: vec![] }));
        assert!(expand(fields(list)).is_err());
        assert!(expand(fields(parametrize(&["a=b"], &[]))).is_err());
    }
}
