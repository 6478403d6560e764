//! The result of `verify` as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::report::json;

/// What `verify` found.
#[derive(Debug, Default, Serialize)]
pub struct Verification {
    /// The goals whose steps were compared.
    pub goals: Vec<String>,
    /// What was different in the second run.
    pub conditions: Vec<Condition>,
    /// The directory that the results were compared with, instead of a second run.
    pub against: Option<String>,
    /// Numbers of steps.
    pub counts: Counts,
    /// Numbers of steps by goal. A step that several goals need counts for the first.
    pub counts_by_goal: BTreeMap<String, Counts>,
    /// Steps whose results differ, in the order in which they ran.
    pub differences: Vec<StepDifference>,
    /// Steps about which nothing can be concluded.
    pub not_comparable: Vec<NotComparable>,
}

/// Something that the second run should change.
#[derive(Debug, Serialize)]
pub struct Condition {
    /// Its name on the command line.
    pub name: String,
    /// What is different.
    pub what: String,
    /// Why it was not changed, if it was not.
    pub skipped: Option<String>,
}

/// Numbers of steps by the result of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Equal, byte for byte.
    pub identical: usize,
    /// Equal apart from durations and the logs of builds.
    pub measured: usize,
    /// Equal apart from the path of their own directory, such as virtual environments for this machine.
    pub relocated: usize,
    /// With another result.
    pub different: usize,
    /// Nothing can be concluded.
    pub not_comparable: usize,
    /// The other machine has no result.
    pub absent: usize,
    /// Downloads: their hashes were known before.
    pub downloads: usize,
}

impl Counts {
    /// The sum of all goals.
    pub fn total<'c>(counts: impl Iterator<Item = &'c Counts>) -> Counts {
        counts.fold(Counts::default(), |sum, one| Counts {
            identical: sum.identical + one.identical,
            measured: sum.measured + one.measured,
            relocated: sum.relocated + one.relocated,
            different: sum.different + one.different,
            not_comparable: sum.not_comparable + one.not_comparable,
            absent: sum.absent + one.absent,
            downloads: sum.downloads + one.downloads,
        })
    }
}

/// A step whose results differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct StepDifference {
    /// Its goal.
    pub goal: String,
    /// Its name.
    pub step: String,
    /// The name of a requested step that uses it, or its own name.
    pub needed_by: String,
    /// How many other requested steps use it.
    pub needed_by_others: usize,
    /// The first files that differ.
    pub files: Vec<FileDifference>,
    /// The number of files that differ.
    pub file_count: usize,
}

/// A step about which nothing can be concluded.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NotComparable {
    /// Its name.
    pub step: String,
    /// The reason.
    pub reason: String,
}

/// A file that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FileDifference {
    /// Its path in the output, with members of archives after `!`, or the name of a stream.
    pub place: String,
    /// The kind of bytes that differ.
    pub kind: String,
    /// Lines that begin with `-` or `+`.
    pub diff: String,
}

/// The number of steps that are described as text.
const SHOWN_STEPS: usize = 10;

impl Verification {
    /// The result as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for difference in self.differences.iter().take(SHOWN_STEPS) {
            text += &difference.render();
        }
        let mut line = |line: String| writeln!(text, "{line}").expect("a String takes all writes");
        if self.differences.len() > SHOWN_STEPS {
            line(format!("{} more steps differ.", self.differences.len() - SHOWN_STEPS));
        }
        for NotComparable { step, reason } in &self.not_comparable {
            line(format!("not compared: {step}: {reason}"));
        }
        let (changed, skipped): (Vec<_>, Vec<_>) = self.conditions.iter().partition(|one| one.skipped.is_none());
        if !changed.is_empty() {
            let names: Vec<&str> = changed.iter().map(|condition| condition.name.as_str()).collect();
            line(format!("Varied: {}.", names.join(", ")));
        }
        for condition in skipped {
            line(format!("Not varied: {}: {}.", condition.name, condition.skipped.as_deref().unwrap_or_default()));
        }
        text + &self.summary()
    }

    fn summary(&self) -> String {
        let Counts { identical, measured, relocated, different, not_comparable, absent, downloads } = self.counts;
        let sign = if different == 0 { "✓" } else { "✕" };
        let mut parts = vec![format!("{identical} identical")];
        let more = [
            (measured, "identical apart from durations and logs"),
            (relocated, "identical apart from the path of their directory"),
            (different, "different"),
            (absent, "absent there"),
            (not_comparable, "not comparable"),
        ];
        parts.extend(more.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        let downloads =
            if downloads > 0 { format!(" ({downloads} downloads have known hashes)") } else { String::new() };
        let with = self.against.as_ref().map(|dir| format!(" with {dir}")).unwrap_or_default();
        format!("{sign} Steps of {} compared{with}: {}{downloads}.", self.goals.join(", "), parts.join(", "))
    }

    /// The result as JSON. `exit_code` is that of the process.
    pub fn to_json(&self, exit_code: u8) -> String {
        json::render("verify", exit_code, self)
    }
}

impl StepDifference {
    fn render(&self) -> String {
        let needed = match (&self.needed_by, self.needed_by_others) {
            (name, 0) if *name == self.step => String::new(),
            (name, 0) => format!(", needed by {name}"),
            (name, more) => format!(", needed by {name} and {more} more"),
        };
        let mut text = format!("✕ {} ({}{needed}) is not reproducible:\n", self.step, self.goal);
        for file in &self.files {
            writeln!(text, "  {}: {}", file.place, file.kind).expect("a String takes all writes");
            file.diff.lines().for_each(|line| text += &format!("    {line}\n"));
        }
        match self.file_count.saturating_sub(self.files.len()) {
            0 => text,
            more => text + &format!("  {more} more files differ\n"),
        }
    }
}
