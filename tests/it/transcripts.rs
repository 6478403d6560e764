//! What a user sees, word for word: the transcripts in `tests/cli`, each played in a copy of its fixture repository.
//! `reading/` needs nothing but this program; `running/` also the archive of packages and the index that this machine's
//! settings name. `TRYCMD=overwrite cargo test --test it transcripts` writes down what is seen now.

mod endings;
mod ground;
mod keeping;
mod other_users;
mod retracing;
mod wheels;

use ground::Ground;

#[test]
fn transcripts_of_reading_are_what_users_see() {
    Ground::new("reading").play();
}

#[test]
fn transcripts_of_running_are_what_users_see() {
    let Some(ground) = Ground::running() else { return };
    ground.play();
}
