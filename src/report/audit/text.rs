//! The report of an audit as text: a paragraph for each step, the findings, and one line of totals.

use crate::report::audit::{AuditFinding, AuditReport, Code, StepReport};

/// The largest number of unused files that are listed for a step.
const SHOWN: usize = 5;

/// Renders the report, with a final newline.
pub fn render(report: &AuditReport) -> String {
    let mut out: String = report.steps.iter().map(step).collect();
    if !report.findings.is_empty() {
        out.push('\n');
    }
    out.extend(report.findings.iter().map(finding));
    out + &totals(report)
}

fn step(step: &StepReport) -> String {
    if step.origin.is_none() {
        return format!("{} {}: not audited: {}\n", step.goal, step.name, step.result);
    }
    let read = step.sources.iter().filter(|source| source.read).count();
    let packages = step.packages.iter().filter(|package| package.files_read > 0).count();
    let failed = if step.succeeded { String::new() } else { format!(" ({})", step.result) };
    let mut out = format!(
        "{} {}{failed}: read {read} of {}, {} of {}, {}\n",
        step.goal,
        step.name,
        count(step.sources.len(), "source", "sources"),
        packages,
        count(step.packages.len(), "package", "packages"),
        count(step.toolchain_files.len(), "file of the toolchain", "files of the toolchain"),
    );
    let unread: Vec<&str> =
        step.sources.iter().filter(|source| !source.read).map(|source| source.path.as_str()).collect();
    if !unread.is_empty() {
        out += &format!("  not read: {}\n", listed(&unread));
    }
    if step.incomplete {
        out += "  incomplete: the step named more files than an audit records\n";
    }
    out
}

fn listed(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn finding(finding: &AuditFinding) -> String {
    let AuditFinding { file, line, code, message, advice, steps, .. } = finding;
    let more = match steps.len() {
        0 | 1 => String::new(),
        // The message has the number.
        _ if *code == Code::UnusedDependency => String::new(),
        number => format!(" (and {})", count(number - 1, "more step", "more steps")),
    };
    let hint = advice.as_ref().map(|advice| format!("hint: {advice}\n")).unwrap_or_default();
    format!("{file}:{line}: {}: {message}{more}\n{hint}", code.name())
}

fn totals(report: &AuditReport) -> String {
    let not_run = report.steps.iter().filter(|step| step.origin.is_none()).count();
    let audited = report.steps.len() - not_run;
    let not_run = if not_run == 0 { String::new() } else { format!(", {not_run} not audited") };
    let findings = match report.findings.len() {
        0 => "no findings".to_owned(),
        number => count(number, "finding", "findings"),
    };
    format!("\n{} audited{not_run}: {findings}\n", count(audited, "step", "steps"))
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use crate::report::audit::tests::sample;

    #[test]
    fn a_report_names_unread_sources_and_what_to_do() {
        let expected = "test src/a_test.py:tests: read 1 of 2 sources, 1 of 1 package, 1 file of the toolchain
  not read: src/unused.py

src/BUILD:3: undeclared-input: `data/x.json` exists but is not an input of `src/a_test.py:tests`
hint: add `\"//data:files\"` to `dependencies` of `src:tests`

1 step audited: 1 finding
";
        assert_eq!(super::render(&sample()), expected);
    }
}
