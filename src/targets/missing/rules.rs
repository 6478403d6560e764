//! Which files need which targets, as two tables: rules for one target per directory, and rules for one target per
//! file. Their evaluation is in the parent module.

use crate::base::glob::Globs;
use crate::config::Config;
use crate::config::typed::{GlobalSettings, ShellSetupSettings};
use crate::targets::kind::Kind;

/// One target for all matching files of a directory.
pub(super) struct DirRule {
    /// The target type.
    pub kind: &'static str,
    /// The name of the target. `None` means the name of the directory.
    pub name: Option<&'static str>,
    /// Globs of file names.
    pub files: FileGlobs,
    /// Section and name of the option that enables the rule.
    pub option: (&'static str, &'static str),
}

/// Globs of file names.
pub(super) enum FileGlobs {
    /// The default sources of the target type.
    DefaultSources,
    /// A fixed list.
    Fixed(&'static [&'static str]),
    /// The list option with this section and name.
    Setting(&'static str, &'static str),
}

/// The rules of one backend. GenerateFrom file counts for the first rule that matches it.
pub(super) struct RuleFamily {
    pub backends: &'static [&'static str],
    pub rules: &'static [DirRule],
}

pub(super) const FAMILIES: &[RuleFamily] = &[
    RuleFamily {
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
                files: FileGlobs::Fixed(&["*.py", "*.pyi"]),
                option: ("python", "tailor_source_targets"),
            },
        ],
    },
    RuleFamily {
        backends: &["pants.backend.shell"],
        rules: &[
            DirRule {
                kind: "shunit2_tests",
                name: Some("tests"),
                files: FileGlobs::DefaultSources,
                option: ("shell-setup", "tailor_shunit2_tests"),
            },
            DirRule {
                kind: "shell_sources",
                name: None,
                files: FileGlobs::Fixed(&["*.sh"]),
                option: ("shell-setup", "tailor_sources"),
            },
        ],
    },
    RuleFamily {
        backends: &["pants.backend.codegen.protobuf", "pants.backend.experimental.codegen.protobuf"],
        rules: &[DirRule {
            kind: "protobuf_sources",
            name: None,
            files: FileGlobs::DefaultSources,
            option: ("protoc", "tailor"),
        }],
    },
    RuleFamily {
        backends: &["pants.backend.codegen.thrift", "pants.backend.experimental.codegen.thrift"],
        rules: &[DirRule {
            kind: "thrift_sources",
            name: None,
            files: FileGlobs::DefaultSources,
            option: ("thrift", "tailor"),
        }],
    },
];

/// One target for each file whose name matches and whose content satisfies a rule.
pub(super) struct FileRule {
    /// The backends, one of which must be enabled.
    pub backends: &'static [&'static str],
    /// The target type.
    pub kind: &'static str,
    /// The name of the target.
    pub name: &'static str,
    /// A glob of the file's name.
    pub file: &'static str,
    /// Section and name of the option that enables the rule.
    pub option: (&'static str, &'static str),
    /// The condition on the file's content.
    pub content: ContentRule,
}

/// A condition on the content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentRule {
    /// No condition.
    Anything,
    /// Valid requirements. Invalid ones are reported as a warning.
    Requirements,
    /// Valid requirements, if the file contains this text.
    RequirementsWith(&'static str),
    /// At least one requirement in the format of PEP 621. Supported by Pants since 2.18.
    ProjectRequirements,
}

pub(super) const FILE_RULES: &[FileRule] = &[
    FileRule {
        backends: PYTHON,
        kind: "resource",
        name: "py_typed",
        file: "py.typed",
        option: ("python", "tailor_py_typed_targets"),
        content: ContentRule::Anything,
    },
    requirements("python_requirements", "reqs", "*requirements*.txt", ContentRule::Requirements),
    requirements("pipenv_requirements", "pipenv", "Pipfile.lock", ContentRule::Requirements),
    requirements("python_requirements", "reqs", "pyproject.toml", ContentRule::ProjectRequirements),
    requirements("poetry_requirements", "poetry", "pyproject.toml", ContentRule::RequirementsWith("[tool.poetry")),
    FileRule {
        backends: &["pants.backend.docker"],
        kind: "docker_image",
        name: "docker",
        file: "*Dockerfile*",
        option: ("docker", "tailor"),
        content: ContentRule::Anything,
    },
];

const fn requirements(kind: &'static str, name: &'static str, file: &'static str, content: ContentRule) -> FileRule {
    FileRule { backends: PYTHON, kind, name, file, option: ("python", "tailor_requirements_targets"), content }
}

/// The backends of Python.
pub const PYTHON: &[&str] = &["pants.backend.python", "pants.backend.experimental.python"];

/// Whether one of the backends, or one below it, is enabled. If `backend_packages` is empty, the backend of Python
/// counts as enabled.
pub fn is_backend_enabled(config: &Config, backends: &[&str]) -> bool {
    let enabled = GlobalSettings::parse(config).backend_packages;
    let below = |used: &str, backend: &str| {
        used.strip_prefix(backend).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match enabled.is_empty() {
        true => backends == PYTHON,
        false => enabled.iter().any(|used| backends.iter().any(|backend| below(used, backend))),
    }
}

impl DirRule {
    pub(super) fn is_wanted(&self, config: &Config) -> bool {
        // Before Pants 2.25, one option controlled all rules of the shell backend.
        config.flag(self.option.0, self.option.1)
            && (self.option.0 != ShellSetupSettings::SECTION || ShellSetupSettings::parse(config).tailor)
    }

    pub(super) fn globs(&self, config: &Config) -> Result<Globs, crate::base::glob::Error> {
        match &self.files {
            FileGlobs::DefaultSources => Globs::compile(default_sources(self.kind).iter().copied()),
            FileGlobs::Fixed(globs) => Globs::compile(globs.iter().copied()),
            FileGlobs::Setting(scope, option) => Globs::compile(config.list(scope, option)),
        }
    }
}

/// The options that the rules read, as section and name.
pub fn options() -> Vec<(&'static str, &'static str)> {
    let dir_rules = || FAMILIES.iter().flat_map(|family| family.rules);
    let globs = dir_rules().filter_map(|rule| match rule.files {
        FileGlobs::Setting(scope, option) => Some((scope, option)),
        _ => None,
    });
    let enabling = dir_rules().map(|rule| rule.option).chain(FILE_RULES.iter().map(|rule| rule.option));
    globs.chain(enabling).collect()
}

pub(super) fn default_sources(kind: &str) -> &'static [&'static str] {
    Kind::find(kind).map_or(&[], |kind| kind.default_sources)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_has_a_known_target_type_and_an_option() {
        let config = Config::default();
        let dir_rules = FAMILIES.iter().flat_map(|family| family.rules);
        let named = dir_rules.map(|rule| (rule.kind, rule.option));
        for (kind, (scope, option)) in named.chain(FILE_RULES.iter().map(|rule| (rule.kind, rule.option))) {
            assert!(Kind::find(kind).is_some(), "{kind}");
            assert!(config.flag(scope, option), "[{scope}] {option} is on unless set otherwise");
        }
    }

    #[test]
    fn a_backend_is_enabled_if_one_below_it_is() {
        let check = |used: &[&str], backend: &str, expected: bool| {
            let config = Config::of([("GLOBAL", "backend_packages", json!(used))]);
            assert_eq!(is_backend_enabled(&config, &[backend]), expected, "{used:?} {backend}");
        };
        check(&["pants.backend.codegen.protobuf.python"], "pants.backend.codegen.protobuf", true);
        check(&["pants.backend.shell.lint.shfmt"], "pants.backend.shell", true);
        check(&["pants.backend.shellfish"], "pants.backend.shell", false);
        assert!(
            is_backend_enabled(&Config::default(), PYTHON)
                && !is_backend_enabled(&Config::default(), &["pants.backend.shell"])
        );
    }
}
