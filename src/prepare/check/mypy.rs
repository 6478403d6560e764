//! What only mypy needs: its plugins, extra stubs, the Python version to check for, and whether a run may start from the
//! incremental state of an earlier one.

use std::collections::BTreeSet;

use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::config::typed::{MypySettings, PythonSettings, ToolSettings};
use crate::inference::closure::Follow;
use crate::packaging::requirement;
use crate::plan::check_run::Mypy;
use crate::plan::requirements::{self, Wanted};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::calls::EnabledCall;
use crate::prepare::check::CheckPlanner;
use crate::session::Session;
use crate::targets::{self, Address};
use crate::toolchain::Constraints;
use crate::tools::Tool;

/// Plugins that run the user's code, so that their results depend on more than the files that mypy tracks.
const UNTRACKED_PLUGINS: [&str; 2] = ["mypy_django_plugin", "mypy_drf_plugin"];

/// Arguments with which mypy's output depends on its incremental state, or which configure that state.
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

/// The same as names of settings.
const UNTRACKED_SETTINGS: [&str; 4] = ["show_error_code_links", "cache_fine_grained", "junit_xml", "_report"];

/// The name of the packages that `[mypy] extra_type_stubs` asks for, also in the name of their lock.
const EXTRA_STUBS: &str = "mypy-stubs";

/// Plugins that are part of the repository.
#[derive(Default)]
pub(super) struct Plugins {
    /// The closure of their sources.
    pub files: Vec<RelPath>,
    /// The source roots of that closure.
    pub source_roots: Vec<RelPath>,
    /// The requirements of that closure.
    pub wanted: Option<Wanted>,
}

/// A digest of what a state depends on besides the sources: settings, plugins and, where they matter, the named files.
fn state_inputs(settings: &[String], plugins: Digest, named: &[RelPath]) -> Digest {
    let named: Vec<&str> = named.iter().map(RelPath::as_str).collect();
    Digest::of(serde_json::json!([settings, plugins, named]).to_string().as_bytes())
}

/// The value for checkers other than mypy.
pub(super) fn none() -> Mypy {
    Mypy { python_version: None, incremental: false, state_inputs: Digest::of(b"") }
}

impl CheckPlanner<'_, '_> {
    /// What mypy is given besides sources and images. `settings` are its settings files, `files` what it checks.
    pub(super) fn plan_mypy(
        &mut self,
        checker: &EnabledCall,
        constraints: &[String],
        settings: &BTreeSet<RelPath>,
        files: &[RelPath],
    ) -> Result<(Mypy, Plugins), Error> {
        let scope = &checker.tool.scope;
        let texts = read_settings(self.planner.session, settings)?;
        let plugins = self.plan_plugins(scope)?;
        let session = &self.planner.session;
        let args = ToolSettings::parse(session.config(), scope).args;
        let untracked = why_untracked(&args, scope, &texts);
        if let Some(why) = &untracked {
            session.ui.note(&format!("mypy runs without incremental state, since {why}"), None);
        }
        let plugin_tree = self.sources.tree(&plugins.files)?;
        let named = if depends_on_named_files(&args, &texts) { files } else { &[] };
        let mypy = Mypy {
            python_version: python_version(session.config(), &args, constraints, &texts),
            incremental: untracked.is_none() && MypySettings::parse(session.config()).is_incremental,
            state_inputs: state_inputs(&texts, plugin_tree, named),
        };
        Ok((mypy, plugins))
    }

    /// The plugins that are part of the repository.
    fn plan_plugins(&mut self, scope: &str) -> Result<Plugins, Error> {
        if ToolSettings::parse(self.planner.config(), scope).source_plugins.is_empty() {
            return Ok(Plugins::default());
        }
        let graph = self.planner.session.load_graph()?;
        let roots = source_plugins(self.planner.session, scope)?;
        let closure = self.closures.compute(&roots, Follow::All);
        let wanted = requirements::collect(&graph, closure.requirements.iter().copied(), self.planner.config())?;
        let files = closure.files.iter().map(|file| (*file).clone()).collect();
        let source_roots = closure.source_roots.iter().map(|root| (*root).clone()).collect();
        Ok(Plugins { files, source_roots, wanted: Some(wanted) })
    }
}

fn read_settings(session: &Session, settings: &BTreeSet<RelPath>) -> Result<Vec<String>, Error> {
    let read = |file: &RelPath| {
        let fail = |source: std::io::Error| Error::Settings { path: file.as_str().into(), why: source.to_string() };
        let bytes = session.context.tracker.read(&file.to_path(session.build_root())).map_err(fail)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    settings.iter().map(read).collect()
}

/// The targets that `source_plugins` names, and what the generators among them generate.
pub(super) fn source_plugins(session: &mut Session, scope: &str) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let specs = ToolSettings::parse(session.config(), scope).source_plugins;
    let root = session.build_root().to_string_lossy().into_owned();
    let named = targets::select(&graph, &specs, &RelPath::root(), &root)?;
    let generated = named.iter().flat_map(|address| graph.generated_by(address)).cloned();
    Ok(named.iter().cloned().chain(generated).collect())
}

/// Plans the stubs that `[mypy] extra_type_stubs` asks for. The name under which `requirements_image` finds them, if any.
pub(super) fn pin_extra_stubs(
    planner: &mut Planner<'_>,
    tool: &Tool,
    constraints: &[String],
) -> Result<Option<String>, Error> {
    if tool.scope != MypySettings::SECTION {
        return Ok(None);
    }
    let settings = MypySettings::parse(planner.config());
    let mut stubs = BTreeSet::new();
    for text in &settings.extra_type_stubs {
        let fail =
            |source| requirements::Error::ToolRequirement { option: "`[mypy] extra_type_stubs`".to_owned(), source };
        stubs.insert(requirement::canonical(&requirement::parse(text).map_err(fail)?));
    }
    if stubs.is_empty() {
        return Ok(None);
    }
    planner.pin_packages(constraints, EXTRA_STUBS, settings.extra_type_stubs_lockfile.as_deref(), stubs)?;
    Ok(Some(EXTRA_STUBS.to_owned()))
}

/// The Python version to check for: the oldest that the constraints allow, unless arguments or settings name one, as in
/// Pants.
fn python_version(config: &Config, args: &[String], constraints: &[String], settings: &[String]) -> Option<String> {
    if settings.iter().any(|text| text.contains("python_version"))
        || args.iter().any(|word| word.starts_with("--python-version"))
    {
        return None;
    }
    let constraints = Constraints::parse(constraints).ok()?;
    let universe = PythonSettings::parse(config).interpreter_versions_universe.into_iter();
    let allows = |minor: &String| (0..=99).any(|patch| constraints.allows(&format!("{minor}.{patch}")));
    universe.filter(|minor| minor.starts_with("3.")).find(allows)
}

/// Why a run must not start from incremental state: a clause that follows "since".
fn why_untracked(args: &[String], scope: &str, settings: &[String]) -> Option<String> {
    let holds = |text: &str| settings.iter().any(|settings| settings.contains(text));
    if let Some(plugin) = UNTRACKED_PLUGINS.iter().find(|plugin| holds(plugin)) {
        return Some(format!("its plugin `{plugin}` depends on more than mypy looks at"));
    }
    let is_untracked = |word: &&String| {
        UNTRACKED_WORDS.iter().any(|untracked| match *untracked {
            "-report" => word.starts_with("--") && word.contains("-report"),
            "-O" => word.starts_with("-O"),
            untracked => word.starts_with(untracked),
        })
    };
    if let Some(word) = args.iter().find(is_untracked) {
        return Some(format!("`{word}` is in `[{scope}] args`"));
    }
    let lines = settings.iter().flat_map(|text| text.lines());
    let mut names = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let setting = names.find(|name| UNTRACKED_SETTINGS.iter().any(|untracked| name.ends_with(untracked)))?;
    Some(format!("its settings have `{setting}`"))
}

/// Whether findings in a file depend on which files are named as arguments. With `follow_imports = silent`, some versions
/// (1.19) repeat from their state what they found in a file that was named in an earlier run and is only imported in this
/// one; so such a state is used only for the same files.
fn depends_on_named_files(args: &[String], settings: &[String]) -> bool {
    settings.iter().any(|text| text.contains("follow_imports"))
        || args.iter().any(|word| word.starts_with("--follow-imports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mypy_checks_for_the_oldest_version_that_the_constraints_allow() {
        let check = |constraints: &[&str], args: &[&str], settings: &str, expected: Option<&str>| {
            let constraints: Vec<String> = constraints.iter().map(|text| text.to_string()).collect();
            let args: Vec<String> = args.iter().map(|text| text.to_string()).collect();
            let found = python_version(&Config::default(), &args, &constraints, &[settings.to_owned()]);
            assert_eq!(found.as_deref(), expected, "{constraints:?} {args:?} {settings}");
        };
        check(&["CPython>=3.9,<4"], &[], "", Some("3.9"));
        check(&["==3.12.*", "==3.11.*"], &[], "", Some("3.11"));
        check(&["CPython==3.13.7"], &[], "", Some("3.13"));
        check(&["CPython>=3.9"], &["--python-version=3.12"], "", None);
        check(&["CPython>=3.9"], &[], "[mypy]\npython_version = 3.10\n", None);
    }

    #[test]
    fn untracked_inputs_rule_out_incremental_state() {
        let check = |args: &[&str], settings: &str, expected: bool| {
            let args: Vec<String> = args.iter().map(|text| text.to_string()).collect();
            let why = why_untracked(&args, "mypy", &[settings.to_owned()]);
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
        let why = why_untracked(&[], "mypy", &[settings]);
        assert_eq!(why.as_deref(), Some("its settings have `linecount_report`"));
    }
}
