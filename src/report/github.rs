//! Findings as GitHub workflow commands: GitHub annotates the changed lines with them.

use crate::report::finding::{Finding, Level};

/// Renders `::error file=a.py,line=3,col=1,title=flake8 F401::unused`, without a final newline.
pub fn annotation(tool: &str, finding: &Finding) -> String {
    let mut properties = vec![format!("file={}", property(&finding.file))];
    properties.extend(finding.line.map(|line| format!("line={line}")));
    properties.extend(finding.column.map(|column| format!("col={column}")));
    let title = finding.code.as_ref().map_or_else(|| tool.to_owned(), |code| format!("{tool} {code}"));
    properties.push(format!("title={}", property(&title)));
    let command = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    format!("::{command} {}::{}", properties.join(","), data(&finding.message))
}

/// Escapes what would end a line (documented in "Workflow commands for GitHub Actions").
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes what would end a property, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::finding::tests::finding;

    #[test]
    fn an_annotation_is_always_one_line() {
        let finding = finding("src/a,b.py", 3, 1, "F401", "100% unused\n::stop");
        assert_eq!(
            annotation("flake8", &finding),
            "::error file=src/a%2Cb.py,line=3,col=1,title=flake8 F401::100%25 unused%0A::stop"
        );
        let whole = Finding::for_file("src/a.py", "hm".to_owned());
        assert_eq!(annotation("black", &whole), "::error file=src/a.py,title=black::hm");
        let note = Finding { level: Level::Note, ..whole };
        assert_eq!(annotation("mypy", &note), "::notice file=src/a.py,title=mypy::hm");
    }
}
