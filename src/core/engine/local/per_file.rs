//! The per-file cache: for tools that check files independently, files already known to be clean are dropped from `argv`. A
//! file is clean if an earlier process with the same command, apart from the files, reported nothing about the same bytes.
//! Outcomes of whole processes are in `action_cache`.

use std::time::Duration;

use regex::RegexBuilder;
use rustc_hash::FxHashSet;

use crate::action::{Action, Command, Exit, Inputs, Outcome, PerFile, Platform, Policy, key};
use crate::base::text::without_lines;
use crate::base::{Digest, RelPath};
use crate::engine::action_cache::Remaining;
use crate::store::{Node, Result, Store, Tree};

/// The kind of the index payloads that contain the keys of clean files. The number is raised when their meaning changes.
const CLEAN: &str = "clean-3";

/// The number of versions of each file for which a record has space, which is enough for a few branches.
const VERSIONS: usize = 4;

/// The hash of one clean file and its context, or of an action all of whose files are clean.
type CleanKey = [u8; 32];

/// The part of `action` that still has to run. `key` is the key of the action.
pub(super) fn remaining(
    store: &Store,
    action: &Action,
    inputs: &Inputs,
    platform: &Platform,
    key: &Digest,
) -> Result<Remaining> {
    let Some(per_file) = &action.policy.per_file else { return Ok(Remaining::All) };
    let (rest, files) = split(&action.command, per_file);
    let record = record_key(&action.command, per_file);
    let known = known(store, record)?;
    if known.is_empty() {
        return Ok(Remaining::All);
    }
    if known.contains(key.hash()) {
        return Ok(Remaining::None);
    }
    let keys = clean_keys(store, &action.command, per_file, inputs, platform)?;
    let is_known: FxHashSet<&CleanKey> = known.iter().collect();
    let unknown = files.iter().zip(&keys).filter(|(_, key)| !is_known.contains(key));
    let unknown: Vec<String> = unknown.map(|(file, _)| file.clone()).collect();
    if unknown.is_empty() {
        // The key of the whole action is recorded as well, so that the next run needs only one comparison.
        add(store, record, vec![*key.hash()], known, files.len())?;
        return Ok(Remaining::None);
    }
    if unknown.len() == files.len() {
        return Ok(Remaining::All);
    }
    let label = format!("{} ({} of them changed)", action.policy.label, unknown.len());
    let per_file = Some(PerFile { files: unknown.len(), ..per_file.clone() });
    let command = Command { argv: [rest, &unknown].concat(), ..action.command.clone() };
    Ok(Remaining::Some(Box::new(Action { command, policy: Policy { label, per_file, ..action.policy.clone() } })))
}

/// Records the files of `action` as clean if its process reported nothing about any of them and wrote no output. `whole` is
/// the action that it is a part of, or the same action.
pub(super) fn record(
    store: &Store,
    whole: &Action,
    action: &Action,
    inputs: &Inputs,
    platform: &Platform,
    outcome: &Outcome,
) -> Result<()> {
    let (Some(whole_per_file), Some(per_file)) = (&whole.policy.per_file, &action.policy.per_file) else {
        return Ok(());
    };
    let reports_nothing = |text| reports_nothing(store, per_file, text);
    let is_clean = outcome.exit == Exit::Code(0)
        && store.tree(outcome.output)?.nodes.values().all(|node| *node == Node::EmptyDirectory)
        && reports_nothing(outcome.stdout)?
        && reports_nothing(outcome.stderr)?;
    if !is_clean {
        return Ok(());
    }
    let record = record_key(&whole.command, whole_per_file);
    let keys = clean_keys(store, &action.command, per_file, inputs, platform)?;
    add(store, record, keys, known(store, record)?, whole_per_file.files)
}

/// The outcome of an action whose files are all known to be clean.
pub(super) fn clean_outcome(store: &Store) -> Result<Outcome> {
    let empty = store.put(b"")?;
    Ok(Outcome {
        exit: Exit::Code(0),
        stdout: empty,
        stderr: empty,
        output: store.put_tree_lazily(&Tree::default())?,
        wall: Duration::ZERO,
        max_rss_bytes: 0,
        attempts: 1,
        started_from: None,
        audit: None,
    })
}

/// The key of the record of a batch. A batch has a single record, because reading one record for each file would take longer
/// than running a fast linter.
fn record_key(command: &Command, per_file: &PerFile) -> Digest {
    let (rest, files) = split(command, per_file);
    Digest::of(serde_json::json!([rest, files]).to_string().as_bytes())
}

fn known(store: &Store, record: Digest) -> Result<Vec<CleanKey>> {
    let bytes = store.notes(CLEAN, &[record])?.remove(&record).unwrap_or_default();
    Ok(bytes.as_chunks::<32>().0.to_vec())
}

/// Adds keys to a record, the newest first. If several runs write at once, the last one wins, and the files of the others are
/// checked again later.
fn add(store: &Store, record: Digest, new: Vec<CleanKey>, mut known: Vec<CleanKey>, files: usize) -> Result<()> {
    let is_new: FxHashSet<CleanKey> = new.iter().copied().collect();
    known.retain(|key| !is_new.contains(key));
    let all: Vec<CleanKey> = new.into_iter().chain(known).take((files + 1).saturating_mul(VERSIONS)).collect();
    store.save_notes(CLEAN, &[(record, all.concat())])
}

/// The hash, for each file, of everything that can influence the findings about it.
fn clean_keys(
    store: &Store,
    command: &Command,
    per_file: &PerFile,
    inputs: &Inputs,
    platform: &Platform,
) -> Result<Vec<CleanKey>> {
    let (rest, files) = split(command, per_file);
    let without_files = Command { argv: rest.to_vec(), ..command.clone() };
    let context = Inputs { root: per_file.context, images: inputs.images.clone() };
    let context = key(&without_files, &context, platform);
    let nodes = store.tree(inputs.root)?.nodes;
    let clean_key = |file: &String| {
        let node: Option<&Node> = RelPath::parse(file).ok().and_then(|path| nodes.get(&path));
        let node = node.map(Node::to_text).unwrap_or_default();
        *Digest::of(format!("{context}\0{file}\0{node}").as_bytes()).hash()
    };
    Ok(files.iter().map(clean_key).collect())
}

/// The arguments before the files, and the files.
fn split<'a>(command: &'a Command, per_file: &PerFile) -> (&'a [String], &'a [String]) {
    command.argv.split_at(command.argv.len().saturating_sub(per_file.files))
}

/// A larger output is not searched for lines that report a finding: it counts as one.
const IGNORED_BYTES: u64 = 16 << 20;

fn reports_nothing(store: &Store, per_file: &PerFile, text: Digest) -> Result<bool> {
    if text.size_bytes() == 0 {
        return Ok(true);
    }
    if text.size_bytes() > IGNORED_BYTES {
        return Ok(false);
    }
    let ignored = per_file.ignored_output.as_deref().map(|regex| RegexBuilder::new(regex).multi_line(true).build());
    let Some(Ok(ignored)) = ignored else { return Ok(false) };
    Ok(without_lines(&String::from_utf8_lossy(&store.get(text)?), &ignored).is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::action::Source;

    /// A store and an action on three of its files.
    struct Fixture {
        _dir: tempfile::TempDir,
        store: Store,
        files: BTreeMap<&'static str, &'static str>,
        action: Action,
        images: BTreeMap<String, Digest>,
    }

    impl Fixture {
        fn new() -> Fixture {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("store")).unwrap();
            let argv = ["/bin/look", "--strict", "a.py", "b.py", "c.py"].map(str::to_owned).to_vec();
            let command = Command::new(argv, BTreeMap::new(), Source::Tree(Digest::of(b"")), BTreeMap::new());
            let mut policy = Policy::new("look: a.py and 2 other files".to_owned());
            policy.cache.success_codes.push(1);
            let ignored_output = Some("^all is well".to_owned());
            policy.per_file = Some(PerFile { files: 3, context: Digest::of(b"settings"), ignored_output });
            let action = Action { command, policy };
            let files = BTreeMap::from([("a.py", "a"), ("b.py", "b"), ("c.py", "c")]);
            Fixture { _dir: dir, store, files, action, images: BTreeMap::new() }
        }

        fn inputs(&self) -> Inputs {
            let node = |text: &str| Node::File { digest: Digest::of(text.as_bytes()), executable: false };
            let nodes = self.files.iter().map(|(path, text)| (RelPath::parse(path).unwrap(), node(text))).collect();
            Inputs { root: self.store.put_tree_lazily(&Tree { nodes }).unwrap(), images: self.images.clone() }
        }

        /// Records an outcome with these files in its output, and an empty directory for reports.
        fn finish(&self, exit: i32, stdout: &str, output: &[&str]) {
            let path = |path: &str| RelPath::parse(path).unwrap();
            let file = Node::File { digest: Digest::of(b"a"), executable: false };
            let files = output.iter().map(|name| (path(name), file.clone()));
            let nodes = files.chain([(path("reports"), Node::EmptyDirectory)]).collect();
            let output = self.store.put_tree_lazily(&Tree { nodes }).unwrap();
            let stdout = self.store.put(stdout.as_bytes()).unwrap();
            let outcome = Outcome { exit: Exit::Code(exit), stdout, output, ..clean_outcome(&self.store).unwrap() };
            record(&self.store, &self.action, &self.action, &self.inputs(), &Platform::sample(), &outcome).unwrap();
        }

        /// The arguments of the process that still has to run, or `all` or `none`.
        fn remaining(&self) -> String {
            let inputs = self.inputs();
            let key = key(&self.action.command, &inputs, &Platform::sample());
            match remaining(&self.store, &self.action, &inputs, &Platform::sample(), &key).unwrap() {
                Remaining::All => "all".to_owned(),
                Remaining::Some(action) => action.command.argv.join(" "),
                Remaining::None => "none".to_owned(),
            }
        }
    }

    #[test]
    fn a_file_is_dropped_once_a_process_reported_nothing_about_its_bytes() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.remaining(), "all");
        fixture.finish(0, "all is well\n", &[]);
        assert_eq!((fixture.remaining(), fixture.remaining()), ("none".to_owned(), "none".to_owned()));
        fixture.files.insert("b.py", "edited");
        assert_eq!(fixture.remaining(), "/bin/look --strict b.py");
        fixture.files.insert("b.py", "b");
        assert_eq!(fixture.remaining(), "none");
        fixture.files.insert("c.py", "b");
        assert_eq!(
            fixture.remaining(),
            "/bin/look --strict c.py",
            "a clean file does not imply that another file with the same bytes is clean"
        );
    }

    #[test]
    fn versions_of_other_branches_stay_recorded_until_newer_ones_replace_them() {
        let mut fixture = Fixture::new();
        for branch in ["a", "b", "c"] {
            fixture.files = BTreeMap::from([("a.py", branch), ("b.py", branch), ("c.py", branch)]);
            fixture.finish(0, "", &[]);
        }
        fixture.files = BTreeMap::from([("a.py", "a"), ("b.py", "b"), ("c.py", "c")]);
        assert_eq!(fixture.remaining(), "none");
        for text in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17"] {
            fixture.files.insert("a.py", text);
            fixture.finish(0, "", &[]);
        }
        let record = record_key(&fixture.action.command, fixture.action.policy.per_file.as_ref().unwrap());
        assert_eq!(known(&fixture.store, record).unwrap().len(), (3 + 1) * VERSIONS);
    }

    #[test]
    fn a_process_with_findings_or_output_records_nothing() {
        for (exit, stdout, output) in [(1, "", vec![]), (0, "a.py: all is well\n", vec![]), (0, "", vec!["a.py"])] {
            let fixture = Fixture::new();
            fixture.finish(exit, stdout, &output);
            assert_eq!(fixture.remaining(), "all", "{exit} {stdout} {output:?}");
        }
    }

    #[test]
    fn a_clean_file_is_known_only_in_the_same_context() {
        let changes: [fn(&mut Fixture); 6] = [
            |fixture| fixture.action.command.argv[1] = "--lenient".to_owned(),
            |fixture| drop(fixture.action.command.env.insert("A".to_owned(), "1".to_owned())),
            |fixture| fixture.images.extend([("/deps".to_owned(), Digest::of(b"another version"))]),
            |fixture| {
                fixture.action.policy.per_file.iter_mut().for_each(|per_file| per_file.context = Digest::of(b"other"))
            },
            |fixture| fixture.files = BTreeMap::from([("a.py", "1"), ("b.py", "2"), ("c.py", "3")]),
            |fixture| fixture.action.policy.per_file = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut fixture = Fixture::new();
            fixture.finish(0, "", &[]);
            change(&mut fixture);
            assert_eq!(fixture.remaining(), "all", "{number}");
        }
    }
}
