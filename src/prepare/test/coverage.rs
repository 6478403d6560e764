//! What coverage measures, and what its reports need. The goal writes the reports after the tests have run.

use std::collections::BTreeSet;

use crate::action::Source;
use crate::base::RelPath;
use crate::config::typed::{CoverageSettings, TestSettings};
use crate::plan::config_files;
use crate::plan::coverage_run::{self, Format, ReportOptions};
use crate::plan::test_run::CoverageOptions;
use crate::prepare::Error;
use crate::prepare::images::Images;
use crate::session::Session;
use crate::targets::kind;
use crate::tools;

/// What coverage reports need besides the tests' measurements.
pub struct Coverage {
    /// What the process that writes reports mounts.
    pub images: Images,
    /// The tree of all tests' files and of `also`.
    pub sources: Source,
    /// Sources that are part of the report though no test imports them.
    pub also: Unimported,
    /// Which reports are written.
    pub options: ReportOptions,
}

/// What tests measure; `None` if coverage is off.
pub fn measured(session: &Session) -> Option<CoverageOptions> {
    let config = session.config();
    let tool = tools::named("coverage-py").expect("coverage is described");
    TestSettings::parse(config).use_coverage.then(|| CoverageOptions {
        measured: CoverageSettings::parse(config).filter,
        config: config_files::configured_files(&tool, config).pop_first(),
    })
}

/// Sources that count although no test imported them, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unimported {
    /// Those in regular packages, and those directly in a directory that coverage searches.
    pub regular: Vec<RelPath>,
    /// Those below a directory without `__init__.py`, which count only if coverage's own setting
    /// `include_namespace_packages` says so.
    pub in_namespaces: Vec<RelPath>,
}

impl Unimported {
    /// All files of both lists.
    pub fn files(&self) -> impl Iterator<Item = &RelPath> {
        self.regular.iter().chain(&self.in_namespaces)
    }
}

/// The Python sources that count although no test imported them: with `global_report`, those that `filter` includes;
/// otherwise those in directories that `filter` names. Modules in `filter` count only where a test imports them, as with
/// coverage, which cannot find a module that is not imported.
pub fn unimported_files(session: &mut Session) -> Result<Unimported, Error> {
    let settings = CoverageSettings::parse(session.config());
    if measured(session).is_none() || !settings.global_report && settings.filter.is_empty() {
        return Ok(Unimported::default());
    }
    let (graph, roots) = (session.load_graph()?, session.find_source_roots()?);
    let dir = |filter: &String| RelPath::root().resolve(filter).ok().filter(|dir| graph.files().is_dir(dir));
    let mut searched: BTreeSet<RelPath> = settings.filter.iter().filter_map(dir).collect();
    let counts = |file: &RelPath| match settings.global_report {
        true => coverage_run::is_measured(file, &settings.filter),
        false => searched.iter().any(|dir| file.starts_with(dir)),
    };
    let targets = graph.targets().filter(|target| kind::is_python(&target.kind));
    let sources = targets.flat_map(|target| &target.sources).filter(|file| file.extension() == Some("py"));
    let files: BTreeSet<RelPath> = sources.filter(|file| counts(file)).cloned().collect();
    if settings.global_report {
        searched.extend(roots.roots(&files));
    }
    let is_regular = |file: &RelPath| is_in_regular_packages(file, &searched, &|init| graph.files().contains(init));
    let (regular, in_namespaces) = files.into_iter().partition(is_regular);
    Ok(Unimported { regular, in_namespaces })
}

/// Whether coverage finds a file when it searches `searched`: every directory below the searched one has an `__init__.py`.
fn is_in_regular_packages(file: &RelPath, searched: &BTreeSet<RelPath>, exists: &dyn Fn(&RelPath) -> bool) -> bool {
    for dir in file.ancestors() {
        if searched.contains(&dir) {
            return true;
        }
        if !dir.push("__init__.py").is_ok_and(|init| exists(&init)) {
            return false;
        }
    }
    false
}

/// Which reports are written. `also` is the result of [`unimported_files`].
pub fn report_options(session: &Session, also: &Unimported) -> Result<ReportOptions, Error> {
    let settings = CoverageSettings::parse(session.config());
    let format = |name: &String| Format::from_name(name).ok_or_else(|| Error::CoverageFormat(name.clone()));
    Ok(ReportOptions {
        formats: settings.report.iter().map(format).collect::<Result<_, _>>()?,
        config: measured(session).and_then(|options| options.config),
        fail_under: settings.fail_under,
        unimported: also.files().next().is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_a_directory_without_init_are_in_no_regular_package() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let inits = ["src/app/__init__.py", "src/app/deep/__init__.py", "src/bare/deep/__init__.py"].map(path);
        let check = |searched: &[&str], file: &str, expected| {
            let searched = searched.iter().map(|dir| path(dir)).collect();
            let found = is_in_regular_packages(&path(file), &searched, &|init| inits.contains(init));
            assert_eq!(found, expected, "{searched:?} {file}");
        };
        check(&["src"], "src/top.py", true);
        check(&["src"], "src/app/deep/a.py", true);
        check(&["src"], "src/bare/a.py", false);
        check(&["src"], "src/bare/deep/a.py", false);
        check(&["src", "src/bare"], "src/bare/deep/a.py", true);
        check(&["lib"], "src/app/a.py", false);
    }
}
