//! Plans cloud functions and layers: archives with sources and packages side by side, without Pex, for the platform of the
//! provider. What the program consists of is in `program`.

use std::collections::BTreeMap;

use uv_platform_tags::Arch;

use crate::base::RelPath;
use crate::packaging::platform::TargetPlatform;
use crate::plan::pex_run::{self, PexBuild};
use crate::prepare::interpreters::found;
use crate::prepare::package::program::{Error, ProgramRequest};
use crate::prepare::package::{Package, PackagePlanner, output_path};
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::Target;
use crate::toolchain::Constraints;

/// How a provider runs functions.
struct Provider {
    /// The module that contains the function `handler`, which calls the function of the target. `None` for layers.
    module: Option<&'static str>,
    /// The directory of everything in the archive.
    prefix: Option<&'static str>,
    /// The name of a runtime before the version of Python, and the text between major and minor version.
    runtime: (&'static str, &'static str),
    /// The glibc version of the provider's system for this minor version of Python 3.
    glibc: fn(u8) -> (u16, u16),
}

const AWS: Provider =
    Provider { module: Some("lambda_function"), prefix: None, runtime: ("python", "."), glibc: amazon_linux };
const AWS_LAYER: Provider = Provider { module: None, prefix: Some("python"), ..AWS };
const GOOGLE: Provider = Provider { module: Some("main"), prefix: None, runtime: ("python", ""), glibc: ubuntu };

/// Amazon Linux 2 up to Python 3.11, then Amazon Linux 2023.
fn amazon_linux(minor: u8) -> (u16, u16) {
    if minor < 12 { (2, 26) } else { (2, 34) }
}

/// Ubuntu 18.04 up to Python 3.10, then Ubuntu 22.04.
fn ubuntu(minor: u8) -> (u16, u16) {
    if minor < 11 { (2, 27) } else { (2, 35) }
}

impl PackagePlanner<'_> {
    pub(super) fn plan_function(
        &mut self,
        planner: &mut Planner<'_>,
        target: &Target,
    ) -> Result<Package, PrepareError> {
        let provider = match target.kind.as_str() {
            "python_aws_lambda_layer" => AWS_LAYER,
            "python_google_cloud_function" => GOOGLE,
            _ => AWS,
        };
        let layout = target.text("layout").unwrap_or("zip");
        let is_directory = layout == "flat";
        let output = output_path(target, if is_directory { "" } else { "zip" })?;
        let mut extra_sources = BTreeMap::new();
        let mut entry_point = None;
        if let Some(module) = provider.module {
            let handler = self.handler(target)?;
            let (from, function) = handler.split_once(':').unwrap_or((&handler, ""));
            let text = format!("from {from} import {function} as handler");
            extra_sources.insert(RelPath::parse(&format!("{module}.py"))?, text);
            entry_point = Some(handler);
        }
        let (platforms, constraints) = self.function_platforms(planner, target, &provider)?;
        let request = ProgramRequest {
            target,
            include_sources: target.flag("include_sources").unwrap_or(true),
            include_requirements: target.flag("include_requirements").unwrap_or(true),
            platforms,
            constraints,
            extra_sources,
        };
        let program = self.plan_program(planner, &request)?;
        let args = ["--layout", "packed"].into_iter().chain(target.strings("pex_build_extra_args"));
        let mut flatten = vec!["--layout", if is_directory { "flat" } else { "flat-zipped" }];
        flatten.extend(provider.prefix.into_iter().flat_map(|prefix| ["--prefix", prefix]));
        flatten.extend(target.strings("pex3_venv_create_extra_args"));
        let interpreter = found(&mut planner.interpreters, &program.constraints)?.venvs.interpreter.clone();
        let build = PexBuild {
            label: format!("package {}", target.address),
            program,
            entry_point: entry_point.filter(|_| request.include_requirements),
            script: None,
            args: args.map(str::to_owned).collect(),
            flatten: Some(flatten.into_iter().map(str::to_owned).collect()),
            output: output.clone(),
        };
        let step = planner.add(pex_run::action(&interpreter, build));
        Ok(Package { directory: is_directory.then_some(output), ..Package::of_step(step) })
    }

    /// The function to call, as `module:function`.
    fn handler(&self, target: &Target) -> Result<String, PrepareError> {
        let written = target.text("handler").unwrap_or_default();
        if !written.contains(':') {
            let (target, written) = (target.address.clone(), written.to_owned());
            let why = "expected `file.py:function` or `module:function`".to_owned();
            return Err(Error::Invalid { target, field: "handler", written, why }.into());
        }
        self.entry_point(target, "handler", written)
    }

    /// The platforms of the function, and the constraints for the interpreter that builds it, if they follow from the runtime.
    fn function_platforms(
        &self,
        planner: &Planner<'_>,
        target: &Target,
        provider: &Provider,
    ) -> Result<(Vec<TargetPlatform>, Option<Vec<String>>), PrepareError> {
        if target.is_set("complete_platforms") {
            return Ok((self.target_platforms(planner, target)?, None));
        }
        let minor = match target.text("runtime") {
            Some(runtime) => parse_runtime(runtime, provider).ok_or_else(|| Error::Invalid {
                target: target.address.clone(),
                field: "runtime",
                written: runtime.to_owned(),
                why: format!("expected a name such as `{}3{}12`", provider.runtime.0, provider.runtime.1),
            })?,
            None => self.only_minor(planner, target)?,
        };
        let arch = match target.text("architecture").unwrap_or("x86_64") {
            "arm64" => Arch::Aarch64,
            _ => Arch::X86_64,
        };
        let failed = |source| Error::Platform { target: target.address.clone(), named: format!("3.{minor}"), source };
        let platform = TargetPlatform::linux(minor, arch, (provider.glibc)(minor)).map_err(failed)?;
        Ok((vec![platform], Some(vec![format!("CPython==3.{minor}.*")])))
    }

    /// The minor version of Python 3 to which the interpreter constraints restrict the program.
    fn only_minor(&self, planner: &Planner<'_>, target: &Target) -> Result<u8, PrepareError> {
        let constraints = self.program_constraints(planner, target)?;
        let unclear = || {
            let why = format!("the interpreter constraints allow several versions: {}", constraints.join(" OR "));
            Error::Runtime { target: target.address.clone(), why }
        };
        Ok(single_minor(&constraints).ok_or_else(unclear)?)
    }
}

/// The minor version of a runtime such as `python3.12`.
fn parse_runtime(runtime: &str, provider: &Provider) -> Option<u8> {
    let (prefix, separator) = provider.runtime;
    runtime.strip_prefix(prefix)?.strip_prefix('3')?.strip_prefix(separator)?.parse().ok()
}

/// The minor version of Python 3 that all alternatives of the constraints require; `None` if they allow several.
fn single_minor(constraints: &[String]) -> Option<u8> {
    let constraints = Constraints::parse(constraints).ok()?;
    let allows = |minor: &u8| (0..=99).any(|patch| constraints.allows(&format!("3.{minor}.{patch}")));
    let mut allowed = (0..=40).filter(allows);
    allowed.next().filter(|_| allowed.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_parsed_as_their_provider_writes_them() {
        assert_eq!(parse_runtime("python3.12", &AWS), Some(12));
        assert_eq!(parse_runtime("python39", &GOOGLE), Some(9));
        for runtime in ["python", "python2.7", "nodejs18", "python312"] {
            assert_eq!(parse_runtime(runtime, &AWS), None, "{runtime}");
        }
    }

    #[test]
    fn a_function_has_the_minor_version_that_its_constraints_allow() {
        let check = |constraints: &[&str], expected| {
            let constraints: Vec<String> = constraints.iter().map(|one| one.to_string()).collect();
            assert_eq!(single_minor(&constraints), expected, "{constraints:?}");
        };
        check(&["CPython==3.11.*"], Some(11));
        check(&["CPython<3.12,>=3.11"], Some(11));
        check(&["CPython==3.11.4"], Some(11));
        check(&["CPython==3.11.*", "CPython>=3.11,<3.12"], Some(11));
        check(&["CPython>=3.9"], None);
        check(&["CPython==3.10.*", "CPython==3.11.*"], None);
        check(&[], None);
    }
}
