//! Which file of an index's listing a lock means that names hashes only. Getting the listing is not done here.

use uv_normalize::PackageName;

use crate::packaging::environment::Environment;
use crate::packaging::resolve::best_file;

/// A file as a listing shows it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    pub file_name: &'a str,
    pub sha256: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub file_name: String,
    pub sha256: String,
    pub is_wheel: bool,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the index's listing of `{package}` gives no sha256 hashes, and the lock names `{package}` by hash only")]
    NoHashes { package: PackageName },
    #[error(
        "none of the {listed} files that the index lists for `{package}` has one of the {wanted} hashes of the lock"
    )]
    NotListed { package: PackageName, listed: usize, wanted: usize },
    #[error("`{package}` has no file for {environment}: the lock means `{}`", files.join("`, `"))]
    NoneFits { package: PackageName, environment: String, files: Vec<String> },
}

/// The best file for the environment among those that have one of the hashes.
pub fn locate<'a>(
    package: &PackageName,
    page: impl IntoIterator<Item = Listed<'a>>,
    hashes: &[String],
    environment: &Environment,
) -> Result<Located, Error> {
    let page: Vec<Listed<'a>> = page.into_iter().collect();
    let is_meant = |file: &&Listed<'a>| {
        file.sha256.is_some_and(|sha256| hashes.iter().any(|hash| hash.eq_ignore_ascii_case(sha256)))
    };
    let meant: Vec<&Listed<'a>> = page.iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(match page.iter().any(|file| file.sha256.is_some()) || page.is_empty() {
            true => Error::NotListed { package: package.clone(), listed: page.len(), wanted: hashes.len() },
            false => Error::NoHashes { package: package.clone() },
        });
    }
    let best = best_file(package, meant.iter().map(|file| file.file_name), environment.tags());
    let found = best.and_then(|(name, is_wheel)| {
        let sha256 = meant.iter().find(|file| file.file_name == name)?.sha256?.to_ascii_lowercase();
        Some(Located { file_name: name.to_owned(), sha256, is_wheel })
    });
    found.ok_or_else(|| Error::NoneFits {
        package: package.clone(),
        environment: environment.wanted(),
        files: meant.iter().map(|file| file.file_name.to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &[(&str, Option<&str>)], hashes: &[&str], expected: Result<&str, &str>) {
        let package = PackageName::from_owned("six".to_owned()).expect("name");
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).expect("version");
        let page = page.iter().map(|(file_name, sha256)| Listed { file_name, sha256: *sha256 });
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
    fn a_listing_that_cannot_tell_says_why() {
        check(
            &[("six-1-py3-none-any.whl", Some("aa"))],
            &["ff"],
            Err("none of the 1 files that the index lists for `six` has one of the 1 hashes of the lock"),
        );
        check(
            &[("six-1-py3-none-any.whl", None)],
            &["ff"],
            Err("the index's listing of `six` gives no sha256 hashes, and the lock names `six` by hash only"),
        );
        check(
            &[("six-1-cp39-cp39-win_amd64.whl", Some("ff"))],
            &["ff"],
            Err("`six` has no file for cp312-cp312-manylinux_2_36_x86_64 or anything older or more general: \
                 the lock means `six-1-cp39-cp39-win_amd64.whl`"),
        );
    }
}
