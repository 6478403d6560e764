//! Visibility rules between two targets in different directories.

use super::*;
use crate::targets::Files;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("clean")
}

fn value(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn set(words: &[&str]) -> Value {
    Value::Tuple(words.iter().map(|word| value(word)).collect())
}

/// One call in a BUILD file.
fn call(sets: &[&[&str]], extend: bool) -> RulesCall {
    RulesCall { rulesets: sets.iter().map(|words| set(words)).collect(), extend, place: Place { line: 1, column: 1 } }
}

#[derive(Default)]
struct Repository {
    graph: TargetGraph,
    visibility: Visibility,
}

impl Repository {
    /// Adds a target of a file, and its generator with this name in `dir`.
    fn add(&mut self, dir: &str, kind: &str, name: &str, tags: &[&str], file: &str) {
        let generator = Address::new(&path(dir), name);
        let tags = Value::List(tags.iter().map(|tag| value(tag)).collect());
        let target = |address: Address, kind: &str, generator: Option<Address>| Target {
            address,
            kind: kind.to_owned(),
            fields: [("tags".to_owned(), tags.clone())].into(),
            sources: Vec::new(),
            generator,
            build_file: path(dir).push("BUILD").expect("clean"),
            place: Place { line: 1, column: 1 },
        };
        self.graph.insert_build_file(path(dir).push("BUILD").expect("clean"), Rules::default());
        self.graph.insert(target(generator.clone(), kind, None));
        self.graph.insert(target(generator.with_file(path(file)), "python_source", Some(generator)));
    }

    fn rules(&mut self, dir: &str, dependencies: &[RulesCall], dependents: &[RulesCall]) -> Vec<String> {
        let rules = Rules { dependencies: dependencies.to_vec(), dependents: dependents.to_vec() };
        let file = path(dir).push("BUILD").expect("clean");
        let found = self.visibility.declare(&path(dir), [(&file, &rules)]);
        found.iter().map(ToString::to_string).collect()
    }

    fn check_dependency(&self, from: &str, to: &str) -> Option<Diagnostic> {
        let target = |file: &str| {
            let found = self.graph.targets().find(|target| target.address.file_path() == Some(path(file)));
            found.expect("a target of that file")
        };
        let end = |file: &str| self.visibility.end(&self.graph, target(file));
        end(from).check_dependency(&end(to))
    }
}

fn two() -> Repository {
    let mut repository = Repository { graph: TargetGraph::from_files(Files::default()), ..Repository::default() };
    repository.add("src/app", "python_sources", "app", &["a"], "main.py");
    repository.add("src/lib", "python_sources", "lib", &["b", "core-x"], "deep/util.py");
    repository
}

/// Checks the dependency of `src/app` on `src/lib`, which has this rule set for its dependents.
fn check(ruleset: &[&str], expected: Option<bool>) {
    let mut repository = two();
    assert_eq!(repository.rules("src/lib", &[], &[call(&[ruleset], false)]), [""; 0]);
    let found = repository.check_dependency("src/app/main.py", "src/lib/deep/util.py").map(|found| found.is_error());
    assert_eq!(found, expected, "{ruleset:?}");
}

const ALLOWED: Option<bool> = None;
const WARNED: Option<bool> = Some(false);
const DENIED: Option<bool> = Some(true);

#[test]
fn the_first_matching_rule_decides() {
    check(&["*", "*"], ALLOWED);
    check(&["*", "!*"], DENIED);
    check(&["*", "?*"], WARNED);
    check(&["*", "//src/app/**", "!*"], ALLOWED);
    check(&["*", "!//src/app/**", "*"], DENIED);
}

#[test]
fn dependencies_that_no_rule_matches_are_denied() {
    check(&["*", "//src/other/**"], DENIED);
    check(&["<resources>", "*"], DENIED);
}

#[test]
fn paths_are_anchored_by_their_prefix() {
    check(&["*", "//src/app/main.py", "!*"], ALLOWED);
    check(&["*", "//app/**", "!*"], DENIED);
    check(&["*", "app/**", "!*"], ALLOWED);
    check(&["*", "pp/**", "!*"], DENIED);
    check(&["*", "main.py", "!*"], ALLOWED);
    check(&["*", "/**", "!*"], DENIED);
    check(&["/deep/**", "*"], ALLOWED);
    check(&["*", "../../app/**", "!*"], ALLOWED);
    check(&["*", "../app/**", "!*"], DENIED);
    check(&["./util.py", "*"], ALLOWED);
    check(&["*", ".py", "!*"], ALLOWED);
    check(&["*", "//src/*", "!*"], DENIED);
    check(&["*", "//src/*/main.py", "!*"], ALLOWED);
    check(&["*", "src/**/main.py", "!*"], ALLOWED);
}

#[test]
fn generated_targets_match_by_the_type_and_tags_of_their_generator() {
    check(&["<python_sources>", "*"], ALLOWED);
    check(&["<python_source>", "*"], DENIED);
    check(&["<python_*>[/deep/util.py:lib](b, core-*)", "<*_sources>(a)", "!*"], ALLOWED);
    check(&["<python_*>", "(b)", "!*"], DENIED);
    check(&[":lib", ":app", "!*"], ALLOWED);
}

#[test]
fn each_line_is_a_rule_and_comments_are_skipped() {
    check(&["*", "# who\n//src/other/**\n//src/app/**\n", "", "!*"], ALLOWED);
}

#[test]
fn patterns_can_be_dicts() {
    let mut repository = two();
    let dict =
        |pairs: &[(&str, &str)]| Value::Dict(pairs.iter().map(|(key, text)| (value(key), value(text))).collect());
    let selector = dict(&[("type", "python_sources"), ("path", "//src/**")]);
    let rule = dict(&[("path", "//src/app/**"), ("tags", "a"), ("action", "deny")]);
    let call = RulesCall { rulesets: vec![Value::Tuple(vec![selector, rule])], ..call(&[], false) };
    repository.rules("src/lib", &[], &[call]);
    let found = repository.check_dependency("src/app/main.py", "src/lib/deep/util.py").expect("denied");
    assert!(found.message.contains("rule `![//src/app/**](a)`"), "{found}");
}

#[test]
fn a_directory_inherits_rules_until_it_declares_its_own() {
    let ask =
        |repository: &Repository| repository.check_dependency("src/app/main.py", "src/lib/deep/util.py").is_some();
    let mut repository = two();
    repository.rules("src", &[call(&[&["*", "!*"]], false)], &[]);
    assert!(ask(&repository));
    repository.rules("src/app", &[call(&[&["*", "*"]], false)], &[]);
    assert!(!ask(&repository));
    repository.rules("src/app", &[call(&[&["<files>", "*"]], true)], &[]);
    assert!(ask(&repository));
    repository.rules("src/app", &[call(&[], false)], &[]);
    assert!(ask(&repository));
}

#[test]
fn the_message_names_both_targets_and_both_rules_with_their_positions() {
    let mut repository = two();
    repository.rules("src/app", &[call(&[&["*", "//src/**"]], false)], &[]);
    repository.rules("src/lib", &[], &[call(&[&["*", "/**", "!*"]], false)]);
    let found = repository.check_dependency("src/app/main.py", "src/lib/deep/util.py").expect("denied").to_string();
    let expected = "src/lib/BUILD:1:1: the `python_sources` src/app/main.py may not depend on the `python_sources` \
                    src/lib/deep/util.py:../lib: rule `//src/**` of `__dependencies_rules__` at src/app/BUILD:1:1; \
                    rule `!*` of `__dependents_rules__` at src/lib/BUILD:1:1";
    assert_eq!(found, expected);
}

#[test]
fn invalid_rule_sets_are_refused_with_their_position() {
    let mut repository = two();
    let refused = |repository: &mut Repository, calls: &[RulesCall]| repository.rules("src/lib", &[], calls).join("\n");
    assert!(
        refused(&mut repository, &[call(&[&["*"]], false)])
            .contains("BUILD:1:1: `__dependents_rules__`: a rule set must be")
    );
    assert!(refused(&mut repository, &[call(&[&["!x", "*"]], false)]).contains("`!x` is empty and matches nothing"));
    let twice = [call(&[&["*", "*"]], false), call(&[&["*", "*"]], false)];
    assert!(refused(&mut repository, &twice).contains("more than once"));
    let number = RulesCall { rulesets: vec![Value::Tuple(vec![value("*"), Value::Int(1)])], ..call(&[], false) };
    assert!(refused(&mut repository, &[number]).contains("strings or dicts"));
}
