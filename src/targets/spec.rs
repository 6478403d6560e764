//! Specs: parses the command line arguments that select targets or files. Resolving them is in `select`.

use crate::base::glob::{self, Glob};
use crate::base::{RelPath, rel_path};
use crate::targets::address::split_path;

/// An invalid spec.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its path is invalid.
    #[error("invalid spec `{spec}`")]
    Path {
        /// The spec as written.
        spec: String,
        /// The cause.
        source: rel_path::ParseError,
    },
    /// Its path leaves the build root.
    #[error("`{spec}` is outside the build root")]
    Outside {
        /// The spec as written.
        spec: String,
    },
    /// It does not have the form of a spec.
    #[error("invalid spec `{spec}`: {why}")]
    Form {
        /// The spec as written.
        spec: String,
        /// The violated rule.
        why: &'static str,
    },
    /// It is an invalid glob.
    #[error("invalid spec `{spec}`")]
    Glob {
        /// The spec as written.
        spec: String,
        /// The cause.
        source: glob::Error,
    },
}

/// The form of a spec. All paths are relative to the build root.
#[derive(Clone, Debug)]
pub enum Form {
    /// `dir::`, all targets in a directory and below.
    Recursive(RelPath),
    /// `dir:`, all targets in a directory.
    Siblings(RelPath),
    /// `dir` or `f.py`. Whether it is a file depends on the repository.
    Path(RelPath),
    /// `dir:name`, `f.py:name`, `dir#key`, `…@k=v`, as an address from the build root.
    Address(String),
    /// A glob of files.
    Glob(Glob),
}

/// A parsed spec.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The spec as written.
    pub text: String,
    /// The targets or files that it matches.
    pub form: Form,
    /// Whether it excludes its matches: `-dir::`.
    pub exclude: bool,
}

impl Spec {
    /// Parses a spec. `cwd` is the current directory relative to the build root; `root` is the absolute path of the
    /// build root. Paths that `exists` may contain the characters that separate the parts of a spec.
    pub fn parse(text: &str, cwd: &RelPath, root: &str, exists: &dyn Fn(&RelPath) -> bool) -> Result<Spec, Error> {
        let path = |path: &str| from_root(path, cwd, root).and_then(|path| RelPath::parse(&path).ok());
        let is_path = |text: &str| path(text).is_some_and(|path| exists(&path));
        let (body, exclude) = match text.strip_prefix('-').or_else(|| text.strip_prefix('!')) {
            // A file or directory whose name begins like an exclusion.
            Some(_) if is_path(split_path(text, &is_path).0) => (text, false),
            Some(body) => (body, true),
            None => (text, false),
        };
        let refuse = |why| Error::Form { spec: text.to_owned(), why };
        let (written, rest) = split_path(body, &is_path);
        let is_known = is_path(written);
        let path = written;
        let path = from_root(path, cwd, root).ok_or_else(|| Error::Outside { spec: text.to_owned() })?;
        let parse = |path: &str| RelPath::parse(path).map_err(|source| Error::Path { spec: text.to_owned(), source });
        let form = match rest {
            "" if path.contains(['*', '?']) && !is_known => {
                let glob = Glob::compile(&path).map_err(|source| Error::Glob { spec: text.to_owned(), source })?;
                Form::Glob(glob)
            }
            "" => Form::Path(parse(&path)?),
            "::" => Form::Recursive(parse(&path)?),
            ":" => Form::Siblings(parse(&path)?),
            rest if rest.starts_with("::") => return Err(refuse("nothing may follow `::`")),
            rest => Form::Address(format!("//{}{rest}", parse(&path)?.as_str())),
        };
        Ok(Spec { text: text.to_owned(), form, exclude })
    }
}

/// Converts a written path to one from the build root. `None` if it leaves the build root; it may leave and re-enter
/// it, as `../here` does.
fn from_root(path: &str, cwd: &RelPath, root: &str) -> Option<String> {
    let from_top = |path: &str| RelPath::root().resolve(path.trim_start_matches('/')).ok();
    let inside = match path.strip_prefix("//") {
        Some(path) => from_top(path)?,
        None if path.starts_with('/') => from_top(path)?.strip_prefix(&from_top(root)?)?,
        None => from_top(&format!("{root}/{}/{path}", cwd.as_str()))?.strip_prefix(&from_top(root)?)?,
    };
    Some(inside.as_str().to_owned())
}
