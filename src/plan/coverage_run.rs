//! What tests measured to one process that writes the coverage reports.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, Command, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;

/// The process's exit code where coverage is below what is asked for; its reports are whole all the same.
pub const TOO_LOW: i32 = 2;
/// In the tree of data: the directory of the tests' data files, and the list of sources that count anyhow.
pub const MEASURED: &str = "measured";
pub const ALSO: &str = "also";

const DATA: &str = "/data";
const REPORT: &str = include_str!("coverage_report.py");

/// One of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Console,
    Xml,
    Html,
    Json,
    Lcov,
    Raw,
}

impl Format {
    pub const ALL: [Format; 6] = [Format::Console, Format::Xml, Format::Html, Format::Json, Format::Lcov, Format::Raw];

    /// As `[coverage-py] report` spells it.
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

    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The file to look at first, below the directory of reports. The console's is none.
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

#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    pub formats: BTreeSet<Format>,
    /// `[coverage-py].config`; without it coverage looks for its settings itself.
    pub config: Option<RelPath>,
    /// A percentage; without it what coverage's own settings say.
    pub fail_under: Option<f64>,
    /// The data holds a list of sources that count though no test imported them.
    pub also: bool,
}

/// `images` as the tests had them, with pytest's own packages alone; `sources` lie where the tests had them.
pub fn action(images: BTreeMap<String, Source>, sources: Source, data: Source, options: &ReportOptions) -> Action {
    let mut images = images;
    images.insert(DATA.to_owned(), data);
    let argv = [venv::PYTHON, "-s", "-B", "-c", REPORT, &settings(options)].map(str::to_owned).to_vec();
    let mut policy = Policy::new("report coverage".to_owned());
    policy.cache.success_codes.push(TOO_LOW);
    Action { command: Command::new(argv, environment::base(), sources, images), policy }
}

fn settings(options: &ReportOptions) -> String {
    serde_json::json!({
        "config": options.config.as_ref().map(RelPath::as_str),
        "data": format!("{DATA}/{MEASURED}"),
        "also": options.also.then(|| format!("{DATA}/{ALSO}")),
        "out": sandbox_paths::OUT,
        "formats": options.formats.iter().map(|format| format.name()).collect::<Vec<_>>(),
        "fail_under": options.fail_under,
    })
    .to_string()
}

/// Whether `[coverage-py].filter` has room for a source: entries are modules or directories.
pub fn is_measured(file: &RelPath, filters: &[String]) -> bool {
    let module = format!(".{}.", file.as_str().trim_end_matches(".py").replace('/', "."));
    let holds = |filter: &String| {
        let filter = filter.trim_start_matches("./").trim_end_matches('/');
        filter == "." || module.contains(&format!(".{}.", filter.trim_end_matches(".py").replace('/', ".")))
    };
    filters.is_empty() || filters.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn a_report_sees_the_sources_the_data_and_the_tool() {
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
        assert!(settings["also"].is_null() && settings["config"].is_null());
    }

    #[test]
    fn every_format_is_known_by_its_name() {
        for format in Format::ALL {
            assert_eq!(Format::named(format.name()), Some(format));
        }
        assert_eq!(Format::named("pdf"), None);
    }

    #[test]
    fn filters_are_modules_or_directories() {
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
