//! The action that combines the coverage data of all tests and writes the reports. Measuring coverage is part of
//! `test_run`.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, Command, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;

/// The exit code of a process that found coverage below the required percentage. Its reports are complete nonetheless.
pub const TOO_LOW: i32 = 2;
/// The directory of the tests' data files, below the root of the data tree.
pub const MEASURED: &str = "measured";
/// The list of sources that count although no test imported them, below the root of the data tree.
pub const UNIMPORTED: &str = "unimported";
/// Like [`UNIMPORTED`], the sources below directories without `__init__.py`. They count if coverage's own settings say so.
pub const UNIMPORTED_IN_NAMESPACES: &str = "unimported-in-namespaces";

/// The mount point of the data tree.
const DATA: &str = "/data";
const REPORT: &str = include_str!("coverage_report.py");

/// A format of coverage reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A table on standard output.
    Console,
    /// Cobertura XML.
    Xml,
    /// A directory of web pages.
    Html,
    /// The JSON of coverage itself.
    Json,
    /// An lcov trace file.
    Lcov,
    /// The SQLite data file of coverage.
    Raw,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 6] = [Format::Console, Format::Xml, Format::Html, Format::Json, Format::Lcov, Format::Raw];

    /// The name that `[coverage-py] report` uses.
    pub fn name(self) -> &'static str {
        match self {
            Format::Console => "console",
            Format::Xml => "xml",
            Format::Html => "html",
            Format::Json => "json",
            Format::Lcov => "lcov",
            Format::Raw => "raw",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The file to open first, below the reports directory. `None` for the console.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Format::Console => None,
            Format::Xml => Some("coverage.xml"),
            Format::Html => Some("htmlcov/index.html"),
            Format::Json => Some("coverage.json"),
            Format::Lcov => Some("coverage.lcov"),
            Format::Raw => Some(".coverage"),
        }
    }
}

/// The reports that the user requested.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// The formats to write.
    pub formats: BTreeSet<Format>,
    /// `[coverage-py].config`. If it is `None`, coverage discovers its settings itself.
    pub config: Option<RelPath>,
    /// The required percentage. If it is `None`, coverage's own settings apply.
    pub fail_under: Option<f64>,
    /// Whether the data tree contains [`UNIMPORTED`] and [`UNIMPORTED_IN_NAMESPACES`].
    pub unimported: bool,
}

/// The action that writes the reports. `images` are those of the tests without first-party requirements: the venv image
/// holds only pytest's own packages. `sources` must have the same paths as in the tests.
pub fn action(images: BTreeMap<String, Source>, sources: Source, data: Source, options: &ReportOptions) -> Action {
    let mut images = images;
    images.insert(DATA.to_owned(), data);
    let argv = [venv::PYTHON, "-s", "-B", "-c", REPORT, &settings(options)].map(str::to_owned).to_vec();
    let mut policy = Policy::new("report coverage".to_owned());
    policy.cache.success_codes.push(TOO_LOW);
    policy.remote = true;
    Action { command: Command::new(argv, environment::base(), sources, images), policy }
}

fn settings(options: &ReportOptions) -> String {
    serde_json::json!({
        "config": options.config.as_ref().map(RelPath::as_str),
        "data": format!("{DATA}/{MEASURED}"),
        "unimported": options.unimported.then(|| format!("{DATA}/{UNIMPORTED}")),
        "unimported_in_namespaces": options.unimported.then(|| format!("{DATA}/{UNIMPORTED_IN_NAMESPACES}")),
        "out": sandbox_paths::OUT,
        "formats": options.formats.iter().map(|format| format.name()).collect::<Vec<_>>(),
        "fail_under": options.fail_under,
    })
    .to_string()
}

/// Whether `[coverage-py].filter` selects a source. Its entries are modules or directories; an empty filter selects all.
pub fn is_measured(file: &RelPath, filters: &[String]) -> bool {
    let module = format!(".{}.", file.as_str().trim_end_matches(".py").replace('/', "."));
    let selects = |filter: &String| {
        let filter = filter.trim_start_matches("./").trim_end_matches('/');
        filter == "." || module.contains(&format!(".{}.", filter.trim_end_matches(".py").replace('/', ".")))
    };
    filters.is_empty() || filters.iter().any(selects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn a_report_has_the_sources_the_data_and_the_tool_as_inputs() {
        let tree = Source::Tree(Digest::of(b""));
        let images = BTreeMap::from([("/usr".to_owned(), tree)]);
        let options = ReportOptions {
            formats: BTreeSet::from([Format::Xml, Format::Console]),
            fail_under: Some(87.5),
            ..ReportOptions::default()
        };
        let action = action(images, tree, tree, &options);
        assert_eq!(action.command.images.keys().collect::<Vec<_>>(), ["/data", "/usr"]);
        assert_eq!(action.policy.cache.success_codes, [0, TOO_LOW]);
        let settings: serde_json::Value = serde_json::from_str(action.command.argv.last().unwrap()).unwrap();
        assert_eq!(settings["formats"], serde_json::json!(["console", "xml"]));
        assert_eq!(settings["fail_under"], 87.5);
        assert!(settings["unimported"].is_null() && settings["config"].is_null());
    }

    #[test]
    fn a_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_name("pdf"), None);
    }

    #[test]
    fn a_filter_selects_sources_by_module_or_directory() {
        let check = |file: &str, filters: &[&str], expected| {
            let filters: Vec<String> = filters.iter().map(|filter| filter.to_string()).collect();
            assert_eq!(is_measured(&RelPath::parse(file).unwrap(), &filters), expected, "{file} {filters:?}");
        };
        check("src/app/a.py", &[], true);
        check("src/app/a.py", &["src/app"], true);
        check("src/app/a.py", &["src/app/"], true);
        check("src/app/a.py", &["app.a"], true);
        check("src/app/a.py", &["."], true);
        check("src/apple/a.py", &["src/app"], false);
        check("src/app/a.py", &["lib", "tests"], false);
    }
}
