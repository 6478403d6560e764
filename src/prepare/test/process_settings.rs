//! The settings of a test file's process, from options and the target's fields. Only files with equal settings may share a
//! process.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::typed::{PytestSettings, SandboxSettings, SubprocessEnvironmentSettings, TestSettings};
use crate::plan::environment;
use crate::prepare::{Error, services};
use crate::session::{Session, toolchains};
use crate::targets::Target;
use crate::tracked::Variables;

/// Variables that are set in every sandbox: the default of `[subprocess-environment] env_vars`.
const CONSTANT: [&str; 5] = ["LANG", "LC_CTYPE", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Everything in which the processes of test files may differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessSettings {
    pub constraints: Vec<String>,
    /// Environment variables that the user sets, by name.
    pub env: BTreeMap<String, String>,
    /// The number of xdist workers; `None` if it follows from the number of tests, which is not known here.
    pub workers: Option<u32>,
    /// Whether the target is tagged `requires-network`, which the settings must allow.
    pub network: bool,
    /// The services that the tests have, sorted.
    pub services: Vec<String>,
    /// Whether the result may be cached: the target is not tagged `no-cache`.
    pub keep: bool,
    resolve: Option<String>,
    environment: Option<String>,
}

/// The options that process settings depend on, parsed once for all targets.
pub(super) struct ProcessDefaults {
    pub test: TestSettings,
    /// Interpreter constraints of targets without their own.
    constraints: Vec<String>,
    /// The caller's environment.
    caller: Variables,
    /// The variables of every test.
    env: BTreeMap<String, String>,
    allow_network: bool,
    known_services: BTreeSet<String>,
    xdist_enabled: bool,
}

impl ProcessDefaults {
    /// Parses the options.
    pub(super) fn parse(session: &Session) -> ProcessDefaults {
        let (config, caller) = (session.config(), session.environment().vars.clone());
        let test = TestSettings::parse(config);
        // Variables that Pants passes by default, such as `LANG`, have a constant value in every sandbox.
        let mut of_all_steps = SubprocessEnvironmentSettings::parse(config).env_vars;
        of_all_steps.retain(|entry| !CONSTANT.contains(&entry.as_str()));
        let mut env = environment::requested(&of_all_steps, &caller);
        env.extend(environment::requested(&test.extra_env_vars, &caller));
        ProcessDefaults {
            test,
            constraints: toolchains::default_constraints(config),
            caller,
            env,
            allow_network: SandboxSettings::parse(config).allow_network,
            known_services: crate::services::names(config),
            xdist_enabled: PytestSettings::parse(config).xdist_enabled,
        }
    }
}

impl ProcessSettings {
    /// The settings for a target; an error if it has a tag that is not allowed.
    pub(super) fn parse(defaults: &ProcessDefaults, target: &Target) -> Result<ProcessSettings, Error> {
        let tags = target.strings("tags");
        let is_tagged = |tag: &str| tags.contains(&tag);
        let refuse = |tag| Err(Error::Tag { target: target.address.clone(), tag });
        if is_tagged("no-sandbox") {
            return refuse("no-sandbox");
        }
        if is_tagged("requires-network") && !defaults.allow_network {
            return refuse("requires-network");
        }
        Ok(ProcessSettings {
            constraints: constraints(defaults, target),
            env: env(defaults, target),
            workers: workers(defaults, target),
            network: is_tagged("requires-network"),
            services: services::of_target(&defaults.known_services, target)?,
            keep: !is_tagged("no-cache"),
            resolve: target.text("resolve").map(str::to_owned),
            environment: target.text("environment").map(str::to_owned),
        })
    }
}

fn constraints(defaults: &ProcessDefaults, target: &Target) -> Vec<String> {
    match &target.strings("interpreter_constraints")[..] {
        [] => defaults.constraints.clone(),
        own => own.iter().map(ToString::to_string).collect(),
    }
}

/// Variables of all steps, of all tests and of the target; later ones win.
fn env(defaults: &ProcessDefaults, target: &Target) -> BTreeMap<String, String> {
    let mut env = defaults.env.clone();
    env.extend(environment::requested(&target.strings("extra_env_vars"), &defaults.caller));
    env
}

/// The number of xdist workers; 0 in the target's field switches xdist off.
fn workers(defaults: &ProcessDefaults, target: &Target) -> Option<u32> {
    if !defaults.xdist_enabled || defaults.test.debug {
        return Some(0);
    }
    let count = target.number("xdist_concurrency")?;
    Some(u32::try_from(count).unwrap_or(0))
}
