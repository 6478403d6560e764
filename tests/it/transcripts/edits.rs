//! Random edits of sources and settings: after each edit, a run that remembers earlier runs reports the same as a run without
//! the cache. This fails if a tool is asked about some files while its answer depends on others, or on a settings file that is
//! not an input. The edits are deterministic. `WADERS_EDITS` sets their number; if it is set, all tools of the repository take
//! part, and otherwise those that are fast.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use crate::mutations::Random;
use crate::transcripts::workspace::Workspace;

#[test]
fn after_random_edits_a_run_with_the_cache_reports_the_same_as_one_without() {
    let Some(workspace) = Workspace::running() else { return };
    let number = std::env::var("WADERS_EDITS").ok().map(|number| number.parse().unwrap());
    let repository = Repository { root: workspace.repository("edits"), workspace, all_tools: number.is_some() };
    for (path, texts) in FILES {
        repository.write(path, texts[0]);
    }
    let mut random = Random::new(1);
    let mut edits = Vec::new();
    for _ in 0..number.unwrap_or(EDITS) {
        let (path, texts) = FILES[random.below(FILES.len())];
        let text = texts[random.below(texts.len())];
        repository.write(path, text);
        edits.push(format!("{path}: {text:?}"));
        for goal in repository.goals() {
            let (with, without) = (repository.run(goal, &[]), repository.run(goal, &["--no-local-cache"]));
            let differences = differences(&with, &without);
            assert!(differences.is_empty(), "{goal} after these edits:\n{}\n{differences}", edits.join("\n"));
        }
    }
}

/// The lines that only one of two texts has, and the texts if they have the same lines in another order.
fn differences(with: &str, without: &str) -> String {
    let only = |label: &str, one: &str, other: &str| {
        let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line));
        lines.map(|line| format!("{label}: {line}\n")).collect::<String>()
    };
    let different = only("with the cache", with, without) + &only("without it", without, with);
    if different.is_empty() && with != without { format!("{with}\n---\n{without}") } else { different }
}

/// The number of edits in an ordinary run of the tests.
const EDITS: usize = 6;

/// The tools in an ordinary run: each of those that use one settings file for several files, and one that does not.
const FAST_TOOLS: &str = "--lint-only=['black', 'isort', 'yamllint', 'ruff-check']";

struct Repository {
    root: PathBuf,
    workspace: Workspace,
    all_tools: bool,
}

impl Repository {
    /// Writes a file, or removes it if the text is empty.
    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text {
            "" => drop(fs::remove_file(path)),
            text => fs::write(path, text).unwrap(),
        }
    }

    fn goals(&self) -> &'static [&'static str] {
        if self.all_tools { &["lint", "check"] } else { &["lint"] }
    }

    /// The exit code and the findings of a goal, without progress, times and what says that results are cached. Warnings are left
    /// out too, because a run that reuses the result of an unchanged repository does not repeat them.
    fn run(&self, goal: &str, flags: &[&str]) -> String {
        let mut args = flags.to_vec();
        if !self.all_tools {
            args.push(FAST_TOOLS);
        }
        args.extend([goal, "::"]);
        let Output { status, stdout, stderr } = self.workspace.waders("edits", &args).output().unwrap();
        let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let times = regex::Regex::new(r" in \d+\.\d\ds( \(cached locally\))?").unwrap();
        const LEFT_OUT: [&str; 4] = ["Completed: ", "Still running", "warning: ", "hint: "];
        let lines = text.lines().filter(|line| !LEFT_OUT.iter().any(|start| line.starts_with(start)));
        let lines: Vec<_> = lines.map(|line| times.replace(line, "").into_owned()).collect();
        format!("{status}\n{}", lines.join("\n"))
    }
}

const LONG: &str =
    "import sys\nimport os\n\n\ndef f(a, b):\n    return [a + b + 1000000000, a * b - 2000000000, 'x', \"y\"]\n";
const SHORT: &str = "import os\n\nprint(os.name)\n";
const PLAIN: &str = "X = 1\n";
const MIXED: &str = "import yaml, os\nfrom a import x\nfrom typing import List\nY: List[int]=[1,\n 2]\n";

/// The files that edits write, each with its possible texts, the first of which it has at the beginning. An empty text stands for
/// no file.
const FILES: &[(&str, &[&str])] = &[
    ("BUILD", &[BUILD, "python_sources(name='py', skip_black=True)\nshell_sources(name='sh')\n"]),
    ("a/BUILD", &[BUILD, "python_sources(name='py', skip_flake8=True)\nshell_sources(name='sh')\n"]),
    ("a/b/BUILD", &[BUILD]),
    ("c/BUILD", &[BUILD]),
    ("top.py", &[PLAIN, LONG, SHORT]),
    ("a/__init__.py", &["", "# package\n"]),
    ("a/x.py", &[LONG, SHORT, PLAIN, MIXED, "def f(:\n", "Z = 'a'\n"]),
    ("a/w.py", &["", LONG, PLAIN]),
    ("a/b/y.py", &[SHORT, LONG, PLAIN, MIXED, "x: int = 'a'\n"]),
    ("c/z.py", &[MIXED, LONG, SHORT, ""]),
    ("c/v.py", &["", "import a.x\n\nprint(a.x)\n", LONG]),
    ("pyproject.toml", PYPROJECT),
    ("a/pyproject.toml", PYPROJECT),
    ("a/b/pyproject.toml", PYPROJECT),
    (
        "setup.cfg",
        &[
            "",
            "[flake8]\nmax-line-length = 50\n",
            "[isort]\nforce_single_line = true\n",
            "[pydocstyle]\nselect = D100\n",
        ],
    ),
    (
        "a/setup.cfg",
        &["", "[isort]\nforce_sort_within_sections = true\nprofile = black\n", "[yapf]\nbased_on_style = google\n"],
    ),
    ("a/.isort.cfg", &["", "[settings]\nknown_third_party = a\n"]),
    ("c/.isort.cfg", &["", "[settings]\nlines_after_imports = 3\n"]),
    ("ruff.toml", &["", "line-length = 50\n[lint]\nselect = ['E', 'F', 'I']\n"]),
    ("c/ruff.toml", &["", "extend = '../base.toml'\n", "[format]\nquote-style = 'single'\n"]),
    ("base.toml", &["line-length = 40\n", "[lint]\nselect = ['E501', 'UP']\n"]),
    (".flake8", &["", "[flake8]\nextend-ignore = F401\n"]),
    ("mypy.ini", &["", "[mypy]\ndisallow_untyped_defs = true\n"]),
    (".pylintrc", &["", "[MAIN]\ndisable=all\nenable=unused-import\n"]),
    ("f.yaml", &["a:   1\n", "---\na: 1\n"]),
    ("a/g.yaml", &["---\na:   [1,2]\n", "---\na: 1\n", "a: :\n"]),
    ("a/b/h.yml", &["---\nb: 1   \n", "---\nb: 1\n"]),
    (".yamllint", &["", "rules:\n  document-start: enable\n", "extends: relaxed\n"]),
    ("a/.yamllint", &["", "rules:\n  commas: enable\n  trailing-spaces: enable\n"]),
    ("s.sh", &["#!/bin/sh\necho $1\n", "#!/bin/sh\nif true; then\necho \"$1\"\nfi\n"]),
    ("a/t.sh", &["#!/bin/bash\ncd $1 && echo  hi\n", "#!/bin/sh\necho hi\n"]),
    (".shellcheckrc", &["", "disable=SC2086\n"]),
    ("a/.shellcheckrc", &["", "disable=SC2164\n"]),
    (".editorconfig", &["", "root = true\n[*.sh]\nindent_style = space\nindent_size = 2\n"]),
    ("a/.editorconfig", &["", "[*.sh]\nindent_style = tab\n"]),
    (".taplo.toml", &["", "[formatting]\nalign_entries = true\n"]),
];

const BUILD: &str = "python_sources(name='py')\nshell_sources(name='sh')\n";

const PYPROJECT: &[&str] = &[
    "",
    "[tool.black]\nline-length = 40\n",
    "[tool.black]\nskip-string-normalization = true\n",
    "[tool.isort]\nprofile = 'black'\nforce_single_line = true\n",
    "[tool.ruff]\nline-length = 45\n[tool.ruff.lint]\nselect = ['E', 'F401', 'Q']\n",
    "[tool.yapf]\nbased_on_style = 'facebook'\n",
    "[tool.pydoclint]\nstyle = 'google'\n[tool.mypy]\nstrict = true\n",
    "[project]\nname = 'nothing'\n",
    "[tool.black\n",
];
