//! Evaluation of BUILD files by real Python, for code that the built-in evaluator does not support: the JSON request
//! and response that `interpret.py` reads and writes. Running Python is the task of the session.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::call::OBJECTS;
use crate::build_file::decl::FieldList;
use crate::build_file::{BuildFile, DefaultsCall, Diagnostic, Object, RulesCall, TargetDecl, Value};

/// The source of the Python program. Its arguments are the paths of the request and of the response; it runs in the
/// build root.
pub const PROGRAM: &str = include_str!("interpret.py");

/// BUILD files for Python to evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationRequest {
    /// The BUILD files.
    pub files: BTreeSet<RelPath>,
    /// All preludes, in the order in which they run.
    pub preludes: Vec<RelPath>,
    /// All known target types.
    pub kinds: Vec<&'static str>,
    /// The value of `PANTS_VERSION`.
    pub pants_version: String,
}

/// Inputs that an evaluation used but the request did not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingInputs {
    /// Environment variables.
    pub env: BTreeSet<String>,
    /// Files that the BUILD files open.
    pub open: BTreeSet<RelPath>,
}

impl MissingInputs {
    /// Whether the evaluation had all its inputs.
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.open.is_empty()
    }
}

/// The result of one evaluation.
#[derive(Debug, PartialEq)]
pub struct EvaluationResponse {
    /// Files that were evaluated to the end, with or without errors.
    pub files: BTreeMap<RelPath, BuildFile>,
    /// Inputs to add to the next request.
    pub missing_inputs: MissingInputs,
}

impl EvaluationRequest {
    /// The request as JSON. `env` holds the environment variables that earlier responses asked for, `open` the files.
    pub fn to_json(&self, env: &BTreeMap<String, Option<String>>, open: &BTreeSet<RelPath>) -> String {
        let paths =
            |paths: &mut dyn Iterator<Item = &RelPath>| paths.map(RelPath::as_str).collect::<Vec<_>>().join("\n");
        let list = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        json!({
            "files": list(paths(&mut self.files.iter())),
            "preludes": list(paths(&mut self.preludes.iter())),
            "kinds": self.kinds,
            "pants_version": self.pants_version,
            "objects": OBJECTS,
            "env": env,
            "open": list(paths(&mut open.iter())),
        })
        .to_string()
    }
}

/// Decodes a response. `None` if it is not in the form that `interpret.py` writes.
pub fn decode(bytes: &[u8]) -> Option<EvaluationResponse> {
    let response: Json = serde_json::from_slice(bytes).ok()?;
    let mut files = BTreeMap::new();
    for (path, file) in response["files"].as_object()? {
        let path = RelPath::parse(path).ok()?;
        if !file.is_null() {
            files.insert(path.clone(), build_file(&path, file)?);
        }
    }
    let strings = |what: &str| response["wants"][what].as_array().into_iter().flatten().filter_map(Json::as_str);
    let env = strings("env").map(str::to_owned).collect();
    let open = strings("open").filter_map(|path| RelPath::parse(path).ok()).collect();
    Some(EvaluationResponse { files, missing_inputs: MissingInputs { env, open } })
}

fn build_file(path: &RelPath, json: &Json) -> Option<BuildFile> {
    let mut file = BuildFile::default();
    if let Some(error) = json.get("error") {
        let source = RelPath::parse(error["file"].as_str()?).ok()?;
        let place = Place { line: number(&error["line"])?, column: number(&error["column"])? };
        file.diagnostics.push(Diagnostic::error(&source, place, error["message"].as_str()?));
        file.affects_subdirectories = true;
    }
    for target in json["targets"].as_array()? {
        let decl = target_decl(target)?;
        if !target["known"].as_bool()? {
            file.diagnostics.push(Diagnostic::unknown(path, decl.place, "target type", &format!("`{}`", decl.kind)));
        }
        file.targets.push(decl);
    }
    let rules = |name: &str| json[name].as_array()?.iter().map(rules_call).collect::<Option<Vec<_>>>();
    file.defaults = json["defaults"].as_array()?.iter().map(defaults_call).collect::<Option<_>>()?;
    file.dependencies_rules = rules("__dependencies_rules__")?;
    file.dependents_rules = rules("__dependents_rules__")?;
    Some(file)
}

fn target_decl(json: &Json) -> Option<TargetDecl> {
    let mut fields: BTreeMap<String, Value> = field_list(&json["fields"])?.into_iter().collect();
    let name = match fields.remove("name") {
        None | Some(Value::None) => None,
        Some(name) => Some(name.as_str()?.to_owned()),
    };
    let kind = json["kind"].as_str()?.to_owned();
    let (place, defaults_before) = (place(json)?, number(&json["after"])?);
    Some(TargetDecl { kind, name, fields, place, macro_place: None, defaults_before })
}

fn defaults_call(json: &Json) -> Option<DefaultsCall> {
    let kinds = json["kinds"].as_array()?.iter().map(|entry| {
        let names = entry[0].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned()));
        Some((names.collect::<Option<Vec<_>>>()?, field_list(&entry[1])?))
    });
    Some(DefaultsCall {
        kinds: kinds.collect::<Option<_>>()?,
        all: field_list(&json["all"])?,
        extend: json["extend"].as_bool()?,
        ignore_unknown_fields: json["ignore_unknown_fields"].as_bool()?,
        ignore_unknown_targets: json["ignore_unknown_targets"].as_bool()?,
        place: place(json)?,
    })
}

fn rules_call(json: &Json) -> Option<RulesCall> {
    let rulesets = json["rulesets"].as_array()?.iter().map(|rule| value(rule, 0)).collect::<Option<_>>()?;
    Some(RulesCall { rulesets, extend: json["extend"].as_bool()?, place: place(json)? })
}

fn field_list(json: &Json) -> Option<FieldList> {
    json.as_array()?.iter().map(|pair| Some((pair[0].as_str()?.to_owned(), value(&pair[1], 0)?))).collect()
}

fn place(json: &Json) -> Option<Place> {
    Some(Place { line: number(&json["line"])?, column: 1 })
}

fn number(json: &Json) -> Option<usize> {
    usize::try_from(json.as_u64()?).ok()
}

fn value(json: &Json, depth: usize) -> Option<Value> {
    let values = |list: &Json| list.as_array()?.iter().map(|item| value(item, depth + 1)).collect::<Option<Vec<_>>>();
    Some(match json {
        _ if depth > MAX_DEPTH => return None,
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(_) => Value::List(values(json)?),
        Json::Object(map) if map.contains_key("tuple") => Value::Tuple(values(&json["tuple"])?),
        Json::Object(map) if map.contains_key("dict") => {
            let pair = |pair: &Json| Some((value(&pair[0], depth + 1)?, value(&pair[1], depth + 1)?));
            Value::Dict(json["dict"].as_array()?.iter().map(pair).collect::<Option<_>>()?)
        }
        Json::Object(_) => {
            let named = |pair: &Json| Some((pair[0].as_str()?.to_owned(), value(&pair[1], depth + 1)?));
            Value::Object(Box::new(Object {
                kind: json["object"].as_str()?.to_owned(),
                positional: values(&json["positional"])?,
                named: json["named"].as_array()?.iter().map(named).collect::<Option<_>>()?,
            }))
        }
    })
}

/// The nesting limit of the built-in evaluator.
const MAX_DEPTH: usize = crate::build_file::term::MAX_DEPTH;

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"files": {"a/BUILD": {"targets": [
        {"kind": "files", "known": true, "line": 3, "after": 1, "fields": [
            ["name", "x"], ["sources", {"tuple": ["a", 1, 1.5, null, {"dict": [["k", true]]}]}],
            ["**parametrize#1", {"object": "parametrize", "positional": ["g"], "named": [["resolve", "r"]]}]]},
        {"kind": "plug", "known": false, "line": 4, "after": 1, "fields": []}],
        "defaults": [{"kinds": [[["files"], [["tags", ["t"]]]]], "all": [], "extend": true, "line": 1,
            "ignore_unknown_fields": false, "ignore_unknown_targets": true}],
        "__dependencies_rules__": [{"rulesets": [{"tuple": ["<files>", "!*"]}], "extend": false, "line": 2}],
        "__dependents_rules__": []}, "b/BUILD": null,
        "c/BUILD": {"targets": [], "defaults": [], "__dependencies_rules__": [], "__dependents_rules__": [],
            "error": {"file": "m.py", "line": 2, "column": 5, "message": "ValueError: no"}}},
        "wants": {"env": ["HOME"], "open": ["VERSION", "../x"]}}"#;

    #[test]
    fn a_response_decodes_to_the_same_declarations_as_built_in_evaluation() {
        let response = decode(ANSWER.as_bytes()).expect("a response");
        let path = |text| RelPath::parse(text).expect("clean");
        let file = &response.files[&path("a/BUILD")];
        assert_eq!((file.targets[0].name.as_deref(), file.targets[0].place.line), (Some("x"), 3));
        assert_eq!(file.targets[0].fields["sources"].items().map(<[Value]>::len), Some(5));
        assert!(
            matches!(&file.targets[0].fields["**parametrize#1"], Value::Object(object) if object.kind == "parametrize")
        );
        assert_eq!(file.diagnostics[0].to_string(), "a/BUILD:4:1: unknown target type `plug`: it has no effect");
        assert!(file.defaults[0].extend && file.defaults[0].kinds[0].0 == ["files"]);
        assert_eq!(file.dependencies_rules[0].rulesets.len(), 1);
        assert!(!response.files.contains_key(&path("b/BUILD")));
        assert_eq!(response.files[&path("c/BUILD")].diagnostics[0].to_string(), "m.py:2:5: ValueError: no");
        assert_eq!(response.missing_inputs.env, BTreeSet::from(["HOME".to_owned()]));
        assert_eq!(response.missing_inputs.open, BTreeSet::from([path("VERSION")]));
    }

    #[test]
    fn a_malformed_response_is_refused() {
        for text in
            ["", "{}", "[]", r#"{"files": []}"#, r#"{"files": {"/abs": {}}}"#, r#"{"files": {"a": {"targets": 1}}}"#]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        let deep = format!(r#"[["f", {}1{}]]"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(field_list(&serde_json::from_str(&deep).expect("JSON")), None);
    }
}
