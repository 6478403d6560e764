//! Patterns of visibility rules: `src/lib/**`, `<python_sources>[/x:name](tag)`, or the same as a dict. Parses and
//! matches them. Which rule takes precedence is decided in the parent module.

use std::fmt;
use std::sync::OnceLock;

use regex::Regex;

use crate::base::RelPath;
use crate::build_file::Value;

/// The attributes of a target that patterns match.
pub(super) struct TargetAttributes<'a> {
    pub kind: &'a str,
    pub name: &'a str,
    pub path: String,
    /// The directory to which relative paths in the target's own rules refer.
    pub dir: RelPath,
    pub tags: Vec<&'a str>,
}

/// One pattern. A target matches if it matches all parts that are set.
#[derive(Debug)]
pub(super) struct Pattern {
    written: String,
    /// The form that Pants shows.
    pub canonical: String,
    kind: Option<Glob>,
    path: Option<PathPattern>,
    name: Option<Glob>,
    tags: Vec<Glob>,
}

#[derive(Debug)]
struct PathPattern {
    anchor: Anchor,
    glob: Glob,
    /// The form that Pants shows.
    canonical: String,
}

/// A glob for a type, a path, a name or a tag. Rules are matched with every dependency of a repository, and most globs
/// have a shape that needs no regular expression.
#[derive(Debug)]
struct Glob(Shape);

#[derive(Debug)]
enum Shape {
    Any,
    Exact(String),
    /// `src/lib/**`: a directory and everything below it.
    Below(String),
    /// `reqs#*`: a prefix without a slash after it.
    Prefix(String),
    Other(LazyRegex),
}

/// A regular expression that is compiled on first use: most goals match few rules or none.
#[derive(Debug)]
struct LazyRegex {
    text: String,
    compiled: OnceLock<Regex>,
}

/// Limit on the length of a pattern in bytes. The regular expression for such a pattern stays far below the size limit
/// of the crate `regex`.
const MAX_PATTERN: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    /// `//x`, and `/x` after the directory of the declaring BUILD file is prepended.
    Root,
    /// `./x`, `../x`: relative to the directory of the target whose rules these are, `up` levels above it.
    Own { up: usize },
    /// Matches anywhere in a path, at the beginning of a word.
    Floating,
}

impl Pattern {
    /// Parses a pattern. `dir` is the directory of the declaring BUILD file.
    pub(super) fn read(value: &Value, dir: &RelPath) -> Result<Pattern, String> {
        let (written, parts) = match value {
            Value::Str(text) => (text.clone(), parse_parts(text)),
            Value::Dict(_) => (format_dict(value), parse_dict(value)?),
            _ => return Err("a pattern must be a string or a dict".to_owned()),
        };
        let Parts { kind, path, name, tags } = parts;
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (kind, name) = (some(kind), some(name));
        let path = some(path).map(|path| PathPattern::read(&path, dir)).transpose()?;
        let canonical = canonical(&kind, &path, &name, &tags);
        let glob = |text: String| Glob::anchored(&text);
        let pattern = Pattern {
            kind: kind.map(glob).transpose()?,
            path,
            name: name.map(glob).transpose()?,
            tags: tags.into_iter().map(glob).collect::<Result<_, _>>()?,
            written,
            canonical,
        };
        match pattern.kind.is_none() && pattern.path.is_none() && pattern.name.is_none() && pattern.tags.is_empty() {
            true => Err(format!("`{}` is empty and matches nothing", pattern.written)),
            false => Ok(pattern),
        }
    }

    /// Whether a target matches. `own` is the directory of the target whose rules these are.
    pub(super) fn matches(&self, attributes: &TargetAttributes<'_>, own: &RelPath) -> bool {
        let all = |glob: &Option<Glob>, text| glob.as_ref().is_none_or(|glob| glob.is_match(text));
        all(&self.kind, attributes.kind)
            && all(&self.name, attributes.name)
            && self.path.as_ref().is_none_or(|path| path.matches(&attributes.path, own))
            && self.tags.iter().all(|wanted| attributes.tags.iter().any(|tag| wanted.is_match(tag)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl PathPattern {
    fn read(text: &str, dir: &RelPath) -> Result<PathPattern, String> {
        let (anchor, path) = if let Some(rest) = text.strip_prefix("//") {
            (Anchor::Root, normalized(rest))
        } else if let Some(rest) = text.strip_prefix('/') {
            (Anchor::Root, normalized(&format!("{dir}/{}", rest.trim_start_matches('/'))))
        } else if text.starts_with('.') && matches!(text.trim_start_matches('.').chars().next(), None | Some('/')) {
            let path = normalized(text);
            (Anchor::Own { up: path.matches("../").count() }, path)
        } else {
            (Anchor::Floating, normalized(text))
        };
        let path = if anchor == Anchor::Floating { path.as_str() } else { path.trim_start_matches(['.', '/']) };
        let canonical = match anchor {
            Anchor::Own { .. } if path.is_empty() => ".".to_owned(),
            Anchor::Own { up: 0 } => format!("./{path}"),
            Anchor::Own { up } => format!("{}{path}", "../".repeat(up)),
            Anchor::Root if text.starts_with("//") => format!("//{path}"),
            Anchor::Root | Anchor::Floating => path.to_owned(),
        };
        let glob = match anchor {
            Anchor::Floating => Glob::floating(path)?,
            _ => Glob::anchored(path)?,
        };
        Ok(PathPattern { anchor, glob, canonical })
    }

    fn matches(&self, path: &str, own: &RelPath) -> bool {
        let below = match self.anchor {
            Anchor::Own { up } => {
                let base = std::iter::successors(Some(own.clone()), RelPath::parent).nth(up).unwrap_or_default();
                let Some(below) = below(path, base.as_str()) else { return false };
                below
            }
            _ => path,
        };
        self.glob.is_match(below.trim_start_matches('.'))
    }
}

/// The part of a path below a directory.
fn below<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    match path.strip_prefix(dir)? {
        rest if dir.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

/// `<type>[path:name](tag, tag)`, or `path:name` if there are no other parts.
fn canonical(kind: &Option<String>, path: &Option<PathPattern>, name: &Option<String>, tags: &[String]) -> String {
    let path = path.as_ref().map_or("", |path| &path.canonical);
    let name = name.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
    let quoted = |tag: &String| if tag.contains(',') { format!("'{tag}'") } else { tag.clone() };
    let tags: Vec<String> = tags.iter().map(quoted).collect();
    let tags = if tags.is_empty() { String::new() } else { format!("({})", tags.join(", ")) };
    let kind = kind.as_ref().map(|kind| format!("<{kind}>")).unwrap_or_default();
    match format!("{path}{name}") {
        place if place.is_empty() || kind.is_empty() && tags.is_empty() => format!("{kind}{place}{tags}"),
        place => format!("{kind}[{place}]{tags}"),
    }
}

#[derive(Default)]
struct Parts {
    kind: Option<String>,
    path: Option<String>,
    name: Option<String>,
    tags: Vec<String>,
}

/// Parses a pattern. A string that begins like a path is `path:name`; any other may contain `<type>`, `[path:name]` and
/// `(tag, tag)`.
fn parse_parts(text: &str) -> Parts {
    let path_and_name = |text: &str| match text.split_once(':') {
        Some((path, name)) => (Some(path.to_owned()), Some(name.to_owned())),
        None => (Some(text.to_owned()), None),
    };
    if text.starts_with(|first: char| first.is_alphanumeric() || "_.:/*".contains(first)) {
        let (path, name) = path_and_name(text);
        return Parts { path, name, ..Parts::default() };
    }
    let mut parts = Parts::default();
    let mut rest = text;
    while let Some(open) = rest.find(['<', '[', '(']) {
        let close = match rest.as_bytes()[open] {
            b'<' => '>',
            b'[' => ']',
            _ => ')',
        };
        let inner = &rest[open + 1..];
        let Some(end) = inner.find(close) else { break };
        match close {
            '>' => parts.kind = Some(inner[..end].to_owned()),
            ']' => (parts.path, parts.name) = path_and_name(&inner[..end]),
            _ => parts.tags = parse_tags(&inner[..end]),
        }
        rest = &inner[end + 1..];
    }
    parts
}

fn parse_dict(dict: &Value) -> Result<Parts, String> {
    let text = |key| entry(dict, key).and_then(Value::as_str).map(str::to_owned);
    let tags = match entry(dict, "tags") {
        None | Some(Value::None) => Vec::new(),
        Some(Value::Str(text)) => parse_tags(text),
        Some(tags @ (Value::List(_) | Value::Tuple(_))) => {
            tags.strings().into_iter().map(|tag| tag.trim().to_owned()).collect()
        }
        Some(_) => return Err("`tags` of a pattern must be a string or a list of strings".to_owned()),
    };
    Ok(Parts { kind: text("type"), path: text("path"), name: text("name"), tags })
}

fn parse_tags(text: &str) -> Vec<String> {
    text.split(',').map(|tag| tag.trim().to_owned()).collect()
}

/// The value of a key in a dict.
pub(super) fn entry<'v>(dict: &'v Value, key: &str) -> Option<&'v Value> {
    let Value::Dict(pairs) = dict else { return None };
    pairs.iter().find(|(known, _)| known.as_str() == Some(key)).map(|(_, value)| value)
}

/// A pattern in dict form as the equivalent string.
fn format_dict(dict: &Value) -> String {
    let part = |key, open: &str, close: &str| match entry(dict, key).and_then(Value::as_str) {
        Some(text) => format!("{open}{text}{close}"),
        None => String::new(),
    };
    let place = format!("{}{}", part("path", "", ""), part("name", ":", ""));
    let tags = entry(dict, "tags").map(Value::strings).unwrap_or_default();
    let tags = if tags.is_empty() { part("tags", "(", ")") } else { format!("({})", tags.join(", ")) };
    let place = if place.is_empty() { place } else { format!("[{place}]") };
    format!("{}{place}{tags}", part("type", "<", ">"))
}

/// Removes `.`, empty parts, and parts that a following `..` cancels. A leading `..` is preserved.
fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The regular expression of a glob, anchored at the end. `*` matches within one path segment. `**` matches across
/// segments and includes an adjacent slash.
fn build_regex(glob: &str) -> String {
    let mut out = String::new();
    let mut rest = glob;
    while let Some(first) = rest.chars().next() {
        let (regex, length) = if rest.starts_with("/**") {
            ("(?:/.*)?".to_owned(), 3)
        } else if rest.starts_with("**/") {
            (r"/?\b".to_owned(), 3)
        } else if rest.starts_with("**") {
            (".*".to_owned(), 2)
        } else if first == '*' {
            ("[^/]*".to_owned(), 1)
        } else {
            (regex::escape(&rest[..first.len_utf8()]), first.len_utf8())
        };
        out.push_str(&regex);
        rest = &rest[length..];
    }
    out + "$"
}

impl Glob {
    /// A glob that must match from the beginning.
    fn anchored(glob: &str) -> Result<Glob, String> {
        let literal = |text: &str| (!text.contains('*')).then(|| text.to_owned());
        let prefix = || glob.strip_suffix('*').and_then(literal);
        let shape = if let Some(exact) = literal(glob) {
            Shape::Exact(exact)
        } else if let Some(dir) = glob.strip_suffix("/**").and_then(literal) {
            Shape::Below(dir)
        } else if let Some(begin) = prefix() {
            Shape::Prefix(begin)
        } else {
            Shape::Other(LazyRegex::new(format!("^{}", build_regex(glob))))
        };
        Glob::new(shape, glob)
    }

    fn floating(glob: &str) -> Result<Glob, String> {
        let shape = match glob {
            "*" | "**" => Shape::Any,
            _ if glob.starts_with(char::is_alphanumeric) => {
                Shape::Other(LazyRegex::new(format!(r"/?\b{}", build_regex(glob))))
            }
            _ => Shape::Other(LazyRegex::new(build_regex(glob))),
        };
        Glob::new(shape, glob)
    }

    fn new(shape: Shape, written: &str) -> Result<Glob, String> {
        match written.len() <= MAX_PATTERN {
            true => Ok(Glob(shape)),
            false => Err(format!("the pattern `{}…` is too long", written.chars().take(80).collect::<String>())),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match &self.0 {
            Shape::Any => true,
            Shape::Exact(exact) => text == exact,
            Shape::Below(dir) => text.strip_prefix(&**dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Shape::Prefix(begin) => text.strip_prefix(&**begin).is_some_and(|rest| !rest.contains('/')),
            Shape::Other(regex) => regex.is_match(text),
        }
    }
}

impl LazyRegex {
    fn new(text: String) -> LazyRegex {
        LazyRegex { text, compiled: OnceLock::new() }
    }

    fn is_match(&self, text: &str) -> bool {
        let compile = || Regex::new(&self.text).expect("the glob is escaped and its length is limited");
        self.compiled.get_or_init(compile).is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_matches_the_same_texts_as_its_regular_expression() {
        let globs = ["", "a", "a/b", "a/**", "a*", "a/*", "*", "**", "/**", "a/**/b", "**/b", "reqs#*", "a**", "*b"];
        let texts = ["", "a", "ab", "a/", "a/b", "a/b/c", "b", "b/a", "reqs#x", "reqs#x/y", "reqs#", "/a"];
        for glob in globs {
            let regex = Regex::new(&format!("^{}", build_regex(glob))).unwrap();
            let floating = Regex::new(&match glob.starts_with(char::is_alphanumeric) {
                true => format!(r"/?\b{}", build_regex(glob)),
                false => build_regex(glob),
            });
            for text in texts {
                assert_eq!(Glob::anchored(glob).unwrap().is_match(text), regex.is_match(text), "{glob} on {text}");
                let found = Glob::floating(glob).unwrap().is_match(text);
                assert_eq!(found, floating.as_ref().unwrap().is_match(text), "{glob} anywhere in {text}");
            }
        }
    }

    #[test]
    fn patterns_up_to_the_limit_compile_and_longer_ones_are_refused() {
        for part in ["*", "*a", "**", "**/", "/**", "é"] {
            let longest = part.repeat(MAX_PATTERN / part.len());
            // Panics if the pattern does not compile.
            LazyRegex::new(format!("^{}", build_regex(&longest))).is_match("x/y");
            Glob::anchored(&longest).unwrap().is_match("x/y");
            let refused = Glob::anchored(&format!("{longest}{part}{part}")).unwrap_err();
            assert!(refused.ends_with("…` is too long"), "{refused}");
        }
    }
}
