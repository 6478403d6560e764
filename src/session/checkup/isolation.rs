//! The kernel: what the sandbox needs of it, and the limits that this process imposes on steps.

use std::path::Path;

use super::Check;
use crate::base::{ErrorKind, error_chain};
use crate::config::typed::SandboxSettings;
use crate::engine::local::machine::{self, Feature, FeatureState, MEMORY_LIMIT};
use crate::session::Session;
use crate::tracked::Tracker;

/// Fewer processes than this are not enough for a parallel run with its threads.
const FEW_PROCESSES: u64 = 512;

pub(super) fn check(session: &Session) -> Vec<Check> {
    let settings = SandboxSettings::parse(session.config());
    let mut checks = match machine::features() {
        Ok((release, features)) => {
            let kernel = Check::fine("kernel", format!("Linux {release}"));
            let features = features.into_iter().map(|feature| from_feature(feature, &settings));
            [kernel].into_iter().chain(features).collect()
        }
        Err(error) => {
            let advice = "the page `docs/sandbox.md` describes what a sandbox needs of the machine".to_owned();
            vec![Check::failed("sandbox", ErrorKind::Sandbox, error_chain(&error), Some(advice))]
        }
    };
    let limits = session.services.platform().limits;
    checks.push(limit("open files of a process", limits.open_files, settings.open_files, "nofile"));
    checks.push(limit("processes of a step", limits.processes, settings.processes, "nproc"));
    checks.extend(processes_of_group(&session.context.tracker));
    checks
}

fn from_feature(Feature { name, state, remedy }: Feature, settings: &SandboxSettings) -> Check {
    let is_needed = name == MEMORY_LIMIT && settings.memory_bytes.is_some();
    match (state, remedy) {
        (FeatureState::Present(detail), _) => {
            Check::fine(&name, if detail.is_empty() { "available".to_owned() } else { detail })
        }
        (FeatureState::Optional(reason), Some(remedy)) if is_needed => {
            Check::failed(&name, ErrorKind::Sandbox, format!("{reason}, and `[sandbox] memory` is set"), Some(remedy))
        }
        (FeatureState::Optional(reason), Some(remedy)) if name != MEMORY_LIMIT => Check::warning(&name, reason, remedy),
        (FeatureState::Optional(reason), _) => Check::fine(&name, format!("not used: {reason}")),
        (FeatureState::Missing(reason), remedy) => Check::failed(&name, ErrorKind::Sandbox, reason, remedy),
    }
}

/// Compares the limit that steps get with the one in the settings. `item` is the name in limits.conf(5).
fn limit(name: &str, enforced: u64, wanted: u64, item: &str) -> Check {
    if enforced >= wanted {
        return Check::fine(name, format!("at most {enforced}"));
    }
    let detail = format!("at most {enforced} because of the hard limit of this process; the settings allow {wanted}");
    let advice = format!(
        "raise the hard limit: a line `* hard {item} {wanted}` in `/etc/security/limits.conf`, `--ulimit` of a container engine, or \
         `ulimit -H` as root"
    );
    Check::warning(name, detail, advice)
}

/// The limit on processes that a container engine or a service manager imposes on this process and all others of its control group.
/// `None` if there is none that can be read.
fn processes_of_group(tracker: &Tracker) -> Option<Check> {
    let text = tracker.read_to_string(Path::new("/proc/self/cgroup")).ok()?;
    let own =
        text.lines().find_map(|line| line.strip_prefix("0::/").or(line.split_once(":pids:/").map(|(_, own)| own)))?;
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].map(Path::new);
    let limits = roots.iter().flat_map(|root| [root.join(own), root.to_path_buf()]);
    let most =
        limits.filter_map(|dir| tracker.read_to_string(&dir.join("pids.max")).ok()?.trim().parse().ok()).min()?;
    let name = "processes of the control group";
    Some(match most {
        0..FEW_PROCESSES => Check::warning(
            name,
            format!("at most {most}"),
            "allow more: `--pids-limit` of a container engine, or `TasksMax` of systemd",
        ),
        _ => Check::fine(name, format!("at most {most}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;
    use crate::config::Config;

    fn state(name: &str, state: FeatureState, memory: Option<u64>) -> (CheckState, Option<String>) {
        let settings = SandboxSettings { memory_bytes: memory, ..SandboxSettings::parse(&Config::default()) };
        let feature = Feature { name: name.to_owned(), state, remedy: Some("do it".to_owned()) };
        let check = from_feature(feature, &settings);
        (check.state, check.advice)
    }

    #[test]
    fn a_missing_feature_fails_with_its_remedy() {
        let advice = Some("do it".to_owned());
        let failed = CheckState::Failed(ErrorKind::Sandbox);
        assert_eq!(state("namespaces", FeatureState::Missing("no".to_owned()), None), (failed, advice.clone()));
        assert_eq!(state("Landlock", FeatureState::Optional("old".to_owned()), None), (CheckState::Warning, advice));
    }

    #[test]
    fn a_memory_limit_matters_only_if_it_is_set() {
        let missing = || FeatureState::Optional("no group".to_owned());
        assert_eq!(state(MEMORY_LIMIT, missing(), None), (CheckState::Fine, None));
        assert_eq!(state(MEMORY_LIMIT, missing(), Some(1)).0, CheckState::Failed(ErrorKind::Sandbox));
    }

    #[test]
    fn a_lower_hard_limit_is_a_warning() {
        assert_eq!(limit("open files", 64, 64, "nofile").state, CheckState::Fine);
        let low = limit("open files", 64, 4096, "nofile");
        assert!(low.state == CheckState::Warning && low.advice.unwrap().contains("hard nofile 4096"));
    }
}
