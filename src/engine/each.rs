//! Processes that look at many files, at each without regard to the others: those that are known to be well are left out.
//! What is known is that an earlier process, alike but for its files, said nothing about the same bytes.

use std::time::Duration;

use regex::RegexBuilder;
use rustc_hash::FxHashSet;

use crate::action::{Action, Each, Exit, Inputs, Outcome, key};
use crate::base::text::without_lines;
use crate::base::{Digest, RelPath};
use crate::store::{Node, Result, Store, Tree};

/// Which notes of the store tell what is well. Raised when they come to mean something else.
const WELL: &str = "well-2";

/// A note has room for so many states of each file: enough for a few branches.
const STATES: usize = 4;

/// What an action has yet to look at.
pub enum Left {
    All,
    /// In the same surroundings: the input root is the same.
    Some(Box<Action>),
    None,
}

/// `key` is the action's own.
pub fn without_known(store: &Store, action: &Action, inputs: &Inputs, isolation: &str, key: &Digest) -> Result<Left> {
    let Some(each) = &action.each else { return Ok(Left::All) };
    let (rest, files) = split(action, each);
    let place = place(action, each);
    let known = known(store, place)?;
    if known.is_empty() {
        return Ok(Left::All);
    }
    if known.contains(key.hash()) {
        return Ok(Left::None);
    }
    let facts = facts(store, action, each, inputs, isolation)?;
    let is_known: FxHashSet<&Fact> = known.iter().collect();
    let left = files.iter().zip(&facts).filter(|(_, fact)| !is_known.contains(fact));
    let left: Vec<String> = left.map(|(file, _)| file.clone()).collect();
    if left.is_empty() {
        // Next time one look is enough.
        note(store, place, vec![*key.hash()], known, files.len())?;
        return Ok(Left::None);
    }
    if left.len() == files.len() {
        return Ok(Left::All);
    }
    let label = format!("{} ({} of them anew)", action.label, left.len());
    let each = Some(Each { files: left.len(), ..each.clone() });
    Ok(Left::Some(Box::new(Action { label, argv: [rest, &left].concat(), each, ..action.clone() })))
}

/// Notes that the files are well that a process was asked about, if it said nothing about any of them and left nothing.
/// `whole` is the action that it is a part of, or is.
pub fn learn(
    store: &Store,
    whole: &Action,
    action: &Action,
    inputs: &Inputs,
    isolation: &str,
    outcome: &Outcome,
) -> Result<()> {
    let (Some(of_whole), Some(each)) = (&whole.each, &action.each) else { return Ok(()) };
    let says_nothing = |text| says_nothing(store, each, text);
    let is_well = outcome.exit == Exit::Code(0)
        && store.tree(outcome.output)?.nodes.values().all(|node| *node == Node::EmptyDirectory)
        && says_nothing(outcome.stdout)?
        && says_nothing(outcome.stderr)?;
    if !is_well {
        return Ok(());
    }
    let place = place(whole, of_whole);
    let facts = facts(store, action, each, inputs, isolation)?;
    note(store, place, facts, known(store, place)?, of_whole.files)
}

/// What comes of a process that has nothing to look at.
pub fn nothing(store: &Store) -> Result<Outcome> {
    let empty = store.put(b"")?;
    Ok(Outcome {
        exit: Exit::Code(0),
        stdout: empty,
        stderr: empty,
        output: store.put_tree_lazily(&Tree::default())?,
        wall: Duration::ZERO,
        max_rss_bytes: 0,
        attempts: 1,
        began_with: None,
    })
}

/// A hash that stands for something being well: a file, or a whole action.
type Fact = [u8; 32];

/// Where the note about a batch lies: one for all its files, since many small ones take longer than a fast linter.
fn place(action: &Action, each: &Each) -> Digest {
    let (rest, files) = split(action, each);
    Digest::of(format!("{rest:?}\0{files:?}").as_bytes())
}

fn known(store: &Store, place: Digest) -> Result<Vec<Fact>> {
    let note = store.notes(WELL, &[place])?.remove(&place).unwrap_or_default();
    Ok(note.as_chunks::<32>().0.to_vec())
}

/// The newest first. Of runs at once the last one stays; what others learnt is learnt again.
fn note(store: &Store, place: Digest, new: Vec<Fact>, mut known: Vec<Fact>, files: usize) -> Result<()> {
    let is_new: FxHashSet<Fact> = new.iter().copied().collect();
    known.retain(|fact| !is_new.contains(fact));
    let all: Vec<Fact> = new.into_iter().chain(known).take((files + 1).saturating_mul(STATES)).collect();
    store.save_notes(WELL, &[(place, all.concat())])
}

/// For each file what stands for its being well: all that can have an influence on what is found of it.
fn facts(store: &Store, action: &Action, each: &Each, inputs: &Inputs, isolation: &str) -> Result<Vec<Fact>> {
    let (rest, files) = split(action, each);
    let alike = Action { argv: rest.to_vec(), ..action.clone() };
    let alike = key(&alike, &Inputs { root: each.fits, images: inputs.images.clone() }, isolation);
    let nodes = store.tree(inputs.root)?.nodes;
    let fact = |file: &String| {
        let node: Option<&Node> = RelPath::parse(file).ok().and_then(|path| nodes.get(&path));
        *Digest::of(format!("{alike}\0{file}\0{node:?}").as_bytes()).hash()
    };
    Ok(files.iter().map(fact).collect())
}

/// The words of `argv` before the files, and those.
fn split<'a>(action: &'a Action, each: &Each) -> (&'a [String], &'a [String]) {
    action.argv.split_at(action.argv.len().saturating_sub(each.files))
}

fn says_nothing(store: &Store, each: &Each, text: Digest) -> Result<bool> {
    if text.size_bytes() == 0 {
        return Ok(true);
    }
    let chatter = each.chatter.as_deref().map(|chatter| RegexBuilder::new(chatter).multi_line(true).build());
    let Some(Ok(chatter)) = chatter else { return Ok(false) };
    Ok(without_lines(&String::from_utf8_lossy(&store.get(text)?), &chatter).is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::action::{CachePolicy, Source};

    /// A store, and an action on three files of it.
    struct World {
        _dir: tempfile::TempDir,
        store: Store,
        files: BTreeMap<&'static str, &'static str>,
        action: Action,
        images: BTreeMap<String, Digest>,
    }

    impl World {
        fn new() -> World {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("store")).unwrap();
            let chatter = Some("^all is well".to_owned());
            let action = Action {
                label: "look: a.py and 2 other files".to_owned(),
                argv: ["/bin/look", "--strict", "a.py", "b.py", "c.py"].map(str::to_owned).to_vec(),
                env: BTreeMap::new(),
                cwd: RelPath::root(),
                input_root: Source::Tree(Digest::of(b"")),
                images: BTreeMap::new(),
                outputs_at: BTreeMap::new(),
                network: false,
                timeout: None,
                attempts: 1,
                cache: CachePolicy { read: true, keep: true, good_codes: vec![0, 1] },
                slot_variable: None,
                share: None,
                interactive: false,
                warm: None,
                each: Some(Each { files: 3, fits: Digest::of(b"settings"), chatter }),
            };
            let files = BTreeMap::from([("a.py", "a"), ("b.py", "b"), ("c.py", "c")]);
            World { _dir: dir, store, files, action, images: BTreeMap::new() }
        }

        fn inputs(&self) -> Inputs {
            let node = |text: &str| Node::File { digest: Digest::of(text.as_bytes()), executable: false };
            let nodes = self.files.iter().map(|(path, text)| (RelPath::parse(path).unwrap(), node(text))).collect();
            Inputs { root: self.store.put_tree_lazily(&Tree { nodes }).unwrap(), images: self.images.clone() }
        }

        /// Beside `output` there is a place for reports, which stays empty.
        fn learn(&self, exit: i32, stdout: &str, output: &[&str]) {
            let path = |path: &str| RelPath::parse(path).unwrap();
            let file = Node::File { digest: Digest::of(b"a"), executable: false };
            let files = output.iter().map(|name| (path(name), file.clone()));
            let nodes = files.chain([(path("reports"), Node::EmptyDirectory)]).collect();
            let output = self.store.put_tree_lazily(&Tree { nodes }).unwrap();
            let stdout = self.store.put(stdout.as_bytes()).unwrap();
            let outcome = Outcome { exit: Exit::Code(exit), stdout, output, ..nothing(&self.store).unwrap() };
            learn(&self.store, &self.action, &self.action, &self.inputs(), "full", &outcome).unwrap();
        }

        /// The words of the process that is left; `all` and `none`.
        fn left(&self) -> String {
            let inputs = self.inputs();
            let key = key(&self.action, &inputs, "full");
            match without_known(&self.store, &self.action, &inputs, "full", &key).unwrap() {
                Left::All => "all".to_owned(),
                Left::Some(action) => action.argv.join(" "),
                Left::None => "none".to_owned(),
            }
        }
    }

    #[test]
    fn a_file_is_left_out_once_a_process_said_nothing_about_its_bytes() {
        let mut world = World::new();
        assert_eq!(world.left(), "all");
        world.learn(0, "all is well\n", &[]);
        assert_eq!((world.left(), world.left()), ("none".to_owned(), "none".to_owned()));
        world.files.insert("b.py", "edited");
        assert_eq!(world.left(), "/bin/look --strict b.py");
        world.files.insert("b.py", "b");
        assert_eq!(world.left(), "none");
        world.files.insert("c.py", "b");
        assert_eq!(world.left(), "/bin/look --strict c.py", "what holds of a file holds of no other with its bytes");
    }

    #[test]
    fn what_was_well_on_another_branch_is_known_until_it_is_long_ago() {
        let mut world = World::new();
        for branch in ["a", "b", "c"] {
            world.files = BTreeMap::from([("a.py", branch), ("b.py", branch), ("c.py", branch)]);
            world.learn(0, "", &[]);
        }
        world.files = BTreeMap::from([("a.py", "a"), ("b.py", "b"), ("c.py", "c")]);
        assert_eq!(world.left(), "none");
        for text in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17"] {
            world.files.insert("a.py", text);
            world.learn(0, "", &[]);
        }
        let place = place(&world.action, world.action.each.as_ref().unwrap());
        assert_eq!(known(&world.store, place).unwrap().len(), (3 + 1) * STATES);
    }

    #[test]
    fn nothing_is_learnt_of_a_process_that_found_or_left_something() {
        for (exit, stdout, output) in [(1, "", vec![]), (0, "a.py: all is well\n", vec![]), (0, "", vec!["a.py"])] {
            let world = World::new();
            world.learn(exit, stdout, &output);
            assert_eq!(world.left(), "all", "{exit} {stdout} {output:?}");
        }
    }

    #[test]
    fn what_is_known_holds_in_the_same_surroundings_only() {
        let changes: [fn(&mut World); 6] = [
            |world| world.action.argv[1] = "--lenient".to_owned(),
            |world| drop(world.action.env.insert("A".to_owned(), "1".to_owned())),
            |world| world.images.extend([("/deps".to_owned(), Digest::of(b"another version"))]),
            |world| world.action.each.iter_mut().for_each(|each| each.fits = Digest::of(b"other settings")),
            |world| world.files = BTreeMap::from([("a.py", "1"), ("b.py", "2"), ("c.py", "3")]),
            |world| world.action.each = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut world = World::new();
            world.learn(0, "", &[]);
            change(&mut world);
            assert_eq!(world.left(), "all", "{number}");
        }
    }
}
