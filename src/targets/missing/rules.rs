//! Which files call for which targets, as two tables: directories that get one target for all their files of a kind,
//! and files that get a target each.

use crate::base::glob::Globs;
use crate::config::Config;
use crate::config::typed::{GlobalSettings, ShellSetupSettings};
use crate::targets::kind::Kind;

/// A directory with files of this kind gets one target for them.
pub struct DirRule {
    pub kind: &'static str,
    /// None: the directory's own name.
    pub name: Option<&'static str>,
    pub files: FileGlobs,
    pub option: (&'static str, &'static str),
}

pub enum FileGlobs {
    /// The default sources of the kind.
    OfKind,
    These(&'static [&'static str]),
    /// A list among the settings.
    Setting(&'static str, &'static str),
}

/// Rules of one backend: of those that match a file, the first has it.
pub struct Family {
    pub backends: &'static [&'static str],
    pub rules: &'static [DirRule],
}

pub const FAMILIES: &[Family] = &[
    Family {
        backends: PYTHON,
        rules: &[
            DirRule {
                kind: "python_tests",
                name: Some("tests"),
                files: FileGlobs::Setting("python", "tailor_test_file_globs"),
                option: ("python", "tailor_source_targets"),
            },
            DirRule {
                kind: "python_test_utils",
                name: Some("test_utils"),
                files: FileGlobs::Setting("python", "tailor_testutils_file_globs"),
                option: ("python", "tailor_source_targets"),
            },
            DirRule {
                kind: "python_sources",
                name: None,
                files: FileGlobs::These(&["*.py", "*.pyi"]),
                option: ("python", "tailor_source_targets"),
            },
        ],
    },
    Family {
        backends: &["pants.backend.shell"],
        rules: &[
            DirRule {
                kind: "shunit2_tests",
                name: Some("tests"),
                files: FileGlobs::OfKind,
                option: ("shell-setup", "tailor_shunit2_tests"),
            },
            DirRule {
                kind: "shell_sources",
                name: None,
                files: FileGlobs::These(&["*.sh"]),
                option: ("shell-setup", "tailor_sources"),
            },
        ],
    },
    Family {
        backends: &["pants.backend.codegen.protobuf", "pants.backend.experimental.codegen.protobuf"],
        rules: &[DirRule {
            kind: "protobuf_sources",
            name: None,
            files: FileGlobs::OfKind,
            option: ("protoc", "tailor"),
        }],
    },
    Family {
        backends: &["pants.backend.codegen.thrift", "pants.backend.experimental.codegen.thrift"],
        rules: &[DirRule {
            kind: "thrift_sources",
            name: None,
            files: FileGlobs::OfKind,
            option: ("thrift", "tailor"),
        }],
    },
];

/// Each file of such a name gets a target, if what it holds is fit.
pub struct FileRule {
    pub backends: &'static [&'static str],
    pub kind: &'static str,
    pub name: &'static str,
    pub file: &'static str,
    pub option: (&'static str, &'static str),
    pub fit: Fit,
}

/// What a file must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Anything,
    /// Requirements that can be read; others are warned about.
    Requirements,
    /// Requirements, if it mentions this at all.
    RequirementsWith(&'static str),
    /// At least one requirement, as PEP 621 writes them. Pants has it since 2.18.
    ProjectRequirements,
}

pub const FILE_RULES: &[FileRule] = &[
    FileRule {
        backends: PYTHON,
        kind: "resource",
        name: "py_typed",
        file: "py.typed",
        option: ("python", "tailor_py_typed_targets"),
        fit: Fit::Anything,
    },
    requirements("python_requirements", "reqs", "*requirements*.txt", Fit::Requirements),
    requirements("pipenv_requirements", "pipenv", "Pipfile.lock", Fit::Requirements),
    requirements("python_requirements", "reqs", "pyproject.toml", Fit::ProjectRequirements),
    requirements("poetry_requirements", "poetry", "pyproject.toml", Fit::RequirementsWith("[tool.poetry")),
    FileRule {
        backends: &["pants.backend.docker"],
        kind: "docker_image",
        name: "docker",
        file: "*Dockerfile*",
        option: ("docker", "tailor"),
        fit: Fit::Anything,
    },
];

const fn requirements(kind: &'static str, name: &'static str, file: &'static str, fit: Fit) -> FileRule {
    FileRule { backends: PYTHON, kind, name, file, option: ("python", "tailor_requirements_targets"), fit }
}

pub const PYTHON: &[&str] = &["pants.backend.python", "pants.backend.experimental.python"];

/// Whether a backend is in use, or one below it. Python is where no backend is named.
pub fn is_in_use(config: &Config, backends: &[&str]) -> bool {
    let in_use = GlobalSettings::parse(config).backend_packages;
    let below = |used: &str, backend: &str| {
        used.strip_prefix(backend).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match in_use.is_empty() {
        true => backends == PYTHON,
        false => in_use.iter().any(|used| backends.iter().any(|backend| below(used, backend))),
    }
}

impl DirRule {
    pub fn is_wanted(&self, config: &Config) -> bool {
        // Before Pants 2.25 one option spoke for all of shell.
        config.flag(self.option.0, self.option.1)
            && (self.option.0 != ShellSetupSettings::SECTION || ShellSetupSettings::parse(config).tailor)
    }

    pub fn globs(&self, config: &Config) -> Result<Globs, crate::base::glob::Error> {
        match &self.files {
            FileGlobs::OfKind => Globs::compile(default_sources(self.kind).iter().copied()),
            FileGlobs::These(globs) => Globs::compile(globs.iter().copied()),
            FileGlobs::Setting(scope, option) => Globs::compile(config.list(scope, option)),
        }
    }
}

pub fn default_sources(kind: &str) -> &'static [&'static str] {
    Kind::of(kind).map_or(&[], |kind| kind.default_sources)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_names_a_known_kind_and_an_option() {
        let config = Config::default();
        let dir_rules = FAMILIES.iter().flat_map(|family| family.rules);
        let named = dir_rules.map(|rule| (rule.kind, rule.option));
        for (kind, (scope, option)) in named.chain(FILE_RULES.iter().map(|rule| (rule.kind, rule.option))) {
            assert!(Kind::of(kind).is_some(), "{kind}");
            assert!(config.flag(scope, option), "[{scope}] {option} is on unless set otherwise");
        }
    }

    #[test]
    fn a_backend_is_in_use_when_one_below_it_is() {
        let check = |used: &[&str], backend: &str, expected: bool| {
            let config = Config::of([("GLOBAL", "backend_packages", json!(used))]);
            assert_eq!(is_in_use(&config, &[backend]), expected, "{used:?} {backend}");
        };
        check(&["pants.backend.codegen.protobuf.python"], "pants.backend.codegen.protobuf", true);
        check(&["pants.backend.shell.lint.shfmt"], "pants.backend.shell", true);
        check(&["pants.backend.shellfish"], "pants.backend.shell", false);
        assert!(is_in_use(&Config::default(), PYTHON) && !is_in_use(&Config::default(), &["pants.backend.shell"]));
    }
}
