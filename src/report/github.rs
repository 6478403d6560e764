//! Findings as commands of GitHub's workflows, which it shows beside the lines of a change.

use crate::report::finding::Finding;

/// `::error file=a.py,line=3,col=1,title=flake8 F401::unused`, without a line end.
pub fn annotation(tool: &str, finding: &Finding) -> String {
    let mut properties = vec![format!("file={}", property(&finding.file))];
    properties.extend(finding.line.map(|line| format!("line={line}")));
    properties.extend(finding.column.map(|column| format!("col={column}")));
    let title = finding.code.as_ref().map_or_else(|| tool.to_owned(), |code| format!("{tool} {code}"));
    properties.push(format!("title={}", property(&title)));
    format!("::error {}::{}", properties.join(","), data(&finding.message))
}

/// See the documentation of workflow commands: what would end a line or a property is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_is_in_it() {
        let finding = Finding {
            file: "src/a,b.py".to_owned(),
            line: Some(3),
            column: Some(1),
            code: Some("F401".to_owned()),
            message: "100% unused\n::stop".to_owned(),
        };
        assert_eq!(
            annotation("flake8", &finding),
            "::error file=src/a%2Cb.py,line=3,col=1,title=flake8 F401::100%25 unused%0A::stop"
        );
        let whole = Finding { line: None, column: None, code: None, ..finding };
        assert!(annotation("black", &whole).starts_with("::error file=src/a%2Cb.py,title=black::"));
    }
}
