//! `store`: what takes the space of the store, its verification and repair, and the removal of what was not used recently. Pants
//! does not have this goal. It also works outside a repository.

mod du;
mod gc;
mod verify;

use crate::goals::Error;
use crate::session::{Session, Verdict};

/// Raised when the JSON output of this goal changes.
const SCHEMA_VERSION: u32 = 1;

/// What the goal can do. The command line has one of these words.
pub const STORE_WORDS: [&str; 4] = ["du", "gc", "repair", "verify"];

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let words: Vec<&str> = session.context.specs.iter().map(String::as_str).collect();
    match words[..] {
        ["du"] => du::run(session),
        ["verify"] => verify::verify(session),
        ["repair"] => verify::repair(session),
        ["gc"] => gc::run(session),
        _ => Err(Error::StoreWord),
    }
}

/// A number with its noun, in the plural unless it is one.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
