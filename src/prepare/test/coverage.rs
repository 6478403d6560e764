//! What coverage measures, and what its reports need. The goal writes the reports after the tests have run.

use std::collections::BTreeSet;

use crate::action::{Source, StepId};
use crate::base::{Digest, RelPath};
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
    pub sources: Digest,
    /// Sources that are part of the report though no test imports them.
    pub also: Vec<RelPath>,
    /// Which reports are written.
    pub options: ReportOptions,
}

impl Coverage {
    /// The steps that build the images. They run with the tests.
    pub fn steps(&self) -> impl Iterator<Item = StepId> {
        self.images.values().filter_map(|source| match source {
            Source::Output(id) => Some(*id),
            Source::Tree(_) => None,
        })
    }
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

/// With `global_report`, every Python source that `filter` includes, sorted; otherwise none.
pub fn untested_files(session: &mut Session) -> Result<Vec<RelPath>, Error> {
    let graph = session.load_graph()?;
    let Some(options) = measured(session).filter(|_| CoverageSettings::parse(session.config()).global_report) else {
        return Ok(Vec::new());
    };
    let targets = graph.targets().filter(|target| kind::is_python(&target.kind));
    let is_measured =
        |file: &&RelPath| file.extension() == Some("py") && coverage_run::is_measured(file, &options.measured);
    let files: BTreeSet<&RelPath> = targets.flat_map(|target| &target.sources).filter(is_measured).collect();
    Ok(files.into_iter().cloned().collect())
}

/// Which reports are written. `also` is the result of `untested_files`.
pub fn report_options(session: &Session, also: &[RelPath]) -> Result<ReportOptions, Error> {
    let settings = CoverageSettings::parse(session.config());
    let format = |name: &String| Format::from_name(name).ok_or_else(|| Error::CoverageFormat(name.clone()));
    Ok(ReportOptions {
        formats: settings.report.iter().map(format).collect::<Result<_, _>>()?,
        config: measured(session).and_then(|options| options.config),
        fail_under: settings.fail_under,
        unimported: !also.is_empty(),
    })
}
