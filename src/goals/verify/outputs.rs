//! Compares the results of one step: exit, standard streams and output tree. The two results may be in different stores.

use std::collections::BTreeSet;

use regex::bytes::Regex;

use crate::action::{Exit, Measurement, Outcome};
use crate::base::Digest;
use crate::difference::{self, Difference, Kind};
use crate::engine::RecordedResult;
use crate::goals::Error;
use crate::goals::verify::conditions::Move;
use crate::packaging::host_venv::with_short_header;
use crate::report::verification::FileDifference;
use crate::store::{Node, Store};

/// The number of files of a step whose differences are described.
const DESCRIBED_FILES: usize = 3;

/// A larger file is not read: only its hash is compared.
const READ_BYTES: u64 = 256 << 20;

/// How two results of a step compare.
pub(super) enum Outcomes {
    Equal,
    /// Equal apart from parts that measure the run.
    EqualApartFromMeasurements,
    /// The described files, and the number of all files that differ.
    Different(Vec<FileDifference>, usize),
    /// Nothing can be concluded, for this reason.
    NotComparable(String),
}

/// A result and the store that contains it.
#[derive(Clone, Copy)]
pub(super) struct Side<'s> {
    pub store: &'s Store,
    pub result: &'s RecordedResult,
}

/// Collects what differs.
struct Collector<'m> {
    masks: Vec<(&'m Measurement, Regex)>,
    moves: &'m [Move],
    described: Vec<FileDifference>,
    count: usize,
    has_measurements: bool,
}

/// Compares two results of the same step. `moves` are undone in the second one.
pub(super) fn compare(
    first: Side<'_>,
    second: Side<'_>,
    measurements: &[Measurement],
    moves: &[Move],
) -> Result<Outcomes, Error> {
    let masks = measurements.iter().map(mask).collect();
    let mut found = Collector { masks, moves, described: Vec::new(), count: 0, has_measurements: false };
    match (first.result, second.result) {
        (RecordedResult::Network(_), _) | (_, RecordedResult::Network(_)) => {
            return Ok(Outcomes::NotComparable("it uses the network, so it is not repeated".to_owned()));
        }
        (RecordedResult::Process(one), RecordedResult::Process(other)) => {
            if let Some(exit) = [one.exit, other.exit].into_iter().find(|exit| depends_on_time(*exit)) {
                return Ok(Outcomes::NotComparable(format!("{exit}: that depends on the load of the machine")));
            }
            found.processes((first.store, one), (second.store, other))?;
        }
        (
            RecordedResult::Derived(one) | RecordedResult::Fetched(one),
            RecordedResult::Derived(other) | RecordedResult::Fetched(other),
        ) => found.trees((first.store, *one), (second.store, *other))?,
        _ => return Ok(Outcomes::NotComparable("the step is of another kind in the other run".to_owned())),
    }
    Ok(match found {
        Collector { count: 0, has_measurements: false, .. } => Outcomes::Equal,
        Collector { count: 0, .. } => Outcomes::EqualApartFromMeasurements,
        Collector { described, count, .. } => Outcomes::Different(described, count),
    })
}

fn mask(measurement: &Measurement) -> (&Measurement, Regex) {
    (measurement, Regex::new(&measurement.pattern).expect("the planner's patterns compile: tested"))
}

fn depends_on_time(exit: Exit) -> bool {
    matches!(exit, Exit::TimedOut | Exit::Interrupted | Exit::OutOfMemory)
}

impl Collector<'_> {
    fn processes(&mut self, first: (&Store, &Outcome), second: (&Store, &Outcome)) -> Result<(), Error> {
        let (one, other) = (first.1, second.1);
        if one.exit != other.exit {
            self.add("exit code", Kind::Exit, format!("-{}\n+{}", one.exit, other.exit));
        }
        for (name, digests) in
            [("standard output", [one.stdout, other.stdout]), ("standard error", [one.stderr, other.stderr])]
        {
            self.blobs(name, None, (first.0, digests[0]), (second.0, digests[1]))?;
        }
        self.trees((first.0, one.output), (second.0, other.output))
    }

    fn trees(&mut self, first: (&Store, Digest), second: (&Store, Digest)) -> Result<(), Error> {
        if first.1 == second.1 {
            return Ok(());
        }
        let [one, other] = [first.0.tree(first.1)?.nodes, second.0.tree(second.1)?.nodes];
        let paths: BTreeSet<_> = one.keys().chain(other.keys()).collect();
        for path in paths {
            let name = path.as_str();
            match (one.get(path), other.get(path)) {
                (one, other) if one == other => {}
                _ if self.is_in_measured_directory(name) => self.has_measurements = true,
                (Some(one), Some(other)) => self.nodes(name, (first.0, one), (second.0, other))?,
                (Some(_), None) => self.add(name, Kind::File, format!("-{name}")),
                (None, _) => self.add(name, Kind::File, format!("+{name}")),
            }
        }
        Ok(())
    }

    fn is_in_measured_directory(&self, name: &str) -> bool {
        let is_directory = |mask: &Measurement| mask.file.as_deref().is_some_and(|file| file.ends_with('/'));
        self.masks.iter().any(|(mask, _)| is_directory(mask) && mask.concerns(Some(name)))
    }

    fn nodes(&mut self, name: &str, first: (&Store, &Node), second: (&Store, &Node)) -> Result<(), Error> {
        match (first.1, second.1) {
            (Node::File { digest: one, executable }, Node::File { digest: other, executable: also }) => {
                if executable != also {
                    let mode = |executable: &bool| if *executable { "executable" } else { "not executable" };
                    self.add(name, Kind::File, format!("-{}\n+{}", mode(executable), mode(also)));
                }
                self.blobs(name, Some(name), (first.0, *one), (second.0, *other))?;
            }
            (one, other) => {
                let [one, other] = [one.to_text(), Move::undo(self.moves, &other.to_text())];
                if one != other {
                    self.add(name, Kind::File, format!("-{one}\n+{other}"));
                }
            }
        }
        Ok(())
    }

    /// `file` is the path in the output tree; `None` for a stream.
    fn blobs(
        &mut self,
        name: &str,
        file: Option<&str>,
        first: (&Store, Digest),
        second: (&Store, Digest),
    ) -> Result<(), Error> {
        if first.1 == second.1 {
            return Ok(());
        }
        if self.described.len() >= DESCRIBED_FILES && !self.masks.iter().any(|(mask, _)| mask.concerns(file)) {
            self.count += 1;
            return Ok(());
        }
        if first.1.size_bytes().max(second.1.size_bytes()) > READ_BYTES {
            self.add(name, Kind::Unknown, format!("-{}\n+{}", first.1, second.1));
            return Ok(());
        }
        let other = self.without_moves(second.0.get(second.1)?);
        let [one, other] = [first.0.get(first.1)?, other].map(|bytes| self.without_measurements(file, bytes));
        if one == other || !self.moves.is_empty() && with_short_header(&one) == with_short_header(&other) {
            self.has_measurements = true;
            return Ok(());
        }
        let Difference { members, kind, diff } = difference::between(name, &one, &other);
        let place = [&[name.to_owned()], &members[..]].concat().join("!");
        self.add(&place, kind, diff);
        Ok(())
    }

    fn without_moves(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mask = |path: &str| Regex::new(&regex::escape(path)).expect("an escaped text compiles");
        self.moves.iter().fold(bytes, |bytes, one| {
            let original = regex::bytes::NoExpand(one.original.as_bytes());
            mask(&one.moved).replace_all(&bytes, original).into_owned()
        })
    }

    fn without_measurements(&self, file: Option<&str>, bytes: Vec<u8>) -> Vec<u8> {
        let masks = self.masks.iter().filter(|(measurement, _)| measurement.concerns(file));
        masks.fold(bytes, |bytes, (_, mask)| mask.replace_all(&bytes, &b"<measured>"[..]).into_owned())
    }

    fn add(&mut self, place: &str, kind: Kind, diff: String) {
        self.count += 1;
        if self.described.len() < DESCRIBED_FILES {
            self.described.push(FileDifference { place: place.to_owned(), kind: kind.to_string(), diff });
        }
    }
}
