//! What is measured, and what the reports of coverage need. The reports are written when the tests have ended, by the goal.

use std::collections::BTreeSet;

use crate::action::{Source, StepId};
use crate::base::{Digest, RelPath};
use crate::plan::config_files;
use crate::plan::coverage_run::{self, Format, ReportOptions};
use crate::plan::test_run::CoverageOptions;
use crate::prepare::interpreters::Images;
use crate::session::{Error, Session};
use crate::tools;

/// What the reports need beside the tests' measurements.
pub struct Coverage {
    pub images: Images,
    /// The tree of all tests' files and of `also`.
    pub sources: Digest,
    /// Sources that count though no test imported them.
    pub also: Vec<RelPath>,
    pub options: ReportOptions,
}

impl Coverage {
    /// The steps that make the images: carried out with the tests.
    pub fn steps(&self) -> impl Iterator<Item = StepId> {
        self.images.values().filter_map(|source| match source {
            Source::Output(id) => Some(*id),
            Source::Tree(_) => None,
        })
    }
}

/// What tests are to measure, if anything.
pub fn measured(session: &Session) -> Option<CoverageOptions> {
    let config = session.config();
    let tool = tools::named("coverage-py").expect("coverage is described");
    config.flag("test", "use_coverage").then(|| CoverageOptions {
        measured: config.list("coverage-py", "filter").into_iter().map(str::to_owned).collect(),
        config: config_files::configured_files(&tool, config).pop_first(),
    })
}

/// With `global_report`, every Python source that `filter` has room for, sorted.
pub fn untouched(session: &mut Session) -> Result<Vec<RelPath>, Error> {
    let graph = session.load_graph()?;
    let Some(options) = measured(session).filter(|_| session.config().flag("coverage-py", "global_report")) else {
        return Ok(Vec::new());
    };
    let targets = graph.targets().filter(|target| target.kind.starts_with("python_"));
    let is_meant =
        |file: &&RelPath| file.extension() == Some("py") && coverage_run::is_measured(file, &options.measured);
    let files: BTreeSet<&RelPath> = targets.flat_map(|target| &target.sources).filter(is_meant).collect();
    Ok(files.into_iter().cloned().collect())
}

/// Which reports there are to be.
pub fn report_options(session: &Session, also: &[RelPath]) -> Result<ReportOptions, Error> {
    let config = session.config();
    let format = |name: &str| Format::from_name(name).ok_or_else(|| Error::CoverageFormat(name.to_owned()));
    Ok(ReportOptions {
        formats: config.list("coverage-py", "report").into_iter().map(format).collect::<Result<_, _>>()?,
        config: measured(session).and_then(|options| options.config),
        fail_under: config.number("coverage-py", "fail_under"),
        unimported: !also.is_empty(),
    })
}
