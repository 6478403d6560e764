//! `[tailor]` and `[update-build-files]`: goals that write BUILD files.

use std::collections::BTreeMap;

use super::section::Section;
use crate::config::Config;

/// The section `[tailor]`.
#[derive(Clone, Debug)]
pub struct TailorSettings {
    /// Whether nothing is written, and missing targets fail the goal.
    pub check: bool,
    /// The name of new BUILD files.
    pub build_file_name: String,
    /// The first lines of new BUILD files.
    pub build_file_header: Option<String>,
    /// One level of indentation.
    pub build_file_indent: String,
    /// Target type to the macro that is written for it.
    pub alias_mapping: BTreeMap<String, String>,
    /// Globs of BUILD files that are left alone.
    pub ignore_paths: Vec<String>,
    /// Addresses of targets that are not added.
    pub ignore_adding_targets: Vec<String>,
}

impl TailorSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> TailorSettings {
        let section = Section::new(config, "tailor");
        let aliases = section.dict("alias_mapping").iter();
        TailorSettings {
            check: section.flag("check"),
            build_file_name: section.text_or("build_file_name", "BUILD"),
            build_file_header: section.text("build_file_header"),
            build_file_indent: section.text_or("build_file_indent", "    "),
            alias_mapping: aliases.filter_map(|(kind, name)| Some((kind.clone(), name.as_str()?.to_owned()))).collect(),
            ignore_paths: section.texts("ignore_paths"),
            ignore_adding_targets: section.texts("ignore_adding_targets"),
        }
    }
}

/// The section `[update-build-files]`.
#[derive(Clone, Debug)]
pub struct UpdateBuildFilesSettings {
    /// Whether nothing is written, and changes fail the goal.
    pub check: bool,
    /// Whether BUILD files are formatted.
    pub fmt: bool,
    /// The name of the formatter.
    pub formatter: String,
    /// Whether old names of target types and fields are replaced.
    pub fix_safe_deprecations: bool,
}

impl UpdateBuildFilesSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> UpdateBuildFilesSettings {
        let section = Section::new(config, "update-build-files");
        UpdateBuildFilesSettings {
            check: section.flag("check"),
            fmt: section.flag("fmt"),
            formatter: section.text_or("formatter", "black"),
            fix_safe_deprecations: section.flag("fix_safe_deprecations"),
        }
    }
}
