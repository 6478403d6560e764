//! Plans `pex_binary` targets: the entry point, and the arguments of Pex for the fields. What the program consists of is in
//! `program`.

use std::collections::BTreeMap;

use crate::base::{RelPath, sandbox_paths};
use crate::config::Config;
use crate::config::typed::{GlobalSettings, PexSettings};
use crate::inference::entry_point::parse_module;
use crate::plan::pex_run::{self, PexBuild};
use crate::prepare::interpreters::found;
use crate::prepare::package::program::{Error, ProgramRequest};
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::{self, Target};

/// Fields with a boolean value, the value for which Pex gets the argument, and the argument.
const SWITCHES: [(&str, bool, &str); 8] = [
    ("compress", false, "--no-compress"),
    ("ignore_errors", true, "--ignore-errors"),
    ("include_tools", true, "--include-tools"),
    ("sh_boot", true, "--sh-boot"),
    ("strip_pex_env", false, "--no-strip-pex-env"),
    ("validate_entry_point", true, "--validate-entry-point"),
    ("venv_hermetic_scripts", false, "--non-hermetic-venv-scripts"),
    ("venv_site_packages_copies", true, "--venv-site-packages-copies"),
];

/// Fields with a string as value, and the argument of Pex.
const WORDS: [(&str, &str); 3] =
    [("check", "--check"), ("inherit_path", "--inherit-path"), ("shebang", "--python-shebang")];

/// What runs when the program is started.
#[derive(Debug, Default, PartialEq, Eq)]
struct Main {
    /// `module` or `module:function`.
    entry_point: Option<String>,
    /// The name of a script.
    script: Option<String>,
    /// Arguments of Pex for everything else.
    args: Vec<String>,
}

impl PackagePlanner<'_> {
    pub(super) fn plan_pex(&mut self, planner: &mut Planner<'_>, target: &Target) -> Result<Package, PrepareError> {
        refuse_unsupported(target)?;
        let main = self.main(target)?;
        let layout = target.text("layout").unwrap_or("zipapp");
        let output = output_path(target, "pex")?;
        let request = ProgramRequest {
            target,
            include_sources: target.flag("include_sources").unwrap_or(true),
            include_requirements: target.flag("include_requirements").unwrap_or(true),
            platforms: self.target_platforms(planner, target)?,
            constraints: None,
            extra_sources: BTreeMap::new(),
        };
        let is_whole = request.include_sources && request.include_requirements;
        let program = self.plan_program(planner, &request)?;
        let Main { mut entry_point, mut script, mut args } = main;
        if !is_whole {
            // A part of a program need not contain what it starts with, which the step would look for.
            args.extend(entry_point.take().map(|entry_point| format!("--entry-point={entry_point}")));
            args.extend(script.take().map(|script| format!("--console-script={script}")));
        }
        args.extend(option_args(target, planner.config()));
        args.extend(["--layout".to_owned(), layout.to_owned()]);
        args.extend(target.strings("extra_build_args").into_iter().map(str::to_owned));
        let interpreter = found(&mut planner.interpreters, &program.constraints)?.venvs.interpreter.clone();
        let build = PexBuild {
            label: format!("package {}", target.address),
            program,
            entry_point,
            script,
            args,
            flatten: None,
            output: output.clone(),
        };
        let step = planner.add(pex_run::action(&interpreter, build));
        Ok(Package { directory: (layout != "zipapp").then_some(output), ..Package::of_step(step) })
    }

    /// What the fields `entry_point`, `script` and `executable` say, of which at most one may be set.
    fn main(&self, target: &Target) -> Result<Main, PrepareError> {
        let set = ["entry_point", "script", "executable"].into_iter();
        let set: Vec<_> = set.filter_map(|field| Some((field, target.text(field)?))).collect();
        match set[..] {
            [] | [("entry_point", "<none>")] => Ok(Main::default()),
            [("entry_point", written)] => {
                Ok(Main { entry_point: Some(self.entry_point(target, "entry_point", written)?), ..Main::default() })
            }
            [("script", written)] => Ok(Main { script: Some(written.to_owned()), ..Main::default() }),
            [(_, written)] => {
                let args = vec![format!("--executable={}", self.executable(target, written)?)];
                Ok(Main { args, ..Main::default() })
            }
            _ => Err(Error::SeveralEntryPoints { target: target.address.clone() }.into()),
        }
    }

    /// The path in the sandbox of the script that the field `executable` names. It must be among the sources.
    fn executable(&self, target: &Target, written: &str) -> Result<String, PrepareError> {
        let (address, path) = (&target.address, written.to_owned());
        let file = address.dir.resolve(written).ok().filter(|file| self.graph.files().contains(file));
        let missing = || Error::NoSuchFile { target: address.clone(), field: "executable", path };
        let file = file.ok_or_else(missing)?;
        if !self.packaged_files(address).contains(&&file) {
            return Err(Error::NotADependency { target: address.clone(), file }.into());
        }
        let below = self.roots.find_for_file(&file).and_then(|root| file.strip_prefix(&root));
        let no_root = || Error::NoSourceRoot { target: address.clone(), file };
        Ok(sandbox_paths::in_src(below.ok_or_else(no_root)?.as_str()))
    }

    /// The module and function of a field: `file.py:function` names a file below the directory of the target.
    pub(super) fn entry_point(
        &self,
        target: &Target,
        field: &'static str,
        written: &str,
    ) -> Result<String, PrepareError> {
        let (module, function) = match written.split_once(':') {
            Some((module, function)) => (module.trim(), Some(function.trim())),
            None => (written.trim(), None),
        };
        let invalid = |why: &str| {
            let (target, written) = (target.address.clone(), written.to_owned());
            Error::Invalid { target, field, written, why: why.to_owned() }
        };
        if module.is_empty() || function.is_some_and(str::is_empty) {
            return Err(invalid("expected `file.py`, `file.py:function`, `module` or `module:function`").into());
        }
        let parsed = parse_module(module, &target.address.dir, self.roots);
        let parsed = parsed.ok_or_else(|| invalid("the file is outside of the repository or has no source root"))?;
        if parsed.is_file {
            let file: RelPath = target.address.dir.resolve(module).map_err(|error| invalid(&error.to_string()))?;
            if !self.graph.files().contains(&file) {
                let path = file.to_string();
                return Err(Error::NoSuchFile { target: target.address.clone(), field, path }.into());
            }
        }
        Ok(match function {
            Some(function) => format!("{}:{function}", parsed.name),
            None => parsed.name,
        })
    }
}

/// The arguments of Pex for fields that need no more than the target.
fn option_args(target: &Target, config: &Config) -> Vec<String> {
    let settings = PexSettings::parse(config);
    // Before Pants 2.20, programs printed no warnings by default.
    let version = GlobalSettings::parse(config).pants_version;
    let default = settings.emit_warnings && targets::is_release_at_least(version.as_deref(), (2, 20));
    let emits = target.flag("emit_warnings").unwrap_or(default);
    let mut args = vec![if emits { "--emit-warnings" } else { "--no-emit-warnings" }.to_owned()];
    let is_on = |(field, value, _): &(&str, bool, &str)| target.flag(field) == Some(*value);
    args.extend(SWITCHES.into_iter().filter(is_on).map(|(_, _, arg)| arg.to_owned()));
    if target.text("execution_mode") == Some("venv") {
        args.extend(["--venv", "prepend"].map(str::to_owned));
    }
    args.extend(WORDS.into_iter().filter_map(|(field, arg)| Some(format!("{arg}={}", target.text(field)?))));
    // Pex splits each of these as a shell does.
    let quote = |text: &str| shlex::try_quote(text).map_or_else(|_| text.to_owned(), |quoted| quoted.into_owned());
    args.extend(target.strings("args").iter().map(|arg| format!("--inject-args={}", quote(arg))));
    args.extend(target.string_pairs("env").map(|(name, value)| format!("--inject-env={name}={value}")));
    args.extend(settings.global_args.iter().cloned());
    args
}

fn refuse_unsupported(target: &Target) -> Result<(), PrepareError> {
    let is_scie = |arg: &&str| arg.starts_with("--scie") || *arg == "--par" || arg.starts_with("--par=");
    if target.is_set("scie") || target.strings("extra_build_args").iter().any(is_scie) {
        return Err(Error::Scie { target: target.address.clone() }.into());
    }
    if target.is_set("uv_platforms") {
        let why = "name files with descriptions of the platforms in `complete_platforms`";
        return Err(Error::Unsupported { target: target.address.clone(), field: "uv_platforms", why }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Place;
    use crate::targets::{Address, Value};

    fn target(fields: &[(&str, Value)]) -> Target {
        Target {
            address: Address::new(&RelPath::root(), "bin"),
            kind: "pex_binary".to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            sources: Vec::new(),
            generator: None,
            build_file: RelPath::root(),
            place: Place::default(),
        }
    }

    fn text(value: &str) -> Value {
        Value::Str(value.to_owned())
    }

    fn list(values: &[&str]) -> Value {
        Value::List(values.iter().map(|value| text(value)).collect())
    }

    fn check(fields: &[(&str, Value)], expected: &[&str]) {
        let args = option_args(&target(fields), &Config::default());
        let args: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--emit-warnings").collect();
        assert_eq!(args, expected, "{fields:?}");
    }

    #[test]
    fn fields_become_arguments_of_pex() {
        let (yes, no) = (Value::Bool(true), Value::Bool(false));
        check(&[], &[]);
        check(&[("emit_warnings", no.clone())], &["--no-emit-warnings"]);
        check(&[("execution_mode", text("venv"))], &["--venv", "prepend"]);
        check(&[("execution_mode", text("zipapp")), ("compress", no.clone())], &["--no-compress"]);
        check(&[("sh_boot", yes.clone()), ("strip_pex_env", yes)], &["--sh-boot"]);
        check(&[("venv_hermetic_scripts", no)], &["--non-hermetic-venv-scripts"]);
        check(
            &[("check", text("error")), ("inherit_path", text("fallback"))],
            &["--check=error", "--inherit-path=fallback"],
        );
        check(&[("shebang", text("/usr/bin/env python3 -I"))], &["--python-shebang=/usr/bin/env python3 -I"]);
    }

    #[test]
    fn arguments_of_the_program_are_quoted_but_its_variables_are_not() {
        let env = Value::Dict(vec![(text("K"), text("v w"))]);
        let expected = ["--inject-args=--a", "--inject-args='b c'", "--inject-env=K=v w"];
        check(&[("args", list(&["--a", "b c"])), ("env", env)], &expected);
    }

    #[test]
    fn programs_before_pants_2_20_print_no_warnings_by_default() {
        let first = |version: &str, fields: &[(&str, Value)]| {
            let config = Config::of([("GLOBAL", "pants_version", serde_json::json!(version))]);
            option_args(&target(fields), &config)[0].clone()
        };
        assert_eq!(first("2.17.1", &[]), "--no-emit-warnings");
        assert_eq!(first("2.20.0", &[]), "--emit-warnings");
        assert_eq!(first("2.17.1", &[("emit_warnings", Value::Bool(true))]), "--emit-warnings");
    }

    #[test]
    fn programs_with_an_interpreter_are_refused() {
        let is_refused = |fields: &[(&str, Value)]| refuse_unsupported(&target(fields)).is_err();
        assert!(is_refused(&[("scie", text("lazy"))]));
        assert!(is_refused(&[("extra_build_args", list(&["--scie=eager"]))]));
        assert!(is_refused(&[("uv_platforms", list(&["x86_64-manylinux_2_28"]))]));
        assert!(!is_refused(&[("scie", Value::None), ("extra_build_args", list(&["--no-compress"]))]));
    }
}
