//! Option values from separate files: `@path`, `@?path` for an optional file, and `@@text` for a value that begins with `@`. Reads
//! only the file that the value names.

use std::path::Path;

use serde_json::Value;

use crate::config::table::Kind;
use crate::config::value::InvalidValue;

/// The value itself, or the value in the file that it names; `None` if an optional file is missing.
pub(super) fn expand(kind: Kind, value: &Value, build_root: &Path) -> Result<Option<Value>, InvalidValue> {
    let Value::String(text) = value else { return Ok(Some(value.clone())) };
    let Some(rest) = text.strip_prefix('@') else { return Ok(Some(value.clone())) };
    if rest.starts_with('@') {
        return Ok(Some(Value::String(rest.to_owned())));
    }
    let (is_optional, rest) = rest.strip_prefix('?').map_or((false, rest), |rest| (true, rest));
    let (path, key) = split_key(rest);
    match std::fs::read_to_string(build_root.join(path)) {
        Ok(content) => parse(kind, path, key, &content).map(Some),
        Err(error) if is_optional && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(invalid(format!("cannot read the file `{path}`: {error}"))),
    }
}

/// Splits `path:a.b` into the path and the key `a.b` in the file.
fn split_key(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((path, key)) if !path.is_empty() && !key.is_empty() && !key.contains('/') => (path, Some(key)),
        _ => (text, None),
    }
}

fn parse(kind: Kind, path: &str, key: Option<&str>, content: &str) -> Result<Value, InvalidValue> {
    let extension = Path::new(path).extension().and_then(std::ffi::OsStr::to_str).unwrap_or("");
    if kind == Kind::Text && key.is_none() {
        return Ok(Value::String(content.trim().to_owned()));
    }
    let parsed = match extension {
        "json" => {
            serde_json::from_str(content).map_err(|error| invalid(format!("invalid JSON in `{path}`: {error}")))?
        }
        "toml" => toml::from_str(content)
            .map_err(|error| invalid(format!("invalid TOML in `{path}`: {}", error.message())))?,
        "yaml" | "yml" => {
            serde_saphyr::from_str(content).map_err(|error| invalid(format!("invalid YAML in `{path}`: {error}")))?
        }
        _ => Value::String(content.trim().to_owned()),
    };
    let Some(key) = key else { return Ok(parsed) };
    let found = key.split('.').try_fold(&parsed, |value, part| value.get(part));
    found.cloned().ok_or_else(|| invalid(format!("`{path}` has no key `{key}`")))
}

fn invalid(message: String) -> InvalidValue {
    InvalidValue { message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: Kind, text: &str, files: &[(&str, &str)], expected: Option<Value>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        assert_eq!(expand(kind, &json!(text), dir.path()), Ok(expected), "{text}");
    }

    #[test]
    fn a_value_is_read_from_its_file() {
        check(Kind::Text, "@v", &[("v", "1.2\n")], Some(json!("1.2")));
        check(Kind::Texts, "@v.json", &[("v.json", "[\"a\"]")], Some(json!(["a"])));
        check(Kind::Dict, "@v.toml", &[("v.toml", "a = 1")], Some(json!({"a": 1})));
        check(
            Kind::Dict,
            "@v.yaml",
            &[("v.yaml", "'*.py': |\n  x\nb: [1, a]")],
            Some(json!({"*.py": "x\n", "b": [1, "a"]})),
        );
        check(Kind::Text, "@v.toml:a.b", &[("v.toml", "[a]\nb = 'x'")], Some(json!("x")));
    }

    #[test]
    fn nested_anchors_with_exponential_size_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 8].join(", "));
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("v.yaml"), bomb).unwrap();
        assert!(expand(Kind::Dict, &json!("@v.yaml"), dir.path()).unwrap_err().message.contains("invalid YAML"));
    }

    #[test]
    fn an_optional_file_can_be_missing_and_two_signs_escape_one() {
        check(Kind::Text, "@?v", &[], None);
        check(Kind::Text, "@@v", &[], Some(json!("@v")));
        assert!(expand(Kind::Text, &json!("@v"), Path::new("/nonexistent")).unwrap_err().message.contains("`v`"));
    }
}
