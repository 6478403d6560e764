//! Arbitrary command lines are parsed or refused with a message, without a panic or a hang. Mutated settings files are in
//! `mutations`.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use waders::cli::invocation;
use waders::config::Environment;
use waders::report::Message;

const SETTINGS: &str = include_str!("../../fuzz/seeds/pants_toml/usual");

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

/// Reads a command line in a repository with these settings. Returns the error message, if any.
fn read(settings: &str, argv: &[String]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pants.toml"), settings).unwrap();
    let vars = [("HOME".to_owned(), "/home/u".to_owned())].into_iter().collect();
    let environment =
        Environment { vars, home: Some("/home/u".into()), cwd: dir.path().to_owned(), ..Environment::default() };
    let start = Instant::now();
    let message = match invocation::read(argv, environment) {
        Ok(_) => None,
        Err(error) => Some(Message::from_error(&error, error.hint().as_deref()).render(false)),
    };
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    message
}

#[test]
fn a_valid_command_line_is_read() {
    assert_eq!(read(SETTINGS, &["green".to_owned(), "--tag=a".to_owned()]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_command_line_is_read_or_refused(
        words in proptest::collection::vec(prop_oneof![proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), "-{0,3}.{0,12}"], 0..8)
    ) {
        if let Some(message) = read(SETTINGS, &words) {
            prop_assert!(message.starts_with("error: ") && message.ends_with('\n'), "{}", message);
        }
    }
}
