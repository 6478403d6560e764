//! `--tag` and `--filter-…`: which of the selected targets a goal takes. Each entry is an "or" of its comma parts, a
//! leading `-` inverts the whole entry, and all entries have to hold.

use regex::Regex;

use crate::build_file::Value;
use crate::targets::kind::{self, Kind};
use crate::targets::{Address, Target, TargetGraph};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{pattern}` is not a regular expression")]
    Regex { pattern: String, source: Box<regex::Error> },
    #[error("no target has the type `{kind}`, and no such type is known")]
    Kind { kind: String, hint: Option<&'static str> },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    #[default]
    All,
    /// What was generated for a file.
    File,
    /// All else: what is written in BUILD files, and what of it generates by name, such as requirements.
    Build,
}

/// What the options say, unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters<'a> {
    pub tag: Vec<&'a str>,
    pub target_type: Vec<&'a str>,
    pub address_regex: Vec<&'a str>,
    pub tag_regex: Vec<&'a str>,
    pub granularity: Granularity,
}

pub fn filter(graph: &TargetGraph, addresses: Vec<Address>, filters: &Filters) -> Result<Vec<Address>, Error> {
    if *filters == Filters::default() {
        return Ok(addresses);
    }
    let tag = entries(&filters.tag, |part| Ok(part.to_owned()))?;
    let target_type = entries(&filters.target_type, |part| known_kind(graph, part))?;
    let address_regex = entries(&filters.address_regex, regex)?;
    let tag_regex = entries(&filters.tag_regex, regex)?;
    let keep = |address: &Address| {
        let Some(target) = graph.get(address) else { return false };
        let tags = target.fields.get("tags").map(Value::strings).unwrap_or_default();
        let printed = if address_regex.is_empty() { String::new() } else { address.to_string() };
        granular(target, filters.granularity)
            && tag.iter().all(|entry| entry.holds(|tag| tags.contains(&tag.as_str())))
            && target_type.iter().all(|entry| entry.holds(|kind| *kind == target.kind))
            && address_regex.iter().all(|entry| entry.holds(|regex| regex.is_match(&printed)))
            && tag_regex.iter().all(|entry| entry.holds(|regex| tags.iter().any(|tag| regex.is_match(tag))))
    };
    Ok(addresses.into_iter().filter(keep).collect())
}

struct Entry<T> {
    inverted: bool,
    any_of: Vec<T>,
}

impl<T> Entry<T> {
    fn holds(&self, test: impl Fn(&T) -> bool) -> bool {
        self.any_of.iter().any(test) != self.inverted
    }
}

fn entries<T>(texts: &[&str], read: impl Fn(&str) -> Result<T, Error>) -> Result<Vec<Entry<T>>, Error> {
    let entry = |text: &&str| {
        let (inverted, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let any_of = body.split(',').map(|part| read(part.trim())).collect::<Result<_, _>>()?;
        Ok(Entry { inverted, any_of })
    };
    texts.iter().map(entry).collect()
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    let refuse = |source| Error::Regex { pattern: pattern.to_owned(), source: Box::new(source) };
    Regex::new(pattern).map_err(refuse)
}

fn known_kind(graph: &TargetGraph, kind: &str) -> Result<String, Error> {
    if Kind::of(kind).is_none() && !graph.targets().any(|target| target.kind == kind) {
        let hint = kind::nearest(kind);
        return Err(Error::Kind { kind: kind.to_owned(), hint });
    }
    Ok(kind.to_owned())
}

fn granular(target: &Target, granularity: Granularity) -> bool {
    match granularity {
        Granularity::All => true,
        Granularity::File => target.address.file.is_some(),
        Granularity::Build => target.address.file.is_none(),
    }
}
