//! A missing target and its text in a BUILD file. Which targets are missing is decided in the parent module.

use crate::base::RelPath;

/// A target to add to a BUILD file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTarget {
    /// The directory of the BUILD file.
    pub dir: RelPath,
    /// The name of the target.
    pub name: String,
    /// The target type, or the macro that replaces it.
    pub kind: String,
    /// The names of the files that need it.
    pub files: Vec<String>,
    /// Globs of the files that it will own, relative to its directory.
    pub globs: Vec<String>,
    /// Fields other than `name`, in the order in which they are written.
    pub fields: Vec<(&'static str, FieldValue)>,
    /// Lines of the comment above it, without `#`.
    pub comments: Vec<String>,
}

/// The value of a field to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A string.
    Text(String),
    /// A list of strings.
    Texts(Vec<String>),
    /// `True` or `False`.
    Flag(bool),
}

impl MissingTarget {
    /// The key by which targets are sorted: directory, name, target type and files.
    pub fn sort_key(&self) -> (&str, &str, &str, &[String]) {
        (self.dir.as_str(), &self.name, &self.kind, &self.files)
    }

    /// `dir:name`, the form in which settings refer to it.
    pub fn address(&self) -> String {
        let dir = if self.dir.is_root() { "//" } else { self.dir.as_str() };
        format!("{dir}:{}", self.name)
    }

    fn stanza(&self, indent: &str) -> String {
        let mut out: String = self.comments.iter().map(|line| format!("# {line}\n")).collect();
        let name = FieldValue::Text(self.name.clone());
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

impl FieldValue {
    fn text(&self, indent: &str) -> String {
        match self {
            FieldValue::Text(text) => quoted(text),
            FieldValue::Flag(true) => "True".to_owned(),
            FieldValue::Flag(false) => "False".to_owned(),
            FieldValue::Texts(texts) => {
                let lines: String = texts.iter().map(|text| format!("\n{indent}{indent}{},", quoted(text))).collect();
                format!("[{lines}\n{indent}]")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The text of a BUILD file with targets appended. `now` is its current text, or the header of a new file.
pub fn append_targets<'m>(now: &str, indent: &str, missing: impl IntoIterator<Item = &'m MissingTarget>) -> String {
    let held = Some(now.trim_end().to_owned()).filter(|held| !held.is_empty());
    let stanzas = missing.into_iter().map(|missing| missing.stanza(indent));
    held.into_iter().chain(stanzas).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(dir: &str, name: &str, kind: &str) -> MissingTarget {
        MissingTarget {
            dir: RelPath::parse(dir).unwrap(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            files: Vec::new(),
            globs: Vec::new(),
            fields: Vec::new(),
            comments: Vec::new(),
        }
    }

    fn check(now: &str, missing: MissingTarget, expected: &str) {
        assert_eq!(append_targets(now, "  ", [&missing]), expected);
    }

    #[test]
    fn the_default_name_is_not_written() {
        check("", missing("src/app", "app", "python_sources"), "python_sources()\n");
        check("", missing("src/app", "tests", "python_tests"), "python_tests(\n  name=\"tests\",\n)\n");
        check("", missing("", "root", "python_sources"), "python_sources(\n  name=\"root\",\n)\n");
    }

    #[test]
    fn targets_are_appended_to_the_current_text() {
        check("# ours\n\n\n", missing("app", "app", "python_sources"), "# ours\n\npython_sources()\n");
    }

    #[test]
    fn fields_and_comments_are_written_in_the_usual_style() {
        let fields = vec![
            ("source", FieldValue::Text("a\"b\\c".to_owned())),
            ("sources", FieldValue::Texts(vec!["x.py".to_owned(), "y.py".to_owned()])),
        ];
        let comments = vec!["why".to_owned()];
        let target = MissingTarget { fields, comments, ..missing("app", "app", "files") };
        let expected = "# why\nfiles(\n  source=\"a\\\"b\\\\c\",\n  sources=[\n    \"x.py\",\n    \"y.py\",\n  ],\n)\n";
        check("", target, expected);
    }
}
