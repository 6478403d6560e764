//! One target that is missing, and how a BUILD file writes it. Why it is missing is `rules`' business.

use crate::base::RelPath;

/// A target to be added. Sorted as it is listed: by directory, then by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub dir: RelPath,
    pub name: String,
    /// The target type, or the macro that stands for it.
    pub kind: String,
    /// The files that called for it, by name.
    pub files: Vec<String>,
    /// What it will own, as globs of its directory.
    pub globs: Vec<String>,
    /// Beyond `name`, as written.
    pub fields: Vec<(&'static str, Written)>,
    /// Lines above it, without their `#`.
    pub comments: Vec<String>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Text(String),
    Texts(Vec<String>),
}

impl Missing {
    pub fn sort_key(&self) -> (&str, &str, &str, &[String]) {
        (self.dir.as_str(), &self.name, &self.kind, &self.files)
    }

    /// `dir:name`, as settings write it.
    pub fn address(&self) -> String {
        let dir = if self.dir.is_root() { "//" } else { self.dir.as_str() };
        format!("{dir}:{}", self.name)
    }

    fn stanza(&self, indent: &str) -> String {
        let mut out: String = self.comments.iter().map(|line| format!("# {line}\n")).collect();
        let name = Written::Text(self.name.clone());
        let named = (self.dir.file_name() != Some(&self.name)).then_some(("name", &name));
        let fields: Vec<_> =
            named.into_iter().chain(self.fields.iter().map(|(field, value)| (*field, value))).collect();
        let lines: String =
            fields.iter().map(|(field, value)| format!("\n{indent}{field}={},", value.text(indent))).collect();
        let end = if fields.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{}({lines}{end})", self.kind));
        out
    }
}

impl Written {
    fn text(&self, indent: &str) -> String {
        match self {
            Written::Text(text) => quoted(text),
            Written::Texts(texts) => {
                let lines: String = texts.iter().map(|text| format!("\n{indent}{indent}{},", quoted(text))).collect();
                format!("[{lines}\n{indent}]")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A BUILD file with more targets below what it holds now; `now` of a new file is how it begins.
pub fn appended<'m>(now: &str, indent: &str, missing: impl IntoIterator<Item = &'m Missing>) -> String {
    let held = Some(now.trim_end().to_owned()).filter(|held| !held.is_empty());
    let stanzas = missing.into_iter().map(|missing| missing.stanza(indent));
    held.into_iter().chain(stanzas).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(dir: &str, name: &str, kind: &str) -> Missing {
        Missing {
            dir: RelPath::parse(dir).unwrap(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            files: Vec::new(),
            globs: Vec::new(),
            fields: Vec::new(),
            comments: Vec::new(),
        }
    }

    fn check(now: &str, missing: Missing, expected: &str) {
        assert_eq!(appended(now, "  ", [&missing]), expected);
    }

    #[test]
    fn the_name_of_the_directory_goes_without_saying() {
        check("", missing("src/app", "app", "python_sources"), "python_sources()\n");
        check("", missing("src/app", "tests", "python_tests"), "python_tests(\n  name=\"tests\",\n)\n");
        check("", missing("", "root", "python_sources"), "python_sources(\n  name=\"root\",\n)\n");
    }

    #[test]
    fn what_the_file_holds_stays_above() {
        check("# ours\n\n\n", missing("app", "app", "python_sources"), "# ours\n\npython_sources()\n");
    }

    #[test]
    fn fields_and_comments_are_written_as_people_would() {
        let fields = vec![
            ("source", Written::Text("a\"b\\c".to_owned())),
            ("sources", Written::Texts(vec!["x.py".to_owned(), "y.py".to_owned()])),
        ];
        let comments = vec!["why".to_owned()];
        let target = Missing { fields, comments, ..missing("app", "app", "files") };
        let expected = "# why\nfiles(\n  source=\"a\\\"b\\\\c\",\n  sources=[\n    \"x.py\",\n    \"y.py\",\n  ],\n)\n";
        check("", target, expected);
    }
}
