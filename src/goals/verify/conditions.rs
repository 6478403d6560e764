//! What is different in the second run, and how. A condition that cannot be changed on this machine is skipped with the reason.

use std::fs;
use std::path::{Path, PathBuf};

use crate::goals::Error;
use crate::report::verification::Condition;
use crate::session::Session;
use crate::session::repeat::{Bind, Start, Surroundings};
use crate::store::Store;

/// The user id and group id of the second run: not 0, and not that of an ordinary first user.
const OTHER_USER: u32 = 4242;

/// A host name that no machine has.
const OTHER_HOST: &str = "verify.example.invalid";

/// Each condition, what the second run does, and why it is always skipped, if it is.
const TABLE: [(&str, &str, Option<&str>); 14] = [
    ("path", "the checkout and the store are at other paths", None),
    ("home", "HOME is at another path", None),
    ("user", "another user name, user id and group id", None),
    ("hostname", "another host name", None),
    ("umask", "the umask 0077", None),
    ("zone", "the time zone Etc/GMT+12", None),
    ("locale", "the locale tr_TR.UTF-8", None),
    ("environment", "other values of PYTHONHASHSEED, TERM, SHELL and of an unknown variable", None),
    ("cores", "one processor, and so one step at a time", None),
    ("order", "steps that are ready start in reverse order", None),
    ("entries", "directories of sources, and of images up to 64 MiB, list their entries in another order", None),
    ("scratch", "temporary files and HOME of steps are on disk, not in memory", None),
    (
        "clock",
        "another date",
        Some("the kernel has no namespace for the date; the second run starts at least 2 s after the first one"),
    ),
    ("kernel", "another kernel or processor", Some("this needs another machine: see `--against`")),
];

/// The names of all conditions.
pub(in crate::goals) fn names() -> Vec<&'static str> {
    TABLE.iter().map(|(name, ..)| *name).collect()
}

/// The conditions that the user wants to be different.
pub(super) struct Conditions {
    pub list: Vec<Condition>,
    /// Directories of the second run and of the first one.
    pub moves: Vec<Move>,
}

/// A directory that has another path in the second run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// Its path in the second run.
    pub moved: String,
    /// Its path in the first run.
    pub original: String,
}

impl Conditions {
    /// Parses the names of `--vary`.
    pub(super) fn parse(wanted: &[String]) -> Result<Conditions, Error> {
        if let Some(other) = wanted.iter().find(|name| *name != "all" && !names().contains(&name.as_str())) {
            return Err(Error::UnknownCondition(other.clone()));
        }
        let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == "all" || wanted == name);
        let condition = |(name, what, skipped): &(&str, &str, Option<&str>)| Condition {
            name: (*name).to_owned(),
            what: (*what).to_owned(),
            skipped: skipped.map(str::to_owned),
        };
        let list = TABLE.iter().filter(|(name, ..)| is_wanted(name)).map(condition).collect();
        Ok(Conditions { list, moves: Vec::new() })
    }

    /// Whether the second run changes a condition.
    pub(super) fn apply(&self, name: &str) -> bool {
        self.list.iter().any(|condition| condition.name == name && condition.skipped.is_none())
    }

    /// Marks a condition as skipped. False if it is not changed anyway.
    pub(super) fn skip(&mut self, name: &str, reason: &str) -> bool {
        let condition = self.list.iter_mut().find(|condition| condition.name == name && condition.skipped.is_none());
        let found = condition.is_some();
        if let Some(condition) = condition {
            condition.skipped = Some(reason.to_owned());
        }
        found
    }

    /// How the second run is started. `scratch` is for its results.
    pub(super) fn start(&mut self, session: &Session, store: &Store, scratch: &Path) -> Result<Start, Error> {
        let environment = session.environment();
        if environment.home.is_none() {
            self.skip("home", "there is no home directory");
        }
        let mut start = Start {
            surroundings: Surroundings {
                user: self.apply("user").then_some(OTHER_USER),
                host_name: self.apply("hostname").then(|| OTHER_HOST.to_owned()),
                umask: self.apply("umask").then_some(0o077),
                one_core: self.apply("cores"),
                cwd: environment.cwd.clone(),
                ..Surroundings::default()
            },
            // The results of the first run stay as they are.
            flags: vec![format!("--pants-distdir={}", scratch.join("dist").display())],
            ..Start::default()
        };
        self.set_variables(&mut start);
        self.moves = vec![a_move(&scratch.join("dist"), &session.context.dist_dir())];
        let binds = self.move_directories(session, store, &mut start)?;
        self.moves.extend(binds.iter().map(|bind| a_move(&bind.to, &bind.from)));
        // A directory in another one comes first.
        self.moves.sort_by_key(|one| std::cmp::Reverse(one.moved.len()));
        start.surroundings.binds = binds;
        Ok(start)
    }

    fn set_variables(&self, start: &mut Start) {
        let groups: [(&str, &[(&str, &str)]); 4] = [
            ("user", &[("USER", "verifier"), ("LOGNAME", "verifier")]),
            ("zone", &[("TZ", "Etc/GMT+12")]),
            ("locale", &[("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("LANGUAGE", "tr")]),
            (
                "environment",
                &[("PYTHONHASHSEED", "4242"), ("TERM", "dumb"), ("SHELL", "/bin/false"), ("VERIFY_UNKNOWN", "4242")],
            ),
        ];
        let wanted = groups.into_iter().filter(|(name, _)| self.apply(name));
        let variables = wanted.flat_map(|(_, variables)| variables.iter());
        start.env.extend(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }

    /// Makes directories visible at other paths. The paths are the same each time, because the store has records of each checkout
    /// by its path.
    fn move_directories(&self, session: &Session, store: &Store, start: &mut Start) -> Result<Vec<Bind>, Error> {
        let mut binds = Vec::new();
        let places = store.root().join("verify");
        let mut bind = |change: &str, from: &Path, name: &str| {
            let to = places.join(name);
            fs::create_dir_all(&to).map_err(|source| Error::Output { path: to.clone(), source })?;
            binds.push(Bind { change: change.to_owned(), from: from.to_owned(), to: to.clone() });
            Ok::<PathBuf, Error>(to)
        };
        if self.apply("path") {
            let root = session.build_root();
            let moved = bind("path", root, "checkout")?;
            let moved_store = bind("path", store.root(), "store")?;
            let cwd = &session.environment().cwd;
            start.surroundings.cwd = cwd.strip_prefix(root).map_or_else(|_| cwd.clone(), |below| moved.join(below));
            start.flags.push(format!("--store-dir={}", moved_store.display()));
        }
        if let Some(home) = session.environment().home.as_deref().filter(|_| self.apply("home")) {
            let moved = bind("home", home, "home")?;
            start.env.insert("HOME".to_owned(), moved.to_string_lossy().into_owned());
        }
        Ok(binds)
    }
}

fn a_move(moved: &Path, original: &Path) -> Move {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Move { moved: text(moved), original: text(original) }
}

impl Move {
    /// The text as the first run would have it.
    pub(super) fn undo(moves: &[Move], text: &str) -> String {
        moves.iter().fold(text.to_owned(), |text, one| text.replace(&one.moved, &one.original))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Conditions, Error> {
        Conditions::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn conditions_are_named_and_all_means_each() {
        assert_eq!(parse(&["all"]).unwrap().list.len(), TABLE.len());
        assert!(parse(&[]).unwrap().list.is_empty());
        let two = parse(&["zone", "user"]).unwrap();
        assert!(two.apply("zone") && two.apply("user") && !two.apply("path"));
        assert!(matches!(parse(&["moon"]), Err(Error::UnknownCondition(name)) if name == "moon"));
    }

    #[test]
    fn a_skipped_condition_is_not_applied() {
        let mut conditions = parse(&["all"]).unwrap();
        assert!(!conditions.apply("clock"));
        assert!(conditions.skip("user", "no namespaces"));
        assert!(!conditions.apply("user") && !conditions.skip("user", "again"));
    }
}
