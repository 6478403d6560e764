//! The log of a run: events with their times, for debugging. It is written to a file and, if the user requests details, to
//! standard error. Messages that every user must see are diagnostics instead.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// A log file that is larger than this is renamed to `pants.log.1` before a run writes to it.
const MAX_BYTES: u64 = 10 << 20;

/// The destinations and the level of the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The option `[GLOBAL] level`: events of this level and above are logged.
    pub level: LevelFilter,
    /// The variable `WADERS_LOG`: levels by module, as in `waders::engine=debug,warn`.
    pub filter: Option<String>,
    /// The directory of the log file `pants.log`.
    pub dir: Option<PathBuf>,
    /// The directory of the log file if `dir` is not set. It is not created: if it is missing, there is no log file.
    pub workdir: PathBuf,
    /// Print colours to standard error.
    pub colour: bool,
}

/// Why the log cannot be started.
#[allow(missing_docs, reason = "the message of each variant explains its fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `WADERS_LOG` cannot be parsed.
    #[error("invalid filter `{filter}` in `WADERS_LOG`: {why}")]
    Filter { filter: String, why: String },
    /// The log file cannot be opened.
    #[error("cannot write the log file `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Filter { .. } => {
                Some("for example `WADERS_LOG=debug` or `WADERS_LOG=waders::engine=trace`".to_owned())
            }
            Error::File { .. } => Some("set `logdir` in the section `[GLOBAL]` to a writable directory".to_owned()),
        }
    }
}

/// Starts the log of this process. A second call in one process has no effect.
pub fn start(settings: &LogSettings) -> Result<(), Error> {
    let targets = match &settings.filter {
        Some(filter) => parse(filter)?,
        None => Targets::new().with_target("waders", settings.level),
    };
    // At the default level, diagnostics and progress already show the important events on standard error.
    let wants_details = settings.filter.is_some() || settings.level > LevelFilter::INFO;
    let screen = wants_details
        .then(|| fmt::layer().with_writer(io::stderr).with_ansi(settings.colour).with_filter(targets.clone()));
    let workdir = settings.workdir.is_dir().then_some(settings.workdir.as_path());
    let file = settings.dir.as_deref().or(workdir).map(open).transpose()?;
    let in_file = Targets::new().with_target("waders", settings.level.max(LevelFilter::INFO));
    let file = file.map(|file| fmt::layer().with_writer(Arc::new(file)).with_ansi(false).with_filter(in_file));
    if screen.is_some() || file.is_some() {
        // This fails if a log was already started, as in tests.
        let _ = tracing_subscriber::registry().with(screen).with(file).try_init();
    }
    Ok(())
}

fn parse(filter: &str) -> Result<Targets, Error> {
    Targets::from_str(filter).map_err(|error| Error::Filter { filter: filter.to_owned(), why: error.to_string() })
}

/// Opens the log file for appending, and renames it first if it is too large.
fn open(dir: &Path) -> Result<File, Error> {
    let path = dir.join("pants.log");
    let failed = |source| Error::File { path: path.clone(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
        fs::rename(&path, dir.join("pants.log.1")).map_err(failed)?;
    }
    OpenOptions::new().create(true).append(true).open(&path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_filter_names_levels_by_module() {
        assert!(parse("waders::engine=debug,warn").is_ok());
        let error = parse("waders=loudly").unwrap_err();
        assert!(error.to_string().starts_with("invalid filter `waders=loudly`"), "{error}");
    }

    #[test]
    fn a_large_log_file_is_renamed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("deep/pants.log");
        open(log.parent().unwrap()).unwrap().write_all(b"first\n").unwrap();
        open(log.parent().unwrap()).unwrap().write_all(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "first\nsecond\n");
        File::options().write(true).open(&log).unwrap().set_len(MAX_BYTES + 1).unwrap();
        open(log.parent().unwrap()).unwrap();
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
        assert_eq!(fs::metadata(log.with_extension("log.1")).unwrap().len(), MAX_BYTES + 1);
    }
}
