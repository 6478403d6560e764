//! The settings of a test file's process, from options and the target's fields. Only files with equal settings may share a
//! process.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::environment;
use crate::plan::test_run::Workers;
use crate::session::{Error, Session, toolchains};
use crate::targets::Target;

/// Variables that are set in every sandbox: the default of `[subprocess-environment] env_vars`.
const CONSTANT: [&str; 5] = ["LANG", "LC_CTYPE", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Everything in which the processes of test files may differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessSettings {
    pub constraints: Vec<String>,
    /// Environment variables that the user sets, by name.
    pub env: BTreeMap<String, String>,
    /// `Idle` has no limit yet: the number of tests is not known here.
    pub workers: Workers,
    /// Whether the target is tagged `requires-network`, which the settings must allow.
    pub network: bool,
    /// Whether the result may be cached: the target is not tagged `no-cache`.
    pub keep: bool,
    resolve: Option<String>,
    environment: Option<String>,
}

impl ProcessSettings {
    /// The settings for a target; an error if it has a tag that is not allowed.
    pub fn parse(session: &Session, target: &Target) -> Result<ProcessSettings, Error> {
        let tags = strings(target, "tags");
        let config = session.config();
        let is_tagged = |tag: &str| tags.iter().any(|own| own == tag);
        let refuse = |tag| Err(Error::Tag { target: target.address.clone(), tag });
        if is_tagged("no-sandbox") {
            return refuse("no-sandbox");
        }
        if is_tagged("requires-network") && !config.flag("sandbox", "allow_network") {
            return refuse("requires-network");
        }
        Ok(ProcessSettings {
            constraints: constraints(session, target),
            env: env(session, target),
            workers: workers(session, target),
            network: is_tagged("requires-network"),
            keep: !is_tagged("no-cache"),
            resolve: text(target, "resolve"),
            environment: text(target, "environment"),
        })
    }
}

/// The target's own timeout, or else the default, but never more than the maximum.
pub fn timeout(session: &Session, target: &Target) -> Option<Duration> {
    let config = session.config();
    if !config.value("test", "timeouts").as_bool().unwrap_or(true) {
        return None;
    }
    let own = target.fields.get("timeout").and_then(|value| value.as_int());
    let seconds = own.or_else(|| config.integer("test", "timeout_default"))?;
    let most = config.integer("test", "timeout_maximum").unwrap_or(i64::MAX);
    u64::try_from(seconds.min(most)).ok().map(Duration::from_secs)
}

/// How often a test is run until it passes, at least once.
pub fn attempts(session: &Session) -> u32 {
    let attempts = session.config().integer("test", "attempts_default");
    attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(1).max(1)
}

fn constraints(session: &Session, target: &Target) -> Vec<String> {
    let own = strings(target, "interpreter_constraints");
    if own.is_empty() { toolchains::default_constraints(session.config()) } else { own }
}

fn env(session: &Session, target: &Target) -> BTreeMap<String, String> {
    let caller = &session.environment().vars;
    // Variables that Pants passes by default, such as `LANG`, have a constant value in every sandbox.
    let of_all_steps = session.config().list("subprocess-environment", "env_vars");
    let of_all_steps: Vec<&str> = of_all_steps.into_iter().filter(|entry| !CONSTANT.contains(entry)).collect();
    let mut env = environment::requested(&of_all_steps, caller);
    env.extend(environment::requested(&session.config().list("test", "extra_env_vars"), caller));
    env.extend(environment::requested(&strings(target, "extra_env_vars"), caller));
    env
}

/// The number of xdist workers; 0 in the target's field switches xdist off.
fn workers(session: &Session, target: &Target) -> Workers {
    if !session.config().flag("pytest", "xdist_enabled") || session.config().flag("test", "debug") {
        return Workers::None;
    }
    match target.fields.get("xdist_concurrency").and_then(|value| value.as_int()) {
        None => Workers::Idle(usize::MAX),
        Some(count) => u32::try_from(count).ok().filter(|count| *count > 0).map_or(Workers::None, Workers::Exactly),
    }
}

fn strings(target: &Target, field: &str) -> Vec<String> {
    let strings = target.fields.get(field).map(|value| value.strings()).unwrap_or_default();
    strings.into_iter().map(str::to_owned).collect()
}

fn text(target: &Target, field: &str) -> Option<String> {
    target.fields.get(field).and_then(|value| value.as_str()).map(str::to_owned)
}
