//! The property of lockfiles: any text is parsed and resolved, or rejected with a location. Text below the line
//! `--- sidecar` is the metadata sidecar of the lockfile. Used by the mutation tests and by the fuzzer.

use waders::packaging::Environment;
use waders::packaging::lockfile::parse;
use waders::packaging::resolve::resolve_whole;

pub fn check(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (text, sidecar) = match text.split_once("--- sidecar\n") {
        Some((text, sidecar)) => (text, Some(sidecar)),
        None => (&*text, None),
    };
    let lines = text.split('\n').count().max(sidecar.map_or(0, |sidecar| sidecar.split('\n').count()));
    match parse("a.lock", text, sidecar) {
        Ok(lock) => {
            let environment = Environment::linux_x86_64("3.11.2", (2, 36)).unwrap();
            drop(resolve_whole(&lock, &environment));
        }
        Err(error) => {
            let place = error.place.unwrap_or_else(|| panic!("no location: {error}"));
            assert!((1..=lines).contains(&place.line) && place.column > 0, "{error}: in a file of {lines} lines");
        }
    }
}
