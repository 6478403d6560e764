//! Reads hash-pinned requirements, as written by pip and uv: a flat list of packages, each with its own marker. Options
//! that name indexes are ignored here.
//!
//! Such a file contains neither file names nor dependencies. The lockfiles of Waders add them as comment lines below an
//! entry:
//!
//! - `# file: six-1.16.0-py3-none-any.whl`: one line for each hash, in the same order.
//! - `# requires: six>=1.16 ; extra == 'name'`: one line for each dependency, or one empty `# requires:`. Dependencies are
//!   used only if every entry has such a line.

use std::collections::BTreeSet;

use uv_distribution_filename::DistFilename;
use uv_pep440::{Operator, Version};
use uv_pep508::{MarkerTree, VersionOrUrl};

use super::{Artifact, Error, File, Lock, LockedProjects, Package, Problem, file_name_of, sha256_of};
use crate::packaging::requirement::{self, Requirement};

const FORMAT: &str = "hash-pinned requirements file";
pub(super) const FILE_COMMENT: &str = "# file:";
pub(super) const REQUIRES_COMMENT: &str = "# requires:";

/// Options about indexes and downloads, which are configured in the settings instead.
const IGNORED: [&str; 13] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--no-index",
    "-f",
    "--find-links",
    "--trusted-host",
    "--only-binary",
    "--no-binary",
    "--prefer-binary",
    "--pre",
    "--require-hashes",
    "--use-feature",
];

/// An entry or option, with continuation lines joined and comments removed.
struct LogicalLine {
    offset: usize,
    text: String,
    file_names: Vec<String>,
    /// The dependencies, if the entry has comments about them.
    requires: Option<Vec<String>>,
}

pub(super) fn read(file: &File<'_>) -> Result<Lock, Error> {
    let mut packages = Vec::new();
    let mut has_edges = true;
    for line in logical_lines(file.text) {
        if line.text.starts_with('-') {
            let option = line.text.split([' ', '=']).next().unwrap_or_default();
            if !IGNORED.contains(&option) {
                return Err(file.error_at(line.offset, Problem::Unsupported(format!("`{option}` in a lockfile"))));
            }
            continue;
        }
        packages.push(package(&line).map_err(|problem| file.error_at(line.offset, problem))?);
        has_edges &= line.requires.is_some();
    }
    Ok(Lock {
        label: file.label.to_owned(),
        has_edges: has_edges && !packages.is_empty(),
        packages,
        roots: Vec::new(),
        requires_python: Vec::new(),
        excluded: BTreeSet::new(),
        metadata: None,
        projects: LockedProjects::default(),
    })
}

fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let mut lines: Vec<LogicalLine> = Vec::new();
    let mut offset = 0;
    let mut continued = false;
    for raw in text.split_inclusive('\n') {
        let line = raw.trim();
        if let Some(name) = line.strip_prefix(FILE_COMMENT) {
            if let Some(entry) = lines.last_mut() {
                entry.file_names.push(name.trim().to_owned());
            }
        } else if let Some(requirement) = line.strip_prefix(REQUIRES_COMMENT) {
            if let Some(entry) = lines.last_mut() {
                let requirement = Some(requirement.trim()).filter(|requirement| !requirement.is_empty());
                entry.requires.get_or_insert_default().extend(requirement.map(str::to_owned));
            }
        } else if !line.starts_with('#') && !line.starts_with("//") {
            let line = line.split(" #").next().unwrap_or_default().trim_end();
            let content = line.strip_suffix('\\').unwrap_or(line).trim_end();
            match lines.last_mut() {
                Some(entry) if continued => entry.text = format!("{} {content}", entry.text).trim().to_owned(),
                _ if content.is_empty() => {}
                _ => {
                    lines.push(LogicalLine { offset, text: content.to_owned(), file_names: Vec::new(), requires: None })
                }
            }
            continued = line.ends_with('\\');
        }
        offset += raw.len();
    }
    lines
}

fn package(line: &LogicalLine) -> Result<Package, Problem> {
    let (text, options) = line.text.split_once(" --").unwrap_or((&line.text, ""));
    let mut requirement = requirement::parse(text.trim())?;
    let hashes = hashes(options)?;
    if hashes.is_empty() {
        return Err(Problem::NoHash { package: requirement.name.to_string() });
    }
    let marker = std::mem::replace(&mut requirement.marker, MarkerTree::TRUE);
    let (version, url) = pin(&requirement)?;
    let requires = line.requires.iter().flatten().map(|text| requirement::parse(text));
    let has_names = line.file_names.len() == hashes.len();
    let artifacts = hashes.into_iter().enumerate().map(|(index, sha256)| Artifact {
        file_name: if has_names { line.file_names.get(index).cloned() } else { url.as_deref().and_then(file_name_of) },
        url: url.clone(),
        sha256,
        size_bytes: None,
    });
    Ok(Package {
        name: requirement.name.clone(),
        version,
        requires: requires.collect::<Result<_, _>>()?,
        requires_python: None,
        marker,
        platform_tag: None,
        artifacts: artifacts.collect(),
        unavailable: None,
        git: None,
    })
}

fn hashes(options: &str) -> Result<Vec<String>, Problem> {
    let mut hashes = Vec::new();
    for option in options.split(" --").map(str::trim).filter(|option| !option.is_empty()) {
        let value = option.strip_prefix("hash").map(|value| value.trim_start_matches(['=', ' ']));
        let value = value.ok_or_else(|| Problem::Unsupported(format!("`--{option}` of a requirement")))?;
        // Hashes of other algorithms are ignored.
        hashes.extend(value.strip_prefix("sha256:").and_then(sha256_of));
    }
    Ok(hashes)
}

/// The pinned version, and the URL if the requirement has one. A URL requirement takes its version from the file name.
fn pin(requirement: &Requirement) -> Result<(Version, Option<String>), Problem> {
    let name = &requirement.name;
    match &requirement.version_or_url {
        Some(VersionOrUrl::Url(url)) => {
            let url = url.to_string();
            let file_name = file_name_of(&url).and_then(|file_name| DistFilename::try_from_filename(&file_name, name));
            Ok((file_name.map_or_else(|| Version::new([0]), DistFilename::into_version), Some(url)))
        }
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => match specifiers.iter().collect::<Vec<_>>()[..] {
            [pin] if matches!(pin.operator(), Operator::Equal | Operator::ExactEqual) => {
                Ok((pin.version().clone(), None))
            }
            _ => Err(unpinned(requirement)),
        },
        None => Err(unpinned(requirement)),
    }
}

fn unpinned(requirement: &Requirement) -> Problem {
    Problem::Malformed { format: FORMAT, why: format!("`{requirement}` is not pinned with `==`") }
}

#[cfg(test)]
mod tests {
    use super::super::{Lock, parse};

    const HASH: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn read(text: &str) -> Result<Lock, String> {
        parse("reqs.txt", &text.replace("HASH", HASH), None).map_err(|error| error.to_string())
    }

    #[test]
    fn continued_lines_comments_and_markers_are_read() {
        let lock = read(
            "# made by hand\n-i https://index.example.invalid/simple\n\n\
             six==1.16.0 ; python_version < '3.9' \\\n    --hash=sha256:HASH \\\n    --hash=sha256:HASH\n    # via nothing\n\
             attrs==22.1 --hash sha256:HASH # why\n",
        )
        .expect("readable");
        assert_eq!(lock.packages.len(), 2);
        assert_eq!(lock.packages[0].artifacts.len(), 2);
        assert!(!lock.packages[0].marker.is_true());
        assert_eq!(lock.packages[0].artifacts[0].file_name, None);
        assert_eq!(lock.packages[1].version.to_string(), "22.1");
    }

    #[test]
    fn file_names_come_from_comments_or_urls() {
        let lock = read(
            "six==1.16.0 \\\n    --hash=sha256:HASH\n    # file: six-1.16.0-py3-none-any.whl\n\
             a @ https://example.invalid/a-2.0-py3-none-any.whl --hash=sha256:HASH\n",
        )
        .expect("readable");
        assert_eq!(lock.packages[0].artifacts[0].file_name.as_deref(), Some("six-1.16.0-py3-none-any.whl"));
        assert_eq!(lock.packages[1].artifacts[0].file_name.as_deref(), Some("a-2.0-py3-none-any.whl"));
        assert_eq!(lock.packages[1].version.to_string(), "2.0");
    }

    #[test]
    fn dependencies_are_used_only_if_all_entries_have_them() {
        let has_edges = |text: &str| read(text).expect("readable").has_edges;
        let entry = "six==1 --hash=sha256:HASH\n    # requires:\n";
        assert!(has_edges(entry));
        assert!(!has_edges(&format!("{entry}attrs==1 --hash=sha256:HASH\n")));
        assert!(!has_edges("# nothing is required\n"));
    }

    #[test]
    fn unlocked_requirements_are_rejected_with_their_location() {
        let check = |text: &str, expected: &str| assert_eq!(read(text).expect_err(text), expected);
        check("\nsix==1.0\n", "reqs.txt:2:1: `six` has no sha256 hash, so its files cannot be verified");
        check("six==1.0 --hash=md5:00\n", "reqs.txt:1:1: `six` has no sha256 hash, so its files cannot be verified");
        check(
            "six>=1.0 --hash=sha256:HASH\n",
            "reqs.txt:1:1: invalid hash-pinned requirements file: `six>=1.0` is not pinned with `==`",
        );
        check("-r other.txt\n", "reqs.txt:1:1: `-r` in a lockfile is not supported");
        check("-e .\n", "reqs.txt:1:1: `-e` in a lockfile is not supported");
        assert!(read("???\n").expect_err("no requirement").starts_with("reqs.txt:1:1: invalid requirement `???`"));
    }
}
