//! The test files that a command line selects.

use crate::config::typed::{PytestSettings, TestSettings};
use crate::goals::Error;
use crate::session::{Session, selection};
use crate::targets::kind;
use crate::targets::{Address, Target};

/// The selected tests.
pub(super) struct Selection {
    pub tests: Vec<Address>,
    /// Whether the command line names targets or files, so that finding no tests is worth a warning.
    pub was_named: bool,
}

/// Finds the selected tests, sorted.
pub(super) fn tests(session: &mut Session) -> Result<Selection, Error> {
    let graph = session.load_graph()?;
    let selected = session.select()?;
    let shard = TestSettings::parse(session.config()).shard.as_deref().map(Shard::parse).transpose()?;
    let skips_all = PytestSettings::parse(session.config()).skip;
    let (generators, mut tests): (Vec<Address>, Vec<Address>) = selected
        .into_iter()
        .partition(|address| graph.get(address).is_some_and(|target| target.kind == kind::PYTHON_TESTS));
    let generated = selection::generated_for(session, &graph, &generators);
    tests.extend(selection::filter_generated(session, &graph, generated)?);
    tests.sort();
    tests.dedup();
    tests.retain(|address| {
        let is_test = graph.get(address).is_some_and(is_test) && !skips_all;
        is_test && shard.is_none_or(|shard| shard.contains(address))
    });
    let was_named = selection::specs(session)?.iter().any(|spec| !spec.ends_with("::") && !spec.contains('*'));
    Ok(Selection { tests, was_named })
}

fn is_test(target: &Target) -> bool {
    let skipped = target.flag("skip_tests").unwrap_or(false);
    target.kind == kind::PYTHON_TEST && !skipped
}

/// `k/N`: as in Pants, a target belongs to the shard given by the CRC-32 of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    number: u32,
    count: u32,
}

impl Shard {
    fn parse(text: &str) -> Result<Shard, Error> {
        let refuse = || Error::Shard(text.to_owned());
        let (number, count) = text.split_once('/').ok_or_else(refuse)?;
        let parse = |text: &str| text.trim().parse::<u32>().map_err(|_| refuse());
        let shard = Shard { number: parse(number)?, count: parse(count)? };
        if shard.number < shard.count { Ok(shard) } else { Err(refuse()) }
    }

    fn contains(self, address: &Address) -> bool {
        crc32fast::hash(address.to_string().as_bytes()) % self.count == self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;

    #[test]
    fn a_shard_is_a_number_below_a_count() {
        assert_eq!(Shard::parse("1/3").ok(), Some(Shard { number: 1, count: 3 }));
        for text in ["3/3", "1", "a/b", "-1/2", "0/0", ""] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_target_is_in_exactly_one_shard() {
        for name in ["a", "b", "c", "d"] {
            let address = Address::new(&RelPath::parse("src").unwrap(), name);
            let holding = (0..3).filter(|number| Shard { number: *number, count: 3 }.contains(&address)).count();
            assert_eq!(holding, 1, "{name}");
        }
    }
}
