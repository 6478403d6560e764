//! The report of an audit: which inputs each step used, and what does not agree with its declaration. Its forms are in `text`,
//! `page` and `link`; the JSON form is that of these types. What is a finding is decided in the goal.

pub mod link;
pub mod page;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::action::Origin;
use crate::report::Status;
use crate::report::finding::{Finding, Level};
use crate::report::tool_result::{About, ToolResult, ToolRun};

/// The version of the JSON form. New fields keep it.
pub const SCHEMA_VERSION: u32 = 1;

/// The report of all audited steps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AuditReport {
    /// The version of this form.
    pub schema_version: u32,
    /// In the order of the goals.
    pub steps: Vec<StepReport>,
    /// Sorted.
    pub findings: Vec<AuditFinding>,
    /// The edges of the dependency graph between the targets of the report.
    pub dependencies: BTreeMap<String, BTreeSet<String>>,
}

/// The inputs of one step. Paths of sources are relative to the build root, others are absolute paths inside the sandbox.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// The goal.
    pub goal: String,
    /// The step's name.
    pub name: String,
    /// The targets that it works on.
    pub targets: Vec<String>,
    /// Whether the step ran or its result was cached. `None` if it did not run.
    pub origin: Option<Origin>,
    /// How it ended, or why it did not run.
    pub result: String,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// The arguments of the process.
    pub command: Vec<String>,
    /// The environment that it was given. What it read of it cannot be observed.
    pub environment: BTreeMap<String, String>,
    /// The declared sources.
    pub sources: Vec<SourceUse>,
    /// The packages that were installed for it.
    pub packages: Vec<PackageUse>,
    /// The images by mount point.
    pub images: BTreeMap<String, ImageUse>,
    /// The used files of the interpreter and the system tree.
    pub toolchain_files: Vec<String>,
    /// The used files that the sandbox makes.
    pub sandbox_files: Vec<String>,
    /// The executed programs.
    pub programs: Vec<String>,
    /// The addresses of sockets.
    pub sockets: Vec<String>,
    /// The number of paths that were looked for in vain.
    pub absent_paths: usize,
    /// The files that the step produced, with their digests; its standard streams if it produced no file, as linters do.
    pub outputs: BTreeMap<String, String>,
    /// Whether the step named more than an audit records.
    pub incomplete: bool,
}

/// A declared source of a step.
#[derive(Clone, Debug, Serialize)]
pub struct SourceUse {
    /// Relative to the build root.
    pub path: String,
    /// The BLAKE3 digest in hexadecimal; empty for links.
    pub blake3: String,
    /// The targets that own it.
    pub owners: Vec<String>,
    /// Whether its content was read.
    pub read: bool,
}

/// A package in the environment of a step.
#[derive(Clone, Debug, Serialize)]
pub struct PackageUse {
    /// The name of the distribution.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The number of its files whose content was used.
    pub files_read: usize,
}

/// A read-only tree of a step.
#[derive(Clone, Debug, Serialize)]
pub struct ImageUse {
    /// The digest of the tree.
    pub digest: String,
    /// The number of its files whose content was used.
    pub files_read: usize,
}

/// A disagreement between what a step is given and what it uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AuditFinding {
    /// The file that must change to correct it.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// What kind of finding it is.
    pub code: Code,
    /// The path, address, program or dependency.
    pub subject: String,
    /// A sentence.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// The names of the steps that it was found in, sorted.
    pub steps: BTreeSet<String>,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A file of the repository was looked for and is not an input.
    UndeclaredInput,
    /// A path of the host was looked for.
    HostPath,
    /// A program was looked for that the sandbox does not have.
    MissingProgram,
    /// An address outside of the sandbox was used.
    Network,
    /// The address of a host was asked for by name.
    NameLookup,
    /// No audited step used a dependency.
    UnusedDependency,
}

impl Code {
    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Code::UndeclaredInput => "undeclared-input",
            Code::HostPath => "host-path",
            Code::MissingProgram => "missing-program",
            Code::Network => "network",
            Code::NameLookup => "name-lookup",
            Code::UnusedDependency => "unused-dependency",
        }
    }

    /// How serious a finding is. Undeclared inputs and network access decide the exit code.
    pub fn level(self) -> Level {
        match self {
            Code::UndeclaredInput | Code::Network => Level::Error,
            Code::HostPath | Code::MissingProgram | Code::UnusedDependency => Level::Warning,
            Code::NameLookup => Level::Note,
        }
    }
}

impl AuditReport {
    /// Whether there is a finding that must be corrected.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.code.level() == Level::Error)
    }

    /// The JSON form, with a final newline.
    pub fn json(&self) -> String {
        crate::report::pretty(self, 2) + "\n"
    }

    /// The findings as those of a tool, for SARIF.
    pub fn as_tool_result(&self) -> ToolResult {
        let finding = |finding: &AuditFinding| Finding {
            file: finding.file.clone(),
            line: Some(finding.line),
            column: None,
            level: finding.code.level(),
            code: Some(finding.code.name().to_owned()),
            message: match &finding.advice {
                Some(advice) => format!("{}: {advice}", finding.message),
                None => finding.message.clone(),
            },
        };
        let run = ToolRun {
            files: Vec::new(),
            partition: None,
            status: Status::Passed,
            origin: None,
            wall: Duration::ZERO,
            stdout: String::new(),
            stderr: String::new(),
            changed: Vec::new(),
            findings: self.findings.iter().map(finding).collect(),
        };
        let about = About { version: Some(env!("CARGO_PKG_VERSION").to_owned()), ..About::default() };
        ToolResult { name: "waders-audit".to_owned(), about, rewrites: false, runs: vec![run] }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> AuditReport {
        let source = |path: &str, read| SourceUse {
            path: path.to_owned(),
            blake3: "00".repeat(32),
            owners: vec![format!("{path}:lib")],
            read,
        };
        let step = StepReport {
            goal: "test".to_owned(),
            name: "src/a_test.py:tests".to_owned(),
            targets: vec!["src/a_test.py:tests".to_owned()],
            origin: Some(Origin::Ran),
            result: "exit code 0".to_owned(),
            succeeded: true,
            command: vec!["/deps/bin/python".to_owned(), "</script>".to_owned()],
            environment: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            sources: vec![source("src/a_test.py", true), source("src/unused.py", false)],
            packages: vec![PackageUse { name: "pytest".to_owned(), version: "8.0".to_owned(), files_read: 40 }],
            images: BTreeMap::from([("/usr".to_owned(), ImageUse { digest: "x/1".to_owned(), files_read: 7 })]),
            toolchain_files: vec!["/usr/lib/libc.so.6".to_owned()],
            sandbox_files: Vec::new(),
            programs: vec!["/deps/bin/python".to_owned()],
            sockets: Vec::new(),
            absent_paths: 12,
            outputs: BTreeMap::from([("report.xml".to_owned(), "11".repeat(32))]),
            incomplete: false,
        };
        let finding = AuditFinding {
            file: "src/BUILD".to_owned(),
            line: 3,
            code: Code::UndeclaredInput,
            subject: "data/x.json".to_owned(),
            message: "`data/x.json` exists but is not an input of `src/a_test.py:tests`".to_owned(),
            advice: Some("add `\"//data:files\"` to `dependencies` of `src:tests`".to_owned()),
            steps: ["src/a_test.py:tests".to_owned()].into(),
        };
        let (steps, findings) = (vec![step], vec![finding]);
        AuditReport { schema_version: SCHEMA_VERSION, steps, findings, dependencies: BTreeMap::new() }
    }

    #[test]
    fn findings_are_a_tools_findings_in_sarif() {
        let sarif = crate::report::sarif::render(&[&sample().as_tool_result()]);
        for part in ["waders-audit", "undeclared-input", "src/BUILD", "\"startLine\": 3", "add `"] {
            assert!(sarif.contains(part), "{part}: {sarif}");
        }
        assert!(sample().has_errors());
    }
}
