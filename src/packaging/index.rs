//! Finds the file in an index's listing for a lockfile that contains only hashes. Does not download the listing.

use uv_normalize::PackageName;

use crate::base::ErrorKind;
use crate::packaging::environment::Environment;
use crate::packaging::resolve::best_file;

/// A file in a listing.
#[derive(Clone, Copy, Debug)]
pub struct ListedFile<'a> {
    /// The name of the file.
    pub file_name: &'a str,
    /// The hash in hexadecimal digits, if the index lists one.
    pub sha256: Option<&'a str>,
}

/// The file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedFile {
    /// The name of the file.
    pub file_name: String,
    /// The hash in lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether the file is a wheel rather than a source distribution.
    pub is_wheel: bool,
}

/// Why no file was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The listing cannot be matched with the lockfile.
    #[error("the index lists no sha256 hashes for `{package}`, and the lockfile identifies its files only by hash")]
    NoHashes {
        /// The package.
        package: PackageName,
    },
    /// No listed file is locked.
    #[error(
        "none of the {listed} files that the index lists for `{package}` matches one of the {wanted} locked hashes"
    )]
    NoMatchingHash {
        /// The package.
        package: PackageName,
        /// The number of files in the listing.
        listed: usize,
        /// The number of hashes in the lockfile.
        wanted: usize,
    },
    /// None of the locked files can be installed.
    #[error("`{package}` has no file that is compatible with {tag}: the locked files are `{}`", files.join("`, `"))]
    NoCompatibleFile {
        /// The package.
        package: PackageName,
        /// The most specific wheel tag of the interpreter.
        tag: String,
        /// The files with a locked hash.
        files: Vec<String>,
    },
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoCompatibleFile { .. } => ErrorKind::Mistake,
            Error::NoHashes { .. } | Error::NoMatchingHash { .. } => ErrorKind::Unavailable,
        }
    }

    /// What the user can do about the error; `None` if another index may provide the file.
    pub fn hint(&self) -> Option<String> {
        let advice = "lock a version that has a file for this interpreter, or change the interpreter constraints";
        matches!(self, Error::NoCompatibleFile { .. }).then(|| advice.to_owned())
    }
}

/// Finds the best file for `environment` among those with one of the locked hashes.
pub fn locate<'a>(
    package: &PackageName,
    page: impl IntoIterator<Item = ListedFile<'a>>,
    hashes: &[String],
    environment: &Environment,
) -> Result<LocatedFile, Error> {
    let page: Vec<ListedFile<'a>> = page.into_iter().collect();
    let has_locked_hash = |file: &&ListedFile<'a>| {
        file.sha256.is_some_and(|sha256| hashes.iter().any(|hash| hash.eq_ignore_ascii_case(sha256)))
    };
    let matching: Vec<&ListedFile<'a>> = page.iter().filter(has_locked_hash).collect();
    if matching.is_empty() {
        return Err(match page.iter().any(|file| file.sha256.is_some()) || page.is_empty() {
            true => Error::NoMatchingHash { package: package.clone(), listed: page.len(), wanted: hashes.len() },
            false => Error::NoHashes { package: package.clone() },
        });
    }
    let best = best_file(package, matching.iter().map(|file| file.file_name), environment);
    let found = best.and_then(|(name, is_wheel)| {
        let sha256 = matching.iter().find(|file| file.file_name == name)?.sha256?.to_ascii_lowercase();
        Some(LocatedFile { file_name: name.to_owned(), sha256, is_wheel })
    });
    found.ok_or_else(|| Error::NoCompatibleFile {
        package: package.clone(),
        tag: environment.tag(),
        files: matching.iter().map(|file| file.file_name.to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &[(&str, Option<&str>)], hashes: &[&str], expected: Result<&str, &str>) {
        let package = PackageName::from_owned("six".to_owned()).expect("name");
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).expect("version");
        let page = page.iter().map(|(file_name, sha256)| ListedFile { file_name, sha256: *sha256 });
        let hashes: Vec<String> = hashes.iter().map(ToString::to_string).collect();
        let located = locate(&package, page, &hashes, &environment).map_err(|error| error.to_string());
        assert_eq!(located.map(|located| located.file_name), expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn the_best_file_with_a_locked_hash_is_found() {
        let page = [
            ("six-1-py3-none-any.whl", Some("aa")),
            ("six-1-cp312-cp312-manylinux2014_x86_64.whl", Some("BB")),
            ("six-2-cp312-cp312-manylinux2014_x86_64.whl", Some("cc")),
        ];
        check(&page, &["aa", "bb"], Ok("six-1-cp312-cp312-manylinux2014_x86_64.whl"));
        check(&page, &["aa"], Ok("six-1-py3-none-any.whl"));
    }

    #[test]
    fn a_listing_without_a_usable_file_is_an_error() {
        check(
            &[("six-1-py3-none-any.whl", Some("aa"))],
            &["ff"],
            Err("none of the 1 files that the index lists for `six` matches one of the 1 locked hashes"),
        );
        check(
            &[("six-1-py3-none-any.whl", None)],
            &["ff"],
            Err("the index lists no sha256 hashes for `six`, and the lockfile identifies its files only by hash"),
        );
        check(
            &[("six-1-cp39-cp39-win_amd64.whl", Some("ff"))],
            &["ff"],
            Err("`six` has no file that is compatible with cp312-cp312-manylinux_2_36_x86_64: \
                 the locked files are `six-1-cp39-cp39-win_amd64.whl`"),
        );
    }
}
