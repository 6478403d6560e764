//! Globs over relative paths, with the syntax of BUILD files: `*` matches within one path component, `**` matches any number
//! of components, and `!` excludes. Pure matching: listing files is up to the caller.

use std::collections::HashSet;

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// A glob with a syntax error.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("invalid glob `{glob}`: {why}")]
pub struct Error {
    /// The glob as the user wrote it.
    pub glob: String,
    /// The syntax error.
    pub why: String,
}

/// A list of globs. A path matches if at least one include and no exclude matches it; the order is irrelevant. As in Pants,
/// excludes follow the rules of `.gitignore`: one that matches a directory excludes everything below it.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    include: Patterns,
    /// Excludes of files and directories.
    exclude: Patterns,
    /// Excludes that end in a slash, without the slash.
    exclude_dirs: Patterns,
    recursive: bool,
}

/// Literal names are looked up and names with one star are compared as text; only other globs are compiled. Most globs in
/// BUILD files are of the first two kinds, and they are matched against every file of a repository.
#[derive(Clone, Debug, Default)]
struct Patterns {
    literals: HashSet<String>,
    stars: Vec<Star>,
    wild: Option<GlobSet>,
}

/// A glob with one star, such as `test_*.py` or `**/test_*.py`.
#[derive(Clone, Debug)]
struct Star {
    /// The glob begins with `**/`: it is compared with the file name only.
    anywhere: bool,
    before: String,
    after: String,
}

impl Star {
    fn parse(glob: &str) -> Option<Star> {
        let (anywhere, name) = match glob.strip_prefix("**/") {
            Some(name) => (true, name),
            None => (false, glob),
        };
        let (before, after) = name.split_once('*')?;
        let is_name = |part: &str| is_literal(part) && !part.contains(['/', '{', '}']);
        (is_name(before) && is_name(after)).then(|| Star {
            anywhere,
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    fn matches(&self, path: &str) -> bool {
        let path = match path.rsplit_once('/') {
            Some((_, name)) if self.anywhere => name,
            _ => path,
        };
        let between = path.strip_prefix(&*self.before).and_then(|rest| rest.strip_suffix(&*self.after));
        between.is_some_and(|between| !between.contains('/'))
    }
}

impl Patterns {
    fn compile<'a>(globs: impl Iterator<Item = &'a str>) -> Result<Patterns, Error> {
        let (mut literals, mut stars, mut wild) = (HashSet::new(), Vec::new(), Vec::new());
        for glob in globs {
            match Star::parse(glob) {
                _ if is_literal(glob) => drop(literals.insert(glob.to_owned())),
                Some(star) => stars.push(star),
                None => wild.push(build(glob)?),
            }
        }
        if wild.is_empty() {
            return Ok(Patterns { literals, stars, wild: None });
        }
        let mut set = GlobSetBuilder::new();
        for glob in wild {
            set.add(glob);
        }
        let set = set.build().map_err(|error| refuse("", &error))?;
        Ok(Patterns { literals, stars, wild: Some(set) })
    }

    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.stars.is_empty() && self.wild.is_none()
    }

    fn matches(&self, path: &str) -> bool {
        self.literals.contains(path)
            || self.stars.iter().any(|star| star.matches(path))
            || self.wild.as_ref().is_some_and(|wild| wild.is_match(path))
    }
}

impl Globs {
    /// Compiles globs; those that begin with `!` are excludes.
    pub fn compile<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Globs, Error> {
        Globs::compile_with(globs, |exclude| exclude.to_owned())
    }

    /// Compiles the globs of a BUILD file in the build root. There, as in a `.gitignore`, an exclude without a slash applies
    /// at any depth.
    pub fn compile_in_root<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Globs, Error> {
        Globs::compile_with(globs, |exclude| match exclude.trim_end_matches('/').contains('/') {
            true => exclude.to_owned(),
            false => format!("**/{exclude}"),
        })
    }

    fn compile_with<'a>(
        globs: impl IntoIterator<Item = &'a str>,
        anchored: impl Fn(&str) -> String,
    ) -> Result<Globs, Error> {
        let (exclude, include): (Vec<&str>, Vec<&str>) = globs.into_iter().partition(|glob| glob.starts_with('!'));
        let include: Vec<&str> = include.into_iter().map(clean).collect();
        let recursive = include.iter().any(|glob| glob.contains('/') || *glob == "**");
        let exclude: Vec<String> = exclude.into_iter().map(|glob| anchored(clean(&glob[1..]))).collect();
        // A leading slash only anchors the exclude.
        let exclude = exclude.iter().map(|glob| glob.strip_prefix('/').unwrap_or(glob));
        let (dirs, any): (Vec<&str>, Vec<&str>) = exclude.partition(|glob| glob.ends_with('/'));
        Ok(Globs {
            recursive,
            include: Patterns::compile(include.into_iter())?,
            exclude: Patterns::compile(any.into_iter())?,
            exclude_dirs: Patterns::compile(dirs.into_iter().map(|glob| glob.trim_end_matches('/')))?,
        })
    }

    /// Whether `path` matches. It is relative to the same directory as the globs.
    pub fn matches(&self, path: &str) -> bool {
        self.include.matches(path) && !self.excludes(path)
    }

    fn excludes(&self, path: &str) -> bool {
        let excludes_dir = |dir: &str| self.exclude.matches(dir) || self.exclude_dirs.matches(dir);
        let has_excludes = !self.exclude.is_empty() || !self.exclude_dirs.is_empty();
        has_excludes
            && (self.exclude.matches(path) || path.match_indices('/').any(|(end, _)| excludes_dir(&path[..end])))
    }

    /// Whether a path in a subdirectory could match.
    pub fn is_recursive(&self) -> bool {
        self.recursive
    }
}

/// One glob, without a leading `!`.
#[derive(Clone, Debug)]
pub enum Glob {
    /// Text without wildcards.
    Literal(String),
    /// A compiled glob.
    Wild(GlobMatcher),
}

impl Glob {
    /// Compiles one glob.
    pub fn compile(glob: &str) -> Result<Glob, Error> {
        let glob = clean(glob);
        if is_literal(glob) {
            return Ok(Glob::Literal(glob.to_owned()));
        }
        Ok(Glob::Wild(build(glob)?.compile_matcher()))
    }

    /// Whether `path` matches. It is relative to the same directory as the glob.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Glob::Literal(literal) => literal == path,
            Glob::Wild(wild) => wild.is_match(path),
        }
    }
}

/// Whether a glob has no wildcards, so that it matches only itself.
pub fn is_literal(glob: &str) -> bool {
    !glob.contains(['*', '?', '[', '\\'])
}

fn clean(glob: &str) -> &str {
    glob.strip_prefix("./").unwrap_or(glob)
}

fn build(glob: &str) -> Result<globset::Glob, Error> {
    // Braces are ordinary characters in BUILD files.
    let escaped = glob.replace('{', "[{]").replace('}', "[}]");
    let mut builder = GlobBuilder::new(&escaped);
    builder.literal_separator(true).backslash_escape(true);
    builder.build().map_err(|error| refuse(glob, &error))
}

fn refuse(glob: &str, error: &globset::Error) -> Error {
    Error { glob: glob.to_owned(), why: error.kind().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(globs: &[&str], path: &str, expected: bool) {
        let compiled = Globs::compile(globs.iter().copied()).expect("valid globs");
        assert_eq!(compiled.matches(path), expected, "{globs:?} on {path}");
    }

    #[test]
    fn a_star_matches_within_one_component() {
        check(&["*.py"], "a.py", true);
        check(&["*.py"], "a/b.py", false);
        check(&["*/b.py"], "a/b.py", true);
        check(&["a*"], ".a", false);
        check(&["*"], ".hidden", true);
        check(&["a*a"], "a", false);
        check(&["a*a"], "aa", true);
        check(&["a/*.py"], "a/b.py", true);
        check(&["a/*.py"], "a/b/c.py", false);
    }

    #[test]
    fn two_stars_match_any_number_of_components() {
        check(&["**/*.py"], "a.py", true);
        check(&["**/*.py"], "a/b/c.py", true);
        check(&["**/test_*"], "test_a/b", false);
        check(&["**/test_*"], "a/test_b", true);
        check(&["a/**"], "a/b/c", true);
        check(&["a/**"], "b/c", false);
        check(&["**"], "a/b", true);
    }

    #[test]
    fn an_exclude_has_precedence_in_any_order() {
        check(&["!b.py", "*.py"], "b.py", false);
        check(&["*.py", "!test_*.py"], "test_a.py", false);
        check(&["*.py", "!test_*.py"], "a.py", true);
    }

    #[test]
    fn an_exclude_that_matches_a_directory_excludes_everything_below_it() {
        for exclude in
            ["!tests/", "!tests", "!/tests", "!./tests", "!tests/*", "!tests/**", "!**/tests/*", "!**/tests/"]
        {
            check(&["**/*.py", exclude], "tests/deep/a.py", false);
            check(&["**/*.py", exclude], "tests.py", true);
            check(&["**/*.py", exclude], "a/tests/b.py", !exclude.starts_with("!**"));
        }
        check(&["**", "!tests/"], "tests", true);
        check(&["**/*.py", "!test_*.py"], "a/test_b.py", true);
    }

    #[test]
    fn an_exclude_without_a_slash_applies_at_any_depth_in_the_build_root() {
        let check = |exclude: &str, path: &str, expected: bool| {
            let globs = Globs::compile_in_root(["**/*.py", exclude]).expect("valid globs");
            assert_eq!(globs.matches(path), expected, "{exclude} on {path}");
        };
        check("!test_*.py", "a/test_b.py", false);
        check("!tests/", "a/tests/b.py", false);
        check("!tests/*", "a/tests/b.py", true);
        check("!/tests", "a/tests/b.py", true);
    }

    #[test]
    fn braces_are_literal_and_a_leading_dot_slash_is_removed() {
        check(&["{a,b}.py"], "a.py", false);
        check(&["{a,b}.py"], "{a,b}.py", true);
        check(&["*{a}.py"], "x{a}.py", true);
        check(&["./a.py"], "a.py", true);
    }

    #[test]
    fn an_invalid_glob_is_named_in_the_error() {
        let error = Globs::compile(["[a"]).expect_err("unclosed");
        assert!(error.to_string().contains("`[a`"), "{error}");
    }
}
