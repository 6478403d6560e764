//! The property of settings files: any text is accepted, or rejected with a location. Used by the mutation tests and by
//! the fuzzer.

use std::path::Path;

use waders::cli::invocation;
use waders::config::Environment;
use waders::inference::{InferenceSettings, SourceRoots};
use waders::report::Message;

pub fn check(text: &[u8]) {
    thread_local!(static REPOSITORY: tempfile::TempDir = tempfile::tempdir().unwrap());
    REPOSITORY.with(|repository| check_in(repository.path(), text));
}

fn check_in(root: &Path, text: &[u8]) {
    std::fs::write(root.join("pants.toml"), text).unwrap();
    let vars = [("HOME".to_owned(), "/home/u".to_owned())].into_iter().collect();
    let environment =
        Environment { vars, home: Some("/home/u".into()), cwd: root.to_owned(), ..Environment::default() };
    match invocation::read(&["list".to_owned(), "::".to_owned()], environment) {
        Ok(invocation) => {
            drop(InferenceSettings::from_config(&invocation.config));
            let patterns = invocation.config.list("source", "root_patterns");
            drop(SourceRoots::new(&patterns, &invocation.config.list("source", "marker_filenames"), []));
        }
        Err(error) => {
            let message = Message::from_error(&error, error.hint().as_deref()).render(false);
            let has_location = message.contains("pants.toml") || message.contains("[cli.alias]");
            assert!(has_location, "{message}");
        }
    }
}
