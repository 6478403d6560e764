//! A copy of the fixture repositories with all that transcripts stand on: locks, wheels, one store for all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::transcripts::wheels;

pub struct Ground {
    /// `reading` or `running`.
    kind: &'static str,
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

const WADERS: &str = env!("CARGO_BIN_EXE_waders");

impl Ground {
    pub fn new(kind: &'static str) -> Ground {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let wheels = dir.path().join("wheels");
        wheels::write_all(&wheels);
        copy(&source(kind), dir.path(), &|text| wheels::fill_in(text, &wheels));
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock");
        for entry in fs::read_dir(dir.path()).unwrap().flatten() {
            let is_repository = entry.path().join("pants.toml").exists();
            if is_repository && !entry.path().join("without-lock").exists() {
                fs::copy(&lock, entry.path().join("waders.lock")).unwrap();
            }
        }
        let env = env(&wheels);
        Ground { kind, dir, env }
    }

    /// The copy of a fixture repository.
    pub fn repository(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.in"))
    }

    /// This program, in a repository.
    pub fn waders(&self, repository: &str, args: &[&str]) -> Command {
        let mut command = Command::new(WADERS);
        command.args(args).current_dir(self.repository(repository)).envs(self.env.iter().cloned());
        command
    }

    /// One in which steps run. None where that cannot be here, which is told.
    pub fn running() -> Option<Ground> {
        let ground = Ground::new("running");
        match ground.lack() {
            None => Some(ground),
            Some(why) => {
                println!("skipped: {why}");
                None
            }
        }
    }

    /// Why nothing can be run here, if so. The store has the toolchain afterwards; whoever asks first fetches it.
    pub fn lack(&self) -> Option<String> {
        static LACK: OnceLock<Option<String>> = OnceLock::new();
        let look = || {
            let first = |repository, spec| {
                let mut command = self.waders(repository, &["test", spec]);
                command.env("WADERS_TEST_EXTRA_ENV_VARS", "[]").output().unwrap()
            };
            let Output { status, stderr, .. } = first("daily", "::");
            // Its wheel is compiled once, which no transcript tells.
            first("locks", "tests/sound_test.py");
            let unavailable = [69, 71].contains(&status.code().unwrap_or_default());
            unavailable.then(|| String::from_utf8_lossy(&stderr).into_owned())
        };
        LACK.get_or_init(look).clone()
    }

    /// Plays every transcript and compares.
    pub fn play(&self) {
        let cases = trycmd::TestCases::new();
        cases.register_bin("waders", PathBuf::from(WADERS));
        for (name, path) in programs() {
            cases.register_bin(name, path);
        }
        for (name, value) in &self.env {
            cases.env(name, value);
        }
        cases.insert_var("[WHEELS]", format!("file://{}", self.dir.path().join("wheels").display())).unwrap();
        cases.insert_var("[STORE]", store().join("waders").display().to_string()).unwrap();
        cases.case(self.dir.path().join("*.trycmd"));
        cases.run();
        self.keep_what_was_overwritten();
    }

    /// What was seen is written to where the copy came from, without what differs from run to run.
    fn keep_what_was_overwritten(&self) {
        if std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite") {
            for entry in fs::read_dir(self.dir.path()).unwrap().flatten() {
                if entry.path().extension().is_some_and(|extension| extension == "trycmd") {
                    let seen = fs::read_to_string(entry.path()).unwrap();
                    fs::write(source(self.kind).join(entry.file_name()), redact(&seen)).unwrap();
                }
            }
        }
    }
}

/// Durations and versions become `[..]`. Lines about steps become `...` where their number or order is not fixed.
fn redact(transcript: &str) -> String {
    let mut text = transcript.to_owned();
    for (pattern, replacement) in [
        (r" in \d+\.\d\ds", " in [..]s"),
        (r#""seconds": \d+(\.\d+)?"#, r#""seconds": [..]"#),
        (r"(?m)^platform linux .*$", "platform linux [..]"),
        (r"(?m)^plugins: .*$", "plugins: [..]"),
        (r"(?m)(looked at `[^`]+`).*$", "$1[..]"),
        (r"(?m)package `[^`]+`( \([^)]+\))?$", "package `[..]"),
        (r"(?m)cannot reach `http://(?:[^1].*)$", "cannot reach [..]"),
        (r"/waders/tmp/\w+`", "/waders/tmp/[..]`"),
        (r"(?m)^((Completed|Failed): .*\n){2,}", "...\n"),
        // What tools found is kept in the store, and then there is no such line.
        (r"(?m)^Completed: (black|flake8|isort|mypy|pyright|ruff).*\n", "...\n"),
        (r"(?m)^([✓✕+] (black|flake8|isort|mypy|pyrefly|pyright|pyupgrade|ruff|ty)( \w+)+) in .*$", "$1 in [..]"),
        (r"(?m)^(.*\n)?Completed: compile .*\n(Completed: .*\n)*", "${1}...\n"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned();
    }
    text
}

fn source(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(kind)
}

/// Kept from run to run: what it holds is fetched once.
pub fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("transcripts/cache")
}

/// On top of the caller's own, which says where packages come from.
fn env(wheels: &Path) -> Vec<(String, String)> {
    let own = |name: &str| std::env::var(name).unwrap_or_default();
    let bin = Path::new(WADERS).parent().unwrap();
    // Else results of the last time would be answered from the store.
    let run = now_nanos();
    [
        ("CI", String::new()),
        ("PATH", format!("{}:{}:{}", bin.display(), conditions().display(), own("PATH"))),
        ("PIP_FIND_LINKS", format!("{} {}", own("PIP_FIND_LINKS"), wheels.display())),
        ("WADERS_TEST_EXTRA_ENV_VARS", format!("+['TRANSCRIPTS_RUN={run}']")),
        ("XDG_CACHE_HOME", store().display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

pub fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Programs that put a command where things are difficult.
fn conditions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/conditions")
}

fn programs() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(conditions()).unwrap().flatten();
    let conditions = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    let usual = ["cat", "env", "ls", "rm"].map(|name| (name.to_owned(), Path::new("/usr/bin").join(name)));
    conditions.chain(usual).collect()
}

fn copy(from: &Path, to: &Path, fill_in: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target, fill_in);
        } else if source.ends_with("run.py") {
            // Else what was found the last time would be answered from the store.
            fs::write(target, format!("# {}\n", now_nanos())).unwrap();
        } else if source.extension().is_some_and(|extension| extension == "lock") {
            fs::write(target, fill_in(fs::read_to_string(source).unwrap())).unwrap();
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}
