//! A spec: what a command line says to select targets or files. Text to form; what it selects is `select`'s.

use crate::base::glob::{self, Glob};
use crate::base::{RelPath, rel_path};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{spec}` is not a spec")]
    Path { spec: String, source: rel_path::ParseError },
    #[error("`{spec}` is outside the build root")]
    Outside { spec: String },
    #[error("`{spec}` is not a spec: {why}")]
    Form { spec: String, why: &'static str },
    #[error("`{spec}` is not a spec")]
    Glob { spec: String, source: glob::Error },
}

#[derive(Clone, Debug)]
pub enum Form {
    /// `dir::`
    Recursive(RelPath),
    /// `dir:`
    Siblings(RelPath),
    /// `dir`, `f.py`, `dir::` on a file: what it is shows only in the repository.
    Path(RelPath),
    /// `dir:name`, `f.py:name`, `dir#key`, `…@k=v`, from the build root.
    Address(String),
    Glob(Glob),
}

#[derive(Clone, Debug)]
pub struct Spec {
    pub text: String,
    pub form: Form,
    pub exclude: bool,
}

impl Spec {
    /// `cwd` is where the command runs, from the build root; `root` is the build root's path, for absolute specs.
    pub fn parse(text: &str, cwd: &RelPath, root: &str) -> Result<Spec, Error> {
        let (body, exclude) = match text.strip_prefix('-').or_else(|| text.strip_prefix('!')) {
            Some(body) => (body, true),
            None => (text, false),
        };
        let refuse = |why| Error::Form { spec: text.to_owned(), why };
        let split = body.find([':', '#', '@']).unwrap_or(body.len());
        let (path, rest) = body.split_at(split);
        let path = from_root(path, cwd, root).ok_or_else(|| Error::Outside { spec: text.to_owned() })?;
        let parse = |path: &str| RelPath::parse(path).map_err(|source| Error::Path { spec: text.to_owned(), source });
        let form = match rest {
            "" if path.contains(['*', '?']) => {
                let glob = Glob::compile(&path).map_err(|source| Error::Glob { spec: text.to_owned(), source })?;
                Form::Glob(glob)
            }
            "" => Form::Path(parse(&path)?),
            "::" => Form::Recursive(parse(&path)?),
            ":" => Form::Siblings(parse(&path)?),
            rest if rest.starts_with("::") => return Err(refuse("nothing follows `::`")),
            rest => Form::Address(format!("//{}{rest}", parse(&path)?.as_str())),
        };
        Ok(Spec { text: text.to_owned(), form, exclude })
    }
}

/// A written path as one from the build root; none if it leaves it. `../here` comes back where it was.
fn from_root(path: &str, cwd: &RelPath, root: &str) -> Option<String> {
    let from_top = |path: &str| RelPath::root().resolve(path.trim_start_matches('/')).ok();
    let inside = match path.strip_prefix("//") {
        Some(path) => from_top(path)?,
        None if path.starts_with('/') => from_top(path)?.strip_prefix(&from_top(root)?)?,
        None => from_top(&format!("{root}/{}/{path}", cwd.as_str()))?.strip_prefix(&from_top(root)?)?,
    };
    Some(inside.as_str().to_owned())
}
