//! What this machine can isolate, in the words of a report. How it is found out is in the sandbox.

use crate::engine::Error;

/// The name of the feature that only a limit on the memory of a whole step needs.
pub const MEMORY_LIMIT: &str = "memory limit of a whole step";

/// A feature of this machine that isolation needs or uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// A noun.
    pub name: String,
    /// The state of the feature.
    pub state: FeatureState,
    /// What the user can do if the feature is not in effect.
    pub remedy: Option<String>,
}

/// The state of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureState {
    /// It is in effect; a detail, which may be empty.
    Present(String),
    /// It is not in effect, and steps run without it: the reason.
    Optional(String),
    /// It is missing, and steps cannot run: the reason.
    Missing(String),
}

/// The kernel's release and the features of this machine, found by running a trial step.
///
/// # Errors
/// If the trial fails for another reason than a missing feature.
pub fn features() -> Result<(String, Vec<Feature>), Error> {
    let label = || "trial of the sandbox".to_owned();
    let kernel = waders_sandbox::probe().map_err(|source| Error::Sandbox { label: label(), source })?;
    let feature = |name: &str, state, remedy: Option<&str>| Feature {
        name: name.to_owned(),
        state,
        remedy: remedy.map(str::to_owned),
    };
    let needed = |name, found: &Result<(), waders_sandbox::Unsupported>| match found {
        Ok(()) => feature(name, FeatureState::Present(String::new()), None),
        Err(missing) => feature(name, FeatureState::Missing(missing.reason.clone()), Some(&missing.remedy)),
    };
    let landlock = match kernel.landlock_abi {
        0 => FeatureState::Missing("the kernel does not support Landlock, or does not enable it at boot".to_owned()),
        abi @ 1..6 => FeatureState::Optional(format!("ABI {abi}: sockets and signals are not covered before ABI 6")),
        abi => FeatureState::Present(format!("ABI {abi}")),
    };
    let memory = match &kernel.memory_limit {
        Ok(()) => (FeatureState::Present(String::new()), None),
        Err(missing) => (FeatureState::Optional(missing.reason.clone()), Some(missing.remedy.as_str())),
    };
    let user = match kernel.dedicated_user {
        true => FeatureState::Present("steps run as a user of their own".to_owned()),
        false => FeatureState::Optional("steps run as the caller, since only root can change the user".to_owned()),
    };
    let features = vec![
        needed("namespaces", &kernel.namespaces),
        feature("Landlock", landlock, Some(LANDLOCK_REMEDY)),
        needed("seccomp filters", &kernel.seccomp),
        feature(MEMORY_LIMIT, memory.0, memory.1),
        feature("separate user", user, None),
    ];
    Ok((kernel.release, features))
}

/// What the user can do without Landlock, or with an old version of it.
const LANDLOCK_REMEDY: &str =
    "boot Linux 6.12 or later with `landlock` in the boot parameter `lsm=`; Linux 5.13 has the first version";
