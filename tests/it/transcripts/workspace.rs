//! A copy of the fixture repositories with everything that transcripts need: locks, wheels, and a store that they share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::transcripts::{source_distributions, wheels};

/// A copy of the fixture repositories of one kind.
pub struct Workspace {
    /// `reading` or `running`.
    kind: &'static str,
    dir: tempfile::TempDir,
    /// Has the projects without `pants.toml`, to which `dir` has links: in `dir`, they would be parts of this repository.
    _outside: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// A page of the documentation whose commands are run like those of a transcript.
pub struct Page {
    /// The path of the page.
    pub path: &'static str,
    /// The name of the transcript, and of its repository if that belongs to the page alone.
    transcript: &'static str,
    /// The repository that is copied for it. Each page starts from the original.
    repository: &'static str,
}

/// The pages that are run. They may show durations, which are not compared.
pub const PAGES: [Page; 16] = [
    page("docs/attest.md", "attesting", "attesting"),
    page("docs/check.md", "checked", "uv_project"),
    page("docs/coming-from-pants.md", "working_day", "working_day"),
    page("docs/coming-from-uv.md", "coming_from_uv", "uv_project"),
    page("docs/documentation.md", "documented", "documented"),
    page("docs/export.md", "exported", "working_day"),
    page("docs/generated-code.md", "generated_code", "generated_code"),
    page("docs/goals.md", "goals", "working_day"),
    page("docs/images.md", "container_images", "container_images"),
    page("docs/index.md", "front_page", "uv_project"),
    page("docs/locks.md", "relocked", "working_day"),
    page("docs/packaging.md", "packages", "working_day"),
    page("docs/services.md", "services", "services"),
    page("docs/store.md", "store", "store"),
    page("docs/tools.md", "tools", "uv_project"),
    page("docs/why.md", "explaining", "explaining"),
];

const fn page(path: &'static str, transcript: &'static str, repository: &'static str) -> Page {
    Page { path, transcript, repository }
}

const WADERS: &str = env!("CARGO_BIN_EXE_waders");

impl Workspace {
    /// Copies the repositories. `kind` is `reading` or `running`.
    pub fn new(kind: &'static str) -> Workspace {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let outside = tempfile::tempdir().unwrap();
        let wheels = dir.path().join("wheels");
        wheels::write_all(&wheels);
        source_distributions::write_all(&wheels);
        copy(&source(kind), dir.path(), &|text| {
            source_distributions::fill_in(&wheels::fill_in(text, &wheels), &wheels)
        });
        for page in PAGES.iter().filter(|page| source(kind).join(page.repository).with_extension("in").exists()) {
            let repository = dir.path().join(page.transcript).with_extension("in");
            if !repository.exists() {
                copy(&dir.path().join(page.repository).with_extension("in"), &repository, &|text| text);
                mark_tests(&repository, page.path);
            }
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page.path)).unwrap();
            fs::write(dir.path().join(page.transcript).with_extension("trycmd"), in_blocks(&text, redact)).unwrap();
        }
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock");
        for entry in fs::read_dir(dir.path()).unwrap().flatten() {
            let has = |name: &str| entry.path().join(name).exists();
            if has("pyproject.toml") && !has("pants.toml") {
                move_outside(&entry.path(), outside.path());
            }
            let is_repository = has("pants.toml") || has("pyproject.toml");
            if is_repository && !entry.path().join("without-lock").exists() {
                fs::copy(&lock, entry.path().join("waders.lock")).unwrap();
            }
        }
        let env = env(&wheels);
        Workspace { kind, dir, _outside: outside, env }
    }

    /// The copy of a fixture repository.
    pub fn repository(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.in"))
    }

    /// A command that runs this program in a repository.
    pub fn waders(&self, repository: &str, args: &[&str]) -> Command {
        let mut command = Command::new(WADERS);
        command.args(args).current_dir(self.repository(repository)).envs(self.env.iter().cloned());
        command
    }

    /// A workspace for goals that run steps. If steps cannot run on this machine, prints the reason and returns `None`.
    pub fn running() -> Option<Workspace> {
        let workspace = Workspace::new("running");
        match workspace.reason_to_skip() {
            None => Some(workspace),
            Some(reason) => {
                println!("skipped: {reason}");
                None
            }
        }
    }

    /// The reason why steps cannot run on this machine, if any. The first call also downloads the toolchain into the store.
    fn reason_to_skip(&self) -> Option<String> {
        static REASON: OnceLock<Option<String>> = OnceLock::new();
        let probe = || {
            let test = |repository, spec| {
                let mut command = self.waders(repository, &["test", spec]);
                command.env("WADERS_TEST_EXTRA_ENV_VARS", "[]").output().unwrap()
            };
            let Output { status, stderr, .. } = test("daily", "::");
            // Its wheel is compiled here, since the transcripts expect a store with the compiled wheel.
            test("locks", "tests/sound_test.py");
            let unavailable = [69, 71].contains(&status.code().unwrap_or_default());
            if !unavailable {
                self.fetch_uv();
            }
            unavailable.then(|| String::from_utf8_lossy(&stderr).into_owned())
        };
        REASON.get_or_init(probe).clone()
    }

    /// Downloads uv into the store by locking a copy of a fixture: other fixtures have settings without an index.
    fn fetch_uv(&self) {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap();
        copy(&self.repository("pinning"), dir.path(), &|text| text);
        let output = self.waders("pinning", &["generate-lockfiles"]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs the commands of every transcript and compares their output.
    pub fn check_transcripts(&self) {
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
        self.save_overwritten_transcripts();
    }

    /// With `TRYCMD=overwrite`, copies the new transcripts to the source directory, redacted.
    fn save_overwritten_transcripts(&self) {
        if std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite") {
            for entry in fs::read_dir(self.dir.path()).unwrap().flatten() {
                if entry.path().extension().is_some_and(|extension| extension == "trycmd") {
                    let transcript = fs::read_to_string(entry.path()).unwrap();
                    let is_page = |page: &&Page| entry.path().file_stem().is_some_and(|name| name == page.transcript);
                    let Some(page) = PAGES.iter().find(is_page) else {
                        fs::write(source(self.kind).join(entry.file_name()), redact(&transcript)).unwrap();
                        continue;
                    };
                    // A page keeps the durations that it shows unless something else changed.
                    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(page.path);
                    if in_blocks(&fs::read_to_string(&place).unwrap(), redact) != in_blocks(&transcript, redact) {
                        fs::write(place, in_blocks(&transcript, redact_lines)).unwrap();
                    }
                }
            }
        }
    }
}

/// Changes the transcripts in a page.
fn in_blocks(page: &str, change: fn(&str) -> String) -> String {
    const BEGIN: &str = "```console\n";
    let mut parts = page.split(BEGIN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (block, rest) = part.split_once("```").unwrap();
        out += &format!("{BEGIN}{}```{rest}", change(block));
    }
    out
}

/// Replaces durations and versions by `[..]`, and lines about steps by `...` if their number or order varies.
fn redact(transcript: &str) -> String {
    let text = replace(&redact_lines(transcript), DURATIONS);
    replace(
        &text,
        &[(r"(?m)^([✓✕+] (black|flake8|isort|mypy|pyrefly|pyright|pyupgrade|ruff|ty)( [-\w]+)+) in .*$", "$1 in [..]")],
    )
}

/// Durations, which a page of the documentation may show.
const DURATIONS: &[(&str, &str)] =
    &[(r" in \d+\.\d\ds", " in [..]s"), (r#""seconds": \d+(\.\d+)?"#, r#""seconds": [..]"#)];

/// Replaces what varies besides durations.
fn redact_lines(transcript: &str) -> String {
    replace(
        transcript,
        &[
            (r"(?m)^platform linux .*$", "platform linux [..]"),
            (r"(?m)^plugins: .*$", "plugins: [..]"),
            (r"\b3\.11\.\d+\b", "3.11.[..]"),
            (r"(?m)^pip==.*$", "pip==[..]"),
            (r#""pip": ".*""#, "\"pip\": \"[..]\""),
            (r"(?m)(\(tried `[^`]+`).*$", "$1[..]"),
            (r"(?m)package `[^`]+`( \([^)]+\))?$", "package `[..]"),
            (r"(?m)cannot reach `http://(?:[^1].*)$", "cannot reach [..]"),
            (r"/waders/tmp/\w+`", "/waders/tmp/[..]`"),
            (r"\[STORE\]/tmp/\w+/\d+/", "[STORE]/tmp/[..]/"),
            (r#"(["` ])/[^" ]+/tmp/\.tmp\w+/wheels"#, "$1[..]/wheels"),
            (r"(?m)^((Completed|Failed): .*\n){2,}", "...\n"),
            // These lines are missing if the results of the tools are cached.
            (r"(?m)^Completed: (black|flake8|isort|mypy|pyright|ruff).*\n", "...\n"),
            (r"(?m)^(.*\n)?Completed: compile .*\n(Completed: .*\n)*", "${1}...\n"),
        ],
    )
}

fn replace(text: &str, replacements: &[(&str, &str)]) -> String {
    let replace = |text: String, (pattern, replacement): &(&str, &str)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
    };
    replacements.iter().fold(text.to_owned(), replace)
}

/// Gives the tests of a repository another content, so that they do not share results with those of another copy.
fn mark_tests(repository: &Path, mark: &str) {
    for entry in fs::read_dir(repository).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            mark_tests(&entry.path(), mark);
        } else if name.ends_with("_test.py") || name.starts_with("test_") && name.ends_with(".py") {
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(entry.path(), format!("{text}\n\n# {mark}\n")).unwrap();
        }
    }
}

/// Moves a directory below another one, and leaves a link.
fn move_outside(dir: &Path, outside: &Path) {
    let place = outside.join(dir.file_name().unwrap());
    copy(dir, &place, &|text| text);
    fs::remove_dir_all(dir).unwrap();
    std::os::unix::fs::symlink(place, dir).unwrap();
}

fn source(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(kind)
}

/// The cache directory of all transcripts. It persists between test runs, so that downloads are made once.
pub fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("transcripts/cache")
}

/// Variables that override the caller's environment, which names the sources of packages.
fn env(wheels: &Path) -> Vec<(String, String)> {
    let inherited = |name: &str| std::env::var(name).unwrap_or_default();
    let bin = Path::new(WADERS).parent().unwrap();
    // A different value for each test run, so that results of earlier runs are not reused.
    let run = now_nanos();
    [
        ("CI", String::new()),
        ("PATH", format!("{}:{}:{}", bin.display(), conditions().display(), inherited("PATH"))),
        ("PIP_FIND_LINKS", format!("{} {}", inherited("PIP_FIND_LINKS"), wheels.display())),
        ("WADERS_PYTHON_REPOS_PATH_MAPPINGS", format!("['WHEELS|{}']", wheels.display())),
        // A loaded machine makes any test slow.
        ("WADERS_TEST_SLOWEST", "0".to_owned()),
        ("WADERS_TEST_EXTRA_ENV_VARS", format!("+['TRANSCRIPTS_RUN={run}']")),
        ("XDG_CACHE_HOME", store().display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

pub fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// The directory of programs that run a command under unusual conditions.
fn conditions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/conditions")
}

fn programs() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(conditions()).unwrap().flatten();
    let conditions = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    let standard = ["cat", "env", "ls", "rm", "sh"].map(|name| (name.to_owned(), Path::new("/usr/bin").join(name)));
    conditions.chain(standard).collect()
}

fn copy(from: &Path, to: &Path, fill_in: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target, fill_in);
        } else if source.ends_with("run.py") {
            // Different content for each test run, so that findings of earlier runs are not reused.
            fs::write(target, format!("# {}\n", now_nanos())).unwrap();
        } else if source.extension().is_some_and(|extension| extension == "lock") || source.ends_with("BUILD") {
            fs::write(target, fill_in(fs::read_to_string(source).unwrap())).unwrap();
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}
