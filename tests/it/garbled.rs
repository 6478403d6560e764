//! Settings and arguments as nobody means them: mutated files, values and words give an answer or a message with its
//! place, never a panic or a hang.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use waders::cli::{error, invocation};
use waders::config::Environment;

const SETTINGS: &str = r#"
[GLOBAL]
pants_version = "2.17.1"
backend_packages.add = ["pants.backend.python", "%(env.HOME)s"]
pants_ignore = "+['a', \"b\"],-['c']"
[DEFAULT]
skip = true
[python]
interpreter_constraints = ["CPython==3.11.*"]
resolves_to_interpreter_constraints = "{'k': ['>=3.9', (1, True)]}"
[python.resolves]
python-default = "%(buildroot)s/python.lock"
[test]
timeout_default = 300
extra_env_vars = ["A=%(timeout_default)s", "B"]
[cli.alias]
green = "fmt lint 'a/b c'"
--all-changed = "--changed-since=HEAD green"
"#;

const WORDS: [&str; 22] = [
    "test",
    "lint",
    "green",
    "--all-changed",
    "--tag=a",
    "--no-pantsd",
    "-ldebug",
    "::",
    "-src::",
    "src/a.py",
    "--",
    "-k",
    "help",
    "--help",
    "--test-extra-env-vars=+['A']",
    "--python-resolves={'a': 'b'}",
    "--level=x",
    "tset",
    "--debug",
    "",
    "--test-timeout-default=@gone",
    "--pants-config-files=pants.toml",
];

/// What is cut out, and what is put there.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let bit = prop_oneof![
        "[\\[\\]{}()'\"=.,+%@#\\\\\n-]{1,3}",
        "%\\([a-z.A-Z]{1,8}\\)s",
        any::<char>().prop_map(|c| c.to_string()),
        Just("[".repeat(5000)),
    ];
    proptest::collection::vec((0..SETTINGS.len(), 0..12_usize, bit), 1..4)
}

fn apply(edits: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = SETTINGS.chars().collect();
    for (at, length, new) in edits {
        let start = (*at).min(chars.len());
        let end = (start + length).min(chars.len());
        chars.splice(start..end, new.chars());
    }
    chars.into_iter().collect()
}

/// The message, if there is one.
fn read(settings: &str, argv: &[String]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pants.toml"), settings).unwrap();
    let vars = [("HOME".to_owned(), "/home/u".to_owned())].into();
    let environment =
        Environment { vars, home: Some("/home/u".into()), cwd: dir.path().to_owned(), ..Environment::default() };
    let start = Instant::now();
    let message = match invocation::read(argv, environment) {
        Ok(_) => None,
        Err(error) => Some(error::render(&error, error.hint().as_deref(), false)),
    };
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    message
}

#[test]
fn what_is_not_mutated_is_read() {
    assert_eq!(read(SETTINGS, &["green".to_owned(), "--tag=a".to_owned()]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_settings_give_a_message_with_its_place(edits in edits()) {
        if let Some(message) = read(&apply(&edits), &["test".to_owned()]) {
            let has_place = message.contains("pants.toml:") || message.contains("[cli.alias]");
            prop_assert!(has_place, "{}", message);
        }
    }

    #[test]
    fn any_words_are_read_or_refused(
        words in proptest::collection::vec(prop_oneof![proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), "-{0,3}.{0,12}"], 0..8)
    ) {
        if let Some(message) = read(SETTINGS, &words) {
            prop_assert!(message.starts_with("error: ") && message.ends_with('\n'), "{}", message);
        }
    }
}
