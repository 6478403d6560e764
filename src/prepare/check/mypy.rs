//! What mypy alone needs: its plugins, stubs that only it reads, the Python version, and whether what it worked out
//! before may be begun with.

use std::collections::BTreeSet;

use crate::action::ActionGraph;
use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::inference::closure::Follow;
use crate::plan::check_run::Mypy;
use crate::plan::requirements::{self, Wanted};
use crate::prepare::calls::Enabled;
use crate::prepare::check::Preparation;
use crate::prepare::interpreters::Pythons;
use crate::session::{Error, Session};
use crate::targets::{self, Address};
use crate::toolchain::Constraints;
use crate::tools::Tool;

/// Plugins whose answers depend on more than mypy looks at: they run the user's code.
const UNTRACKED_PLUGINS: [&str; 2] = ["mypy_django_plugin", "mypy_drf_plugin"];

/// Words after which mypy's answers depend on what it knows already, or which say themselves how it is to remember.
const UNTRACKED_WORDS: [&str; 11] = [
    "--no-incremental",
    "--cache-dir",
    "--sqlite-num-shards",
    "--cache-fine-grained",
    "--show-error-code-links",
    "--soft-error-limit",
    "--shadow-file",
    "--junit-xml",
    "-report",
    "--output",
    "-O",
];

/// The same as settings.
const UNTRACKED_SETTINGS: [&str; 4] = ["show_error_code_links", "cache_fine_grained", "junit_xml", "_report"];

/// Plugins that lie in this repository.
#[derive(Default)]
pub struct Plugins {
    /// Everything that they consist of.
    pub files: Vec<RelPath>,
    /// What they require.
    pub wanted: Option<Wanted>,
}

/// For checkers that are not mypy.
pub fn none() -> Mypy {
    Mypy { python_version: None, plugin_roots: Vec::new(), remembers: false, fits: Digest::of(b"") }
}

impl Preparation<'_> {
    pub fn mypy(
        &mut self,
        session: &mut Session,
        checker: &Enabled,
        constraints: &[String],
        settings: &BTreeSet<RelPath>,
        files: &[RelPath],
    ) -> Result<(Mypy, Plugins), Error> {
        let scope = &checker.tool.scope;
        let graph = session.load_graph()?;
        let texts: Vec<String> = settings
            .iter()
            .map(|file| {
                let bytes = session.context.tracker.read(&file.to_path(session.build_root()));
                let fail =
                    |source: std::io::Error| Error::Settings { path: file.as_str().into(), why: source.to_string() };
                let bytes = bytes.map_err(fail)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            })
            .collect::<Result<_, Error>>()?;
        let (plugin_roots, plugins) = match session.config().list(scope, "source_plugins").is_empty() {
            true => (Vec::new(), Plugins::default()),
            false => {
                let roots = source_plugins(session, scope)?;
                let closure = self.closures.compute(&roots, Follow::All);
                let wanted = requirements::wanted(&graph, closure.requirements.iter().copied(), session.config())?;
                let files = closure.files.iter().map(|file| (*file).clone()).collect();
                let roots = closure.source_roots.iter().map(|root| (*root).clone()).collect();
                (roots, Plugins { files, wanted: Some(wanted) })
            }
        };
        let why = why_from_nothing(session.config(), scope, &texts);
        if let Some(why) = &why {
            session.ui.note(&format!("mypy checks everything anew each time, since {why}"), None);
        }
        let plugin_tree = self.sources.tree(&plugins.files)?;
        let named = if names_decide(session.config(), scope, &texts) { files } else { &[] };
        let mypy = Mypy {
            python_version: python_version(session.config(), scope, constraints, &texts),
            plugin_roots,
            remembers: why.is_none() && session.config().text(scope, "cache_mode") != Some("none"),
            fits: Digest::of(format!("{texts:?}\n{plugin_tree}\n{named:?}").as_bytes()),
        };
        Ok((mypy, plugins))
    }
}

pub fn source_plugins(session: &mut Session, scope: &str) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let specs: Vec<String> = session.config().list(scope, "source_plugins").into_iter().map(str::to_owned).collect();
    let root = session.build_root().to_string_lossy().into_owned();
    let named = targets::select(&graph, &specs, &RelPath::root(), &root)?;
    let generated = named.iter().flat_map(|address| graph.generated_by(address)).cloned();
    Ok(named.iter().cloned().chain(generated).collect())
}

/// The name of stubs that `[mypy] extra_type_stubs` asks for, once they are found.
pub fn extra_stubs(
    session: &mut Session,
    pythons: &mut Pythons,
    graph: &mut ActionGraph,
    tool: &Tool,
    constraints: &[String],
) -> Result<Option<String>, Error> {
    if tool.scope != "mypy" {
        return Ok(None);
    }
    let asked = session.config().list(&tool.scope, "extra_type_stubs");
    if asked.is_empty() {
        return Ok(None);
    }
    let mut canonical = BTreeSet::new();
    for text in asked {
        let fail =
            |source| requirements::Error::ToolRequirement { option: "`[mypy] extra_type_stubs`".to_owned(), source };
        canonical.insert(crate::packaging::requirement::canonical(
            &crate::packaging::requirement::parse(text).map_err(fail)?,
        ));
    }
    let lockfile = session.config().text(&tool.scope, "extra_type_stubs_lockfile");
    let lockfile = lockfile.filter(|path| !path.starts_with('<')).map(str::to_owned);
    let name = "mypy-stubs".to_owned();
    pythons.pin(session, graph, constraints, (&name, lockfile.as_deref()), canonical)?;
    Ok(Some(name))
}

/// As Pants: nobody is asked for a version that somebody chose.
fn python_version(config: &Config, scope: &str, constraints: &[String], settings: &[String]) -> Option<String> {
    let args = config.list(scope, "args");
    if settings.iter().any(|text| text.contains("python_version"))
        || args.iter().any(|word| word.starts_with("--python-version"))
    {
        return None;
    }
    let constraints = Constraints::parse(constraints).ok()?;
    let universe = config.list("python", "interpreter_versions_universe").into_iter();
    let allows = |minor: &&str| (0..=99).any(|patch| constraints.allow(&format!("{minor}.{patch}")));
    universe.filter(|minor| minor.starts_with("3.")).find(allows).map(str::to_owned)
}

/// Why a run must not begin with what an earlier one worked out.
fn why_from_nothing(config: &Config, scope: &str, settings: &[String]) -> Option<String> {
    let holds = |text: &str| settings.iter().any(|settings| settings.contains(text));
    if let Some(plugin) = UNTRACKED_PLUGINS.iter().find(|plugin| holds(plugin)) {
        return Some(format!("its plugin `{plugin}` depends on more than mypy looks at"));
    }
    let args = config.list(scope, "args");
    let is_meant = |word: &&&str| {
        UNTRACKED_WORDS.iter().any(|untracked| match *untracked {
            "-report" => word.starts_with("--") && word.contains("-report"),
            "-O" => word.starts_with("-O"),
            untracked => word.starts_with(untracked),
        })
    };
    if let Some(word) = args.iter().find(is_meant) {
        return Some(format!("`{word}` is in `[{scope}] args`"));
    }
    let lines = settings.iter().flat_map(|text| text.lines());
    let mut names = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let setting = names.find(|name| UNTRACKED_SETTINGS.iter().any(|untracked| name.ends_with(untracked)))?;
    Some(format!("its settings have `{setting}`"))
}

/// Whether what is told of a file depends on its being named. Some versions (1.19) repeat what they once found in a file
/// that was named then, where it is only followed in silence now: a state fits no run on other files.
fn names_decide(config: &Config, scope: &str, settings: &[String]) -> bool {
    settings.iter().any(|text| text.contains("follow_imports"))
        || config.list(scope, "args").iter().any(|word| word.starts_with("--follow-imports"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_oldest_version_that_the_constraints_allow_is_checked_for() {
        let check = |constraints: &[&str], args: &[&str], settings: &str, expected: Option<&str>| {
            let config = Config::of([("mypy", "args", json!(args))]);
            let constraints: Vec<String> = constraints.iter().map(|text| text.to_string()).collect();
            let found = python_version(&config, "mypy", &constraints, &[settings.to_owned()]);
            assert_eq!(found.as_deref(), expected, "{constraints:?} {args:?} {settings}");
        };
        check(&["CPython>=3.9,<4"], &[], "", Some("3.9"));
        check(&["==3.12.*", "==3.11.*"], &[], "", Some("3.11"));
        check(&["CPython==3.13.7"], &[], "", Some("3.13"));
        check(&["CPython>=3.9"], &["--python-version=3.12"], "", None);
        check(&["CPython>=3.9"], &[], "[mypy]\npython_version = 3.10\n", None);
    }

    #[test]
    fn what_mypy_cannot_track_is_checked_from_nothing() {
        let check = |args: &[&str], settings: &str, expected: bool| {
            let config = Config::of([("mypy", "args", json!(args))]);
            let why = why_from_nothing(&config, "mypy", &[settings.to_owned()]);
            assert_eq!(why.is_some(), expected, "{args:?} {settings}: {why:?}");
        };
        check(&["--strict"], "[mypy]\nplugins = pydantic.mypy\n", false);
        check(&["--no-incremental"], "", true);
        check(&["--html-report=reports/html"], "", true);
        check(&["-Ojson"], "", true);
        check(&[], "[mypy]\nplugins = mypy_django_plugin.main\n", true);
        check(&[], "[mypy]\nshow_error_code_links = True\n", true);
        check(&[], "[mypy]\ntxt_report = reports\n", true);
        let settings = "[mypy]\nstrict = True\nlinecount_report = reports\n".to_owned();
        let why = why_from_nothing(&Config::default(), "mypy", &[settings]);
        assert_eq!(why.as_deref(), Some("its settings have `linecount_report`"));
    }
}
