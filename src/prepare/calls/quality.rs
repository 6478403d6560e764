//! The linters, fixers and formatters of the repository: targets of the type `code_quality_tool`, which a plugin in the repository
//! connects with a goal. The plugin is read, not run.

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::build_file::quality_tools::{QualityTool, quality_tools};
use crate::config::backends;
use crate::config::typed::GlobalSettings;
use crate::prepare::Error;
use crate::prepare::calls::EnabledCall;
use crate::prepare::calls::enabled::enabled_calls;
use crate::session::Session;
use crate::targets::dependencies::find_targets;
use crate::targets::{Address, Target};
use crate::tools::{Call, Kind, Tool};

/// The calls of these tools, in the order of the plugins.
fn quality_calls(session: &mut Session) -> Result<Vec<EnabledCall>, Error> {
    let declared = declared(session);
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    let graph = session.load_graph()?;
    let mut calls = Vec::new();
    for QualityTool { goal, target: written, name, scope } in declared {
        let unusable = || Error::QualityTool { name: name.clone(), target: written.clone() };
        let found = find_targets(&graph, &written, &RelPath::root()).map_err(|_| unusable())?;
        let [address] = &found[..] else { return Err(unusable()) };
        if graph.get(address).is_none_or(|target| target.kind != "code_quality_tool") {
            return Err(unusable());
        }
        let kind = match goal.as_str() {
            "lint" => "linter",
            "fmt" => "formatter",
            "fix" => "fixer",
            _ => return Err(unusable()),
        };
        calls.push(call(&name, &scope, kind, address));
    }
    Ok(calls)
}

/// The calls that a goal makes, those of the repository's own tools included.
pub fn enabled_in(session: &mut Session, goal: &str, kinds: &[Kind]) -> Result<Vec<EnabledCall>, Error> {
    let own = quality_calls(session)?;
    enabled_calls(session.config(), goal, kinds, own)
}

/// What the plugins of the repository declare.
fn declared(session: &Session) -> Vec<QualityTool> {
    let settings = GlobalSettings::parse(session.config());
    let plugins = settings.backend_packages.iter().filter(|backend| !backends::is_known(backend));
    let mut found = Vec::new();
    for plugin in plugins {
        for dir in &settings.plugin_dirs {
            let path = session.build_root().join(dir).join(plugin.replace('.', "/")).join("register.py");
            let name =
                path.strip_prefix(session.build_root()).ok().and_then(|path| RelPath::parse(path.to_str()?).ok());
            let text = session.context.tracker.read_to_string(&path);
            if let (Some(name), Ok(text)) = (name, text) {
                found.extend(quality_tools(&name, text));
                break;
            }
        }
    }
    found
}

fn call(name: &str, scope: &str, kind: &str, target: &Address) -> EnabledCall {
    let tool: Tool = toml::from_str("scope = \"\"").expect("a tool needs only a scope");
    let text = format!("name = \"\"\nkind = \"{kind}\"\nbackends = []\nargv = [\"{{files}}\"]\npartition = \"files\"");
    let call: Call = toml::from_str(&text).expect("these are all fields that a call needs");
    let only = if name == scope { Vec::new() } else { vec![scope.to_owned()] };
    EnabledCall {
        tool: Tool { scope: scope.to_owned(), ..tool },
        call: Call { name: name.to_owned(), only, finding_codes: vec![1], ..call },
        target: Some(target.clone()),
    }
}

/// The globs of the files that a tool works on, and of those that it leaves out.
pub(super) fn globs(target: &Target) -> Result<(Globs, Globs), Error> {
    let globs = |field| Globs::compile(target.strings(field)).map_err(Error::ToolGlobs);
    Ok((globs("file_glob_include")?, globs("file_glob_exclude")?))
}
