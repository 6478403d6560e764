//! The types of field values: whether a value that a BUILD file sets has the type that its field requires, as Pants
//! checks it. The types themselves are in `kind`, and positions in the text are found by `generate`.

use crate::build_file::{GROUP_PREFIX, Value};
use crate::targets::kind::{Kind, Shape};

/// A value of the wrong type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// One sentence that names the field, the target type and the value.
    pub message: String,
    /// How to write the value.
    pub hint: Option<String>,
    /// The names of the parts that lead to the value, for `build_file::locate`.
    pub path: Vec<String>,
}

/// The values of a declaration that have the wrong type, and fields inside `overrides` that `kind` does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Values of the wrong type.
    pub mismatches: Vec<Mismatch>,
    /// Unknown fields inside `overrides`: the key of the override and the field.
    pub unknown: Vec<(String, String)>,
}

/// Checks the fields of one declaration. Unknown fields outside `overrides` are not checked.
pub(super) fn check_fields<'v>(kind: &Kind, fields: impl IntoIterator<Item = (&'v String, &'v Value)>) -> Findings {
    let mut findings = Findings::default();
    for (field, value) in fields {
        match value {
            Value::Object(group) if field.starts_with(GROUP_PREFIX) => {
                let fields = group.named.iter();
                findings.mismatches.extend(fields.filter_map(|(field, value)| check_field(kind, field, value)));
            }
            _ if field == "overrides" && kind.is_generator() => check_overrides(kind, value, &mut findings),
            _ => findings.mismatches.extend(check_field(kind, field, value)),
        }
    }
    findings
}

fn check_field(kind: &Kind, field: &str, value: &Value) -> Option<Mismatch> {
    let shape = kind.shape_of(field)?;
    let choices = match value {
        Value::Object(object) if object.kind == "parametrize" => {
            object.positional.iter().chain(object.named.iter().map(|(_, value)| value)).collect()
        }
        value => vec![value],
    };
    let wrong = choices.into_iter().find(|value| !fits(shape, value))?;
    Some(Mismatch {
        message: format!("`{field}` of `{}` must be {}, not {}", kind.name, expected(shape), described(wrong)),
        hint: hint(shape, field, wrong),
        path: vec![field.to_owned()],
    })
}

fn check_overrides(kind: &Kind, overrides: &Value, findings: &mut Findings) {
    let refuse = |what: &str, path: &[&str]| Mismatch {
        message: format!("{what} in `overrides` of `{}` must be a dict of fields by file or name", kind.name),
        hint: Some("write `overrides={\"NAME\": {\"FIELD\": VALUE}}`".to_owned()),
        path: path.iter().map(|part| (*part).to_owned()).collect(),
    };
    let entries = match overrides {
        Value::None => return,
        Value::Dict(entries) => entries,
        _ => return findings.mismatches.push(refuse("the value", &["overrides"])),
    };
    for (keys, fields) in entries {
        let names = match keys {
            Value::Str(key) => vec![key.as_str()],
            keys => keys.strings(),
        };
        let Some(name) = names.first() else {
            findings.mismatches.push(refuse("a key", &["overrides"]));
            continue;
        };
        let Value::Dict(fields) = fields else {
            findings.mismatches.push(refuse(&format!("the value of `{name}`"), &["overrides", name]));
            continue;
        };
        for (field, value) in fields {
            let Some(field) = field.as_str() else {
                findings.mismatches.push(refuse(&format!("a field of `{name}`"), &["overrides", name]));
                continue;
            };
            if !field.starts_with(GROUP_PREFIX)
                && !Kind::find(kind.generates).is_none_or(|generated| generated.takes(field))
            {
                findings.unknown.push(((*name).to_owned(), field.to_owned()));
            }
            let path = ["overrides", name, field].map(str::to_owned).to_vec();
            findings.mismatches.extend(check_field(kind, field, value).map(|wrong| Mismatch { path, ..wrong }));
        }
    }
}

/// Whether a value has a type. `None` stands for the default everywhere.
fn fits(shape: Shape, value: &Value) -> bool {
    let all = |holds: fn(&Value) -> bool| value.items().is_some_and(|items| items.iter().all(holds));
    let pairs = |holds: fn(&Value) -> bool| match value {
        Value::Dict(pairs) => pairs.iter().all(|(key, value)| is_text(key) && holds(value)),
        _ => false,
    };
    if *value == Value::None {
        return true;
    }
    match shape {
        Shape::String | Shape::Address => is_text(value),
        Shape::StringList | Shape::AddressList => all(is_text),
        Shape::Bool => value.as_bool().is_some(),
        Shape::Number => value.as_int().is_some_and(|number| number >= 1),
        Shape::Count => value.as_int().is_some_and(|number| number >= 0),
        Shape::Dict => pairs(|_| true),
        Shape::StringDict => pairs(is_text),
        Shape::ListDict => pairs(|value| value.items().is_some_and(|items| items.iter().all(is_text))),
        Shape::Source => is_text(value) || matches!(value, Value::Object(_)),
        Shape::Object => matches!(value, Value::Object(_)),
        Shape::OneOf(choices) => match value {
            Value::Str(text) => choices.contains(&text.as_str()),
            // `inherit_path` has the choice `false`, which older BUILD files write without quotes.
            Value::Bool(false) => choices.contains(&"false"),
            _ => false,
        },
        Shape::Any => true,
    }
}

/// Whether a value is a string, or `stevedore_namespace("…")`, which is one in Pants.
fn is_text(value: &Value) -> bool {
    match value {
        Value::Str(_) => true,
        Value::Object(object) => object.kind == "stevedore_namespace",
        _ => false,
    }
}

fn expected(shape: Shape) -> String {
    let text = match shape {
        Shape::String => "a string",
        Shape::StringList => "a list of strings",
        Shape::Bool => "`True` or `False`",
        Shape::Number => "an integer that is at least 1",
        Shape::Count => "an integer that is at least 0",
        Shape::Dict => "a dict with strings as keys",
        Shape::StringDict => "a dict of strings",
        Shape::ListDict => "a dict of lists of strings",
        Shape::Source => "the path of a file",
        Shape::AddressList => "a list of addresses",
        Shape::Address => "an address",
        Shape::Object => "an object such as `python_artifact(…)`",
        Shape::Any => "any value",
        Shape::OneOf(choices) => return format!("one of `{}`", choices.join("`, `")),
    };
    text.to_owned()
}

/// A value in words: short ones as they are written, others by their type.
fn described(value: &Value) -> String {
    match value {
        Value::None => "`None`".to_owned(),
        Value::Bool(value) => format!("`{}`", if *value { "True" } else { "False" }),
        Value::Int(number) => format!("`{number}`"),
        Value::Float(number) => format!("`{number:?}`"),
        Value::Str(text) => format!("the string `\"{text}\"`"),
        Value::List(items) | Value::Tuple(items) => match items.iter().find(|item| !is_text(item)) {
            Some(item) => format!("a list that contains {}", described(item)),
            None => "a list".to_owned(),
        },
        Value::Dict(_) => "a dict".to_owned(),
        Value::Object(object) => format!("`{}(…)`", object.kind),
    }
}

fn hint(shape: Shape, field: &str, value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let written = match shape {
        Shape::StringList | Shape::AddressList => format!("[\"{text}\"]"),
        Shape::Number | Shape::Count => text.parse::<i64>().ok()?.to_string(),
        Shape::Bool if matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1") => "True".to_owned(),
        Shape::Bool => "False".to_owned(),
        _ => return None,
    };
    Some(format!("write `{field}={written}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build_file::Object;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn object(kind: &str) -> Value {
        Value::Object(Box::new(Object { kind: kind.to_owned(), positional: Vec::new(), named: Vec::new() }))
    }

    #[track_caller]
    fn check(kind: &str, field: &str, value: Value, expected: &str) {
        let fields = [(field.to_owned(), value)];
        let findings =
            check_fields(Kind::find(kind).expect("known"), fields.iter().map(|(field, value)| (field, value)));
        let messages: Vec<&str> = findings.mismatches.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages.join("\n"), expected, "{field}");
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let wrong = "`tags` of `python_sources` must be a list of strings, not the string `\"slow\"`";
        check("python_sources", "tags", text("slow"), wrong);
        let wrong = "`sources` of `python_sources` must be a list of strings, not a list that contains `1`";
        check("python_sources", "sources", Value::List(vec![Value::Int(1)]), wrong);
        let wrong = "`skip_tests` of `python_tests` must be `True` or `False`, not the string `\"yes\"`";
        check("python_tests", "skip_tests", text("yes"), wrong);
        let wrong = "`timeout` of `python_test` must be an integer that is at least 1, not `0`";
        check("python_test", "timeout", Value::Int(0), wrong);
        let wrong = "`layout` of `pex_binary` must be one of `zipapp`, `packed`, `loose`, not the string `\"zip\"`";
        check("pex_binary", "layout", text("zip"), wrong);
    }

    #[test]
    fn values_of_the_right_type_none_and_unlisted_fields_are_accepted() {
        check("python_sources", "tags", Value::None, "");
        check("python_sources", "tags", Value::Tuple(vec![text("a")]), "");
        check("python_test", "xdist_concurrency", Value::Int(0), "");
        check("pex_binary", "inherit_path", Value::Bool(false), "");
        check("package_json", "scripts", Value::List(vec![object("node_build_script")]), "");
        check("python_tests", "stevedore_namespaces", Value::List(vec![object("stevedore_namespace")]), "");
        check("resource", "source", object("http_source"), "");
        let groups = Value::Dict(vec![(text("src:dist"), Value::List(vec![text("group")]))]);
        check("python_tests", "entry_point_dependencies", groups, "");
        check("python_source", "of_a_plugin", Value::Int(1), "");
        check("python_source", "skip_tool_of_a_plugin", Value::Bool(true), "");
    }

    #[test]
    fn every_value_of_parametrize_is_checked() {
        let named = vec![("a".to_owned(), Value::Int(1)), ("b".to_owned(), text("2"))];
        let choices = Object { kind: "parametrize".to_owned(), positional: Vec::new(), named };
        let wrong = "`timeout` of `python_test` must be an integer that is at least 1, not the string `\"2\"`";
        check("python_test", "timeout", Value::Object(Box::new(choices)), wrong);
    }

    #[test]
    fn fields_inside_overrides_are_checked() {
        let set = Value::Dict(vec![(text("tags"), text("a")), (text("tagz"), Value::None)]);
        let fields = [("overrides".to_owned(), Value::Dict(vec![(text("a.py"), set)]))];
        let kind = Kind::find("python_sources").expect("known");
        let findings = check_fields(kind, fields.iter().map(|(field, value)| (field, value)));
        assert_eq!(findings.mismatches[0].path, ["overrides", "a.py", "tags"]);
        assert_eq!(findings.mismatches[0].hint.as_deref(), Some("write `tags=[\"a\"]`"));
        assert_eq!(findings.unknown, [("a.py".to_owned(), "tagz".to_owned())]);
        let wrong = "the value in `overrides` of `python_sources` must be a dict of fields by file or name";
        check("python_sources", "overrides", Value::List(Vec::new()), wrong);
    }
}
