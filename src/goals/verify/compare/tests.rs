//! Tests of comparisons of records, with results in a real store.

use std::time::Duration;

use super::*;
use crate::action::{Exit, Measurement, Outcome};
use crate::base::RelPath;
use crate::store::{Node, Tree};

struct Case {
    _dir: tempfile::TempDir,
    store: Store,
}

impl Case {
    fn new() -> Case {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Case { _dir: dir, store }
    }

    fn step(&self, inputs: &str, stdout: &str, file: &str, exit: Exit) -> RecordedStep {
        let put = |text: &str| self.store.put(text.as_bytes()).unwrap();
        let node = Node::File { digest: put(file), executable: false };
        let output = self.store.put_tree(&Tree { nodes: [(RelPath::parse("out.txt").unwrap(), node)].into() }).unwrap();
        let outcome = Outcome {
            exit,
            stdout: put(stdout),
            stderr: put(""),
            output,
            wall: Duration::ZERO,
            max_rss_bytes: 0,
            attempts: 1,
            started_from: None,
            audit: None,
        };
        RecordedStep {
            goal: "test".to_owned(),
            label: "step".to_owned(),
            needed_by: ("step".to_owned(), 0),
            position: (0, 0),
            inputs: vec![inputs.to_owned()],
            measurements: vec![Measurement { file: None, pattern: r"in \d+s".to_owned() }],
            result: RecordedResult::Process(outcome),
        }
    }

    /// A step with a directory `data` whose contents do not matter.
    fn step_with_files(&self, files: &[(&str, &str)]) -> RecordedStep {
        let mut step = self.step("a", "", "x", DONE);
        let node = |text: &str| Node::File { digest: self.store.put(text.as_bytes()).unwrap(), executable: false };
        let nodes = files.iter().map(|(path, text)| (RelPath::parse(path).unwrap(), node(text))).collect();
        let RecordedResult::Process(outcome) = &mut step.result else { unreachable!("`step` makes a process") };
        outcome.output = self.store.put_tree(&Tree { nodes }).unwrap();
        step.measurements = vec![Measurement::directory("data")];
        step
    }

    fn compare(&self, first: (&str, RecordedStep), second: (&str, RecordedStep)) -> Comparison {
        let record = |(key, step): (&str, RecordedStep)| Record::from([(key.to_owned(), step)]);
        let moves = [Move { moved: "/other".to_owned(), original: "/own".to_owned() }];
        records(&self.store, &record(first), &record(second), &moves).unwrap()
    }
}

const DONE: Exit = Exit::Code(0);

#[test]
fn equal_results_are_identical_and_durations_do_not_count() {
    let case = Case::new();
    let first = || ("1", case.step("a", "passed in 1s", "x", DONE));
    assert_eq!(case.compare(first(), first()).total(), Counts { identical: 1, ..Counts::default() });
    let other = ("1", case.step("a", "passed in 2s", "x", DONE));
    assert_eq!(case.compare(first(), other).total(), Counts { measured: 1, ..Counts::default() });
}

#[test]
fn neither_files_nor_their_contents_count_in_a_measured_directory() {
    let case = Case::new();
    let compare = |other: &[(&str, &str)]| {
        let first = case.step_with_files(&[("data/id", "1"), ("data/log", "a"), ("result", "x")]);
        let found = case.compare(("1", first), ("1", case.step_with_files(other))).total();
        (found.measured, found.different)
    };
    assert_eq!(compare(&[("data/id", "2"), ("data/other", "b"), ("result", "x")]), (1, 0));
    assert_eq!(compare(&[("data/id", "1"), ("data/log", "a"), ("result", "y")]), (0, 1));
    assert_eq!(compare(&[("data/id", "1"), ("data/log", "a"), ("result", "x"), ("database", "y")]), (0, 1));
}

#[test]
fn a_difference_names_the_place_and_the_kind() {
    let case = Case::new();
    let first = || ("1", case.step("a", "passed in 1s", "on 2026-01-01\n", DONE));
    let found =
        case.compare(first(), ("1", case.step("a", "failed in 2s", "on 2026-01-02\n", Exit::Code(1)))).differences;
    let described = |file: &FileDifference| format!("{}: {}", file.place, file.kind);
    let files: Vec<String> = found[0].files.iter().map(described).collect();
    assert_eq!(files, ["exit code: exit code", "standard output: unknown", "out.txt: time"]);
    assert_eq!(found[0].files[2].diff, "-on 2026-01-01\n+on 2026-01-02");
}

#[test]
fn a_time_limit_says_nothing_about_the_result() {
    let case = Case::new();
    let first = ("1", case.step("a", "", "x", DONE));
    let found = case.compare(first, ("1", case.step("a", "", "x", Exit::TimedOut)));
    assert_eq!(found.total(), Counts { not_comparable: 1, ..Counts::default() });
}

#[test]
fn a_step_that_names_its_own_directory_is_compared_without_it() {
    let case = Case::new();
    let first = || ("1", case.step("in /own/x", "", "#!/own/x/python", DONE));
    let moved = ("2", case.step("in /other/x", "", "#!/other/x/python", DONE));
    assert_eq!(case.compare(first(), moved).total(), Counts { relocated: 1, ..Counts::default() });
}

#[test]
fn another_key_is_a_difference() {
    let case = Case::new();
    let first = ("1", case.step("variable HOME=/a", "", "x", DONE));
    let found = case.compare(first, ("2", case.step("variable HOME=/b", "", "x", DONE))).differences;
    assert_eq!(
        (found[0].files[0].kind.as_str(), found[0].files[0].diff.as_str()),
        ("key", "-variable HOME=/a\n+variable HOME=/b")
    );
}
