//! Text in the language of man(7). Text between backticks is bold.

/// A manual page of section 1 that is being written.
pub(super) struct Page(String);

impl Page {
    /// A page with its title and the section `NAME`.
    pub(super) fn new(name: &str, summary: &str) -> Page {
        let title = escape(&name.to_uppercase());
        let mut page = Page(format!(".TH \"{title}\" 1 \"\" \"Waders {}\" \"Waders\"\n", env!("CARGO_PKG_VERSION")));
        // Names must not be hyphenated, and blanks not stretched.
        page.0 += ".nh\n.ad l\n";
        page.section("NAME");
        // whatis(1) and apropos(1) read this line.
        page.0 += &format!("{} \\- {}\n", escape(name), styled(summary.trim_end_matches('.')));
        page
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: &str) {
        self.0 += &format!(".SH \"{title}\"\n");
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.0 += &format!(".PP\n{}\n", line(text));
    }

    /// A line as it is typed.
    pub(super) fn code(&mut self, text: &str) {
        self.0 += &format!(".PP\n.nf\n{}\n.fi\n", protect(escape(text)));
    }

    /// A term with its meaning.
    pub(super) fn item(&mut self, term: &str, meaning: &str) {
        self.0 += &format!(".TP\n{}\n{}\n", protect(format!("\\fB{}\\fP", escape(term))), line(meaning));
    }

    /// The whole page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn line(text: &str) -> String {
    protect(styled(text))
}

/// Protects a line against being taken for a request.
fn protect(line: String) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

/// Makes text between backticks bold, if each has a counterpart.
fn styled(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escape).collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let part = |(index, part): (usize, &String)| if index % 2 == 0 { part.clone() } else { format!("\\fB{part}\\fP") };
    parts.iter().enumerate().map(part).collect()
}

/// Escapes what has a meaning: backslashes, and signs that are typeset as others (groff_char(7)). Line breaks become blanks.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out += "\\e",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '"' => out += "\\(dq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            '\n' => out += " ",
            other if other.is_ascii() => out.push(other),
            other => out += &format!("\\[u{:04X}]", u32::from(other)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_meaning_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(line(text), expected);
        check("Use `--a` or `b`.", "Use \\fB\\-\\-a\\fP or \\fBb\\fP.");
        check(".gitignore", "\\&.gitignore");
        check("'quoted'", "\\(aqquoted\\(aq");
        check("one ` only", "one \\(ga only");
        check("a\\nb\n.c", "a\\enb .c");
        check("a…", "a\\[u2026]");
    }
}
