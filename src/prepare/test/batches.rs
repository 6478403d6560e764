//! Which test files share a process: those with the same `batch_compatibility_tag` and equal settings. Files without the
//! tag have a process each.

use std::collections::BTreeMap;

use crate::prepare::Error;
use crate::prepare::test::process_settings::{ProcessDefaults, ProcessSettings};
use crate::session::Session;
use crate::targets::{Address, Target, TargetGraph};

/// Test files that share a process.
pub(super) struct TestBatch<'a> {
    /// In the order given, at least one.
    pub targets: Vec<&'a Target>,
    /// The settings of the process, or why these tests may not run.
    pub settings: Result<ProcessSettings, Error>,
}

/// Batches of these tests, in the order of their first tests.
pub(super) fn batches<'a>(session: &Session, graph: &'a TargetGraph, tests: &[Address]) -> Vec<TestBatch<'a>> {
    let defaults = ProcessDefaults::parse(session);
    let targets = tests.iter().filter_map(|address| graph.get(address));
    let with_settings = targets.map(|target| (target, ProcessSettings::parse(&defaults, target)));
    group(with_settings, defaults.test.batch_size)
}

fn group<'a>(
    targets: impl Iterator<Item = (&'a Target, Result<ProcessSettings, Error>)>,
    size: usize,
) -> Vec<TestBatch<'a>> {
    let mut batches: Vec<TestBatch<'a>> = Vec::new();
    // The last batch for a tag and settings, while it is not full.
    let mut open: BTreeMap<(&str, ProcessSettings), usize> = BTreeMap::new();
    for (target, settings) in targets {
        let tag = target.text("batch_compatibility_tag");
        let key = tag.zip(settings.as_ref().ok().cloned());
        match key.as_ref().and_then(|key| open.get(key)).filter(|place| batches[**place].targets.len() < size) {
            Some(place) => batches[*place].targets.push(target),
            None => {
                open.extend(key.map(|key| (key, batches.len())));
                batches.push(TestBatch { targets: vec![target], settings });
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::base::text::Place;
    use crate::build_file::Value;
    use crate::config::Config;
    use crate::session::Terminal;

    fn target(name: &str, fields: &[(&str, Value)]) -> Target {
        Target {
            address: Address::new(&RelPath::root(), name),
            kind: "python_test".to_owned(),
            fields: fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            sources: Vec::new(),
            generator: None,
            build_file: RelPath::parse("BUILD").unwrap(),
            place: Place::default(),
        }
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    /// Names joined by `+` where they share a process.
    fn check(targets: &[Target], size: usize, expected: &[&str]) {
        let terminal = Terminal::default();
        let session = Session::new(Config::default(), Default::default(), "/".into(), Vec::new(), terminal).unwrap();
        let defaults = ProcessDefaults::parse(&session);
        let batches = group(targets.iter().map(|target| (target, ProcessSettings::parse(&defaults, target))), size);
        let name = |target: &&Target| target.address.name.to_string();
        let names = batches.iter().map(|batch| batch.targets.iter().map(name).collect::<Vec<_>>().join("+"));
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_tests_with_the_same_tag_share_a_process() {
        let tagged = |name, tag| target(name, &[("batch_compatibility_tag", text(tag))]);
        let targets = [tagged("a", "x"), target("b", &[]), tagged("c", "x"), tagged("d", "y"), target("e", &[])];
        check(&targets, 128, &["a+c", "b", "d", "e"]);
    }

    #[test]
    fn tests_with_different_process_settings_do_not_share_a_process() {
        let tag = ("batch_compatibility_tag", text("x"));
        let with = |name, field: &'static str, value| target(name, &[tag.clone(), (field, value)]);
        let one = |value: &str| Value::List(vec![text(value)]);
        let targets = [
            target("a", std::slice::from_ref(&tag)),
            with("b", "resolve", text("other")),
            with("c", "interpreter_constraints", one("==3.12.*")),
            with("d", "extra_env_vars", one("A=1")),
            with("e", "environment", text("docker")),
            with("f", "tags", one("no-cache")),
            with("g", "timeout", Value::Int(3)),
        ];
        check(&targets, 128, &["a+g", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn a_batch_has_at_most_the_given_size() {
        let targets = ["a", "b", "c", "d", "e"].map(|name| target(name, &[("batch_compatibility_tag", text("x"))]));
        check(&targets, 2, &["a+b", "c+d", "e"]);
    }

    #[test]
    fn a_test_that_may_not_run_shares_no_process() {
        let fields = [("batch_compatibility_tag", text("x")), ("tags", Value::List(vec![text("no-sandbox")]))];
        check(&[target("a", &fields), target("b", &fields)], 128, &["a", "b"]);
    }
}
