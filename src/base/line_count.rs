//! Lines of code: which of a file's lines are blank, which comment, which code. A language is known by the name of the
//! file; a string over several lines is code, Python's docstrings too.

use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    pub files: usize,
    pub lines: usize,
    pub blank: usize,
    pub comment: usize,
    pub code: usize,
}

impl AddAssign for LineCount {
    fn add_assign(&mut self, other: LineCount) {
        self.files += other.files;
        self.lines += other.lines;
        self.blank += other.blank;
        self.comment += other.comment;
        self.code += other.code;
    }
}

/// How a language writes comments.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    pub name: &'static str,
    /// Whole names and endings of files.
    files: &'static [&'static str],
    line: &'static [&'static str],
    block: Option<(&'static str, &'static str)>,
}

const C_LIKE: Option<(&str, &str)> = Some(("/*", "*/"));
const MARKUP: Option<(&str, &str)> = Some(("<!--", "-->"));

const LANGUAGES: &[Language] = &[
    language("BUILD", &["BUILD"], &["#"], None),
    language("C", &[".c", ".h"], &["//"], C_LIKE),
    language("C++", &[".cc", ".cpp", ".cxx", ".hh", ".hpp"], &["//"], C_LIKE),
    language("CSS", &[".css", ".scss", ".less"], &[], C_LIKE),
    language("Dockerfile", &["Dockerfile", ".dockerfile"], &["#"], None),
    language("Go", &[".go"], &["//"], C_LIKE),
    language("HTML", &[".html", ".htm"], &[], MARKUP),
    language("INI", &[".ini", ".cfg"], &["#", ";"], None),
    language("JSON", &[".json"], &[], None),
    language("Java", &[".java"], &["//"], C_LIKE),
    language("JavaScript", &[".js", ".jsx", ".mjs", ".cjs"], &["//"], C_LIKE),
    language("Jinja", &[".j2", ".jinja", ".jinja2"], &[], Some(("{#", "#}"))),
    language("Kotlin", &[".kt"], &["//"], C_LIKE),
    language("Markdown", &[".md"], &[], MARKUP),
    language("Protocol Buffers", &[".proto"], &["//"], C_LIKE),
    language("Python", &[".py", ".pyi"], &["#"], None),
    language("Rust", &[".rs"], &["//"], C_LIKE),
    language("SQL", &[".sql"], &["--"], C_LIKE),
    language("Scala", &[".scala"], &["//"], C_LIKE),
    language("Shell", &[".sh", ".bash"], &["#"], None),
    language("TOML", &[".toml"], &["#"], None),
    language("Terraform", &[".tf"], &["#", "//"], C_LIKE),
    language("Text", &[".txt", ".rst"], &[], None),
    language("Thrift", &[".thrift"], &["#", "//"], C_LIKE),
    language("TypeScript", &[".ts", ".tsx"], &["//"], C_LIKE),
    language("XML", &[".xml", ".xsd"], &[], MARKUP),
    language("YAML", &[".yaml", ".yml"], &["#"], None),
];

const fn language(
    name: &'static str,
    files: &'static [&'static str],
    line: &'static [&'static str],
    block: Option<(&'static str, &'static str)>,
) -> Language {
    Language { name, files, line, block }
}

impl Language {
    /// By the last part of its path.
    pub fn of(file_name: &str) -> Option<&'static Language> {
        let fits = |wanted: &&&str| match wanted.strip_prefix('.') {
            Some(extension) => file_name.rsplit_once('.').is_some_and(|(_, found)| found == extension),
            None => file_name.split('.').next() == Some(**wanted),
        };
        LANGUAGES.iter().find(|language| language.files.iter().any(|wanted| fits(&wanted)))
    }

    pub fn count(&self, text: &str) -> LineCount {
        let mut count = LineCount { files: 1, ..LineCount::default() };
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            count.lines += 1;
            match (line.is_empty(), inside) {
                (true, _) => count.blank += 1,
                (false, true) => {
                    count.comment += 1;
                    inside = self.block.is_some_and(|(_, end)| !line.contains(end));
                }
                (false, false) if self.line.iter().any(|start| line.starts_with(start)) => count.comment += 1,
                (false, false) => match self.block.filter(|(start, _)| line.starts_with(start)) {
                    Some((start, end)) => {
                        count.comment += 1;
                        inside = !line[start.len()..].contains(end);
                    }
                    None => count.code += 1,
                },
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, text: &str, expected: (usize, usize, usize)) {
        let count = Language::of(file).expect(file).count(text);
        assert_eq!((count.blank, count.comment, count.code), expected, "{file}");
        assert_eq!(count.lines, count.blank + count.comment + count.code);
    }

    #[test]
    fn lines_are_blank_comment_or_code() {
        check("a.py", "# a\n\nx = 1  # b\n", (1, 1, 1));
        check("a.ts", "/* a\nb\n*/\nx;\n// c\n/* d */\n", (0, 5, 1));
        check("a.html", "<!-- a -->\n<p>\n", (0, 1, 1));
        check("a.json", "{}", (0, 0, 1));
        check("a.py", "", (0, 0, 0));
    }

    #[test]
    fn languages_are_known_by_names_and_endings() {
        let name = |file| Language::of(file).map(|language| language.name);
        assert_eq!(name("BUILD.tools"), Some("BUILD"));
        assert_eq!(name("Dockerfile"), Some("Dockerfile"));
        assert_eq!(name("x.pyi"), Some("Python"));
        assert_eq!(name("x.unknown"), None);
        assert_eq!(name("py"), None);
    }
}
