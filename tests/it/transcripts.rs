//! The exact output of commands: runs the transcripts in `tests/cli`, each in a copy of its fixture repository. Those in
//! `reading/` need only this program; those in `running/` also need the package archive and the index in this machine's
//! settings. `TRYCMD=overwrite cargo test --test it transcripts` updates the transcripts.

mod attesting;
mod base_images;
mod caching;
mod closed_pipes;
mod completing;
mod distributions;
mod doctor;
mod edits;
mod exporting;
mod full_disk;
mod generating;
mod images;
mod installing;
mod interruption;
mod live_output;
mod locking;
mod manual;
mod other_users;
mod programs;
mod publishing;
mod replaying;
mod reporting;
mod services;
mod sharing;
mod source_distributions;
mod terminal;
mod trace_reuse;
mod unconfigured;
mod verifying;
mod wheels;
pub(crate) mod workspace;
mod workspace_packages;

use workspace::Workspace;

#[test]
fn transcripts_of_reading_goals_match() {
    Workspace::new("reading").check_transcripts();
}

#[test]
fn transcripts_of_running_goals_match() {
    let Some(workspace) = Workspace::running() else { return };
    workspace.check_transcripts();
}
