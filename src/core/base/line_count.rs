//! Line counts: blank lines, comment lines and code lines of a file. The language is detected from the file name. Multi-line
//! strings count as code, including Python docstrings.

use std::ops::AddAssign;

/// Numbers of files and of their lines. `lines` is the sum of `blank`, `comment` and `code`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Number of files.
    pub files: usize,
    /// All lines.
    pub lines: usize,
    /// Lines with white space only.
    pub blank: usize,
    /// Lines that contain only a comment.
    pub comment: usize,
    /// All other lines.
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

/// The comment syntax of a language.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    /// The name to display.
    pub name: &'static str,
    /// File names, and file extensions with their dot.
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
    /// The language of a file, from its name without directories.
    pub fn from_file_name(file_name: &str) -> Option<&'static Language> {
        let fits = |wanted: &&&str| match wanted.strip_prefix('.') {
            Some(extension) => file_name.rsplit_once('.').is_some_and(|(_, found)| found == extension),
            None => file_name.split('.').next() == Some(**wanted),
        };
        LANGUAGES.iter().find(|language| language.files.iter().any(|wanted| fits(&wanted)))
    }

    /// Counts the lines of one file.
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
        let count = Language::from_file_name(file).expect(file).count(text);
        assert_eq!((count.blank, count.comment, count.code), expected, "{file}");
        assert_eq!(count.lines, count.blank + count.comment + count.code);
    }

    #[test]
    fn each_line_is_blank_a_comment_or_code() {
        check("a.py", "# a\n\nx = 1  # b\n", (1, 1, 1));
        check("a.ts", "/* a\nb\n*/\nx;\n// c\n/* d */\n", (0, 5, 1));
        check("a.html", "<!-- a -->\n<p>\n", (0, 1, 1));
        check("a.json", "{}", (0, 0, 1));
        check("a.py", "", (0, 0, 0));
    }

    #[test]
    fn languages_are_detected_from_file_names_and_extensions() {
        let name = |file| Language::from_file_name(file).map(|language| language.name);
        assert_eq!(name("BUILD.tools"), Some("BUILD"));
        assert_eq!(name("Dockerfile"), Some("Dockerfile"));
        assert_eq!(name("x.pyi"), Some("Python"));
        assert_eq!(name("x.unknown"), None);
        assert_eq!(name("py"), None);
    }
}
