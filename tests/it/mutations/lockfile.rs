//! A lockfile of any format, whatever it holds: it is read and chosen from, or refused with a place. What stands below
//! the line `--- sidecar` is its sidecar. Used by the test of mutations and by the fuzzer.

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
            let place = error.place.unwrap_or_else(|| panic!("no place: {error}"));
            assert!((1..=lines).contains(&place.line) && place.column > 0, "{error}: in {lines} lines");
        }
    }
}
