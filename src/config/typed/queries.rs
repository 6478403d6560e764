//! The sections of goals that print what they find out about targets and files.

use super::section::Section;
use crate::config::Config;

/// How a goal prints its data. An option that a goal does not have counts as unset.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// Whether lines are printed as one JSON list.
    pub json: bool,
    /// What ends each line, with escapes as in Python.
    pub separator: String,
    /// The file to write in place of standard output, relative to the build root.
    pub output_file: Option<String>,
}

impl OutputSettings {
    /// Parses the section of a goal.
    pub fn parse(config: &Config, goal: &str) -> OutputSettings {
        let section = Section::new(config, goal);
        OutputSettings {
            json: section.has("json") && section.flag("json"),
            separator: section.has("sep").then(|| section.text("sep")).flatten().unwrap_or("\\n".to_owned()),
            output_file: section.text("output_file"),
        }
    }
}

/// The section `[affected]`.
#[derive(Clone, Debug)]
pub struct AffectedSettings {
    /// The commit since which changes count.
    pub since: Option<String>,
    /// Whether the output is JSON with paths and reasons.
    pub json: bool,
}

impl AffectedSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> AffectedSettings {
        let section = Section::new(config, "affected");
        AffectedSettings { since: section.text("since"), json: section.flag("json") }
    }
}

/// The section `[list]`.
#[derive(Clone, Copy, Debug)]
pub struct ListSettings {
    /// Whether only targets with a description are listed, with it.
    pub documented: bool,
}

impl ListSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ListSettings {
        ListSettings { documented: Section::new(config, "list").flag("documented") }
    }
}

/// The section `[dependencies]`.
#[derive(Clone, Copy, Debug)]
pub struct DependenciesSettings {
    /// Whether dependencies of dependencies are included.
    pub transitive: bool,
    /// Whether the selected targets are included.
    pub closed: bool,
    /// Whether the output is JSON.
    pub json: bool,
}

impl DependenciesSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> DependenciesSettings {
        let section = Section::new(config, "dependencies");
        let json = section.word("format") == Some("json");
        DependenciesSettings { transitive: section.flag("transitive"), closed: section.flag("closed"), json }
    }
}

/// The section `[dependents]`.
#[derive(Clone, Copy, Debug)]
pub struct DependentsSettings {
    /// Whether dependents of dependents are included.
    pub transitive: bool,
    /// Whether the selected targets are included.
    pub closed: bool,
    /// Whether the output is JSON.
    pub json: bool,
}

impl DependentsSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> DependentsSettings {
        let section = Section::new(config, "dependents");
        let json = section.word("format") == Some("json");
        DependentsSettings { transitive: section.flag("transitive"), closed: section.flag("closed"), json }
    }
}

/// The section `[filedeps]`.
#[derive(Clone, Copy, Debug)]
pub struct FiledepsSettings {
    /// Whether files of dependencies are included.
    pub transitive: bool,
    /// Whether globs are printed in place of the files that they match.
    pub globs: bool,
    /// Whether paths are absolute.
    pub absolute: bool,
}

impl FiledepsSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> FiledepsSettings {
        let section = Section::new(config, "filedeps");
        FiledepsSettings {
            transitive: section.flag("transitive"),
            globs: section.flag("globs"),
            absolute: section.flag("absolute"),
        }
    }
}

/// The section `[paths]`.
#[derive(Clone, Debug)]
pub struct PathsSettings {
    /// The spec of the first targets of the paths.
    pub from: Option<String>,
    /// The spec of the last targets of the paths.
    pub to: Option<String>,
}

impl PathsSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PathsSettings {
        let section = Section::new(config, "paths");
        PathsSettings { from: section.text("from"), to: section.text("to") }
    }
}

/// The section `[peek]`.
#[derive(Clone, Copy, Debug)]
pub struct PeekSettings {
    /// Whether fields with their default value are left out.
    pub exclude_defaults: bool,
    /// Whether information of plugins is included.
    pub include_additional_info: bool,
    /// Whether visibility rules are included.
    pub include_dep_rules: bool,
}

impl PeekSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PeekSettings {
        let section = Section::new(config, "peek");
        PeekSettings {
            exclude_defaults: section.flag("exclude_defaults"),
            include_additional_info: section.flag("include_additional_info"),
            include_dep_rules: section.flag("include_dep_rules"),
        }
    }
}

/// The section `[count-loc]`.
#[derive(Clone, Copy, Debug)]
pub struct CountLocSettings {
    /// Whether the output is JSON.
    pub json: bool,
}

impl CountLocSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> CountLocSettings {
        CountLocSettings { json: Section::new(config, "count-loc").flag("json") }
    }
}

/// The section `[py-constraints]`.
#[derive(Clone, Copy, Debug)]
pub struct PyConstraintsSettings {
    /// Whether the output is a CSV table of all targets.
    pub summary: bool,
}

impl PyConstraintsSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PyConstraintsSettings {
        PyConstraintsSettings { summary: Section::new(config, "py-constraints").flag("summary") }
    }
}

/// The section `[graph]`.
#[derive(Clone, Copy, Debug)]
pub struct GraphSettings {
    /// Whether dependencies of dependencies are drawn.
    pub transitive: bool,
    /// The format of the output.
    pub format: GraphFormat,
}

/// The format of a drawn graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// A page for a browser.
    Html,
    /// For scripts.
    Json,
}

impl GraphSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> GraphSettings {
        let section = Section::new(config, "graph");
        let format = match section.word("format") {
            Some("html") => GraphFormat::Html,
            Some("json") => GraphFormat::Json,
            _ => GraphFormat::Dot,
        };
        GraphSettings { transitive: section.flag("transitive"), format }
    }
}
