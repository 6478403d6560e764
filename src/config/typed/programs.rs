//! `[run]`, `[repl]`, `[shell]`, `[audit]`, `[py]` and `[ipython]`: goals that run a program in the foreground.

use super::section::Section;
use crate::config::Config;

/// The section `[run]`.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Arguments of the program, those after `--` included.
    pub args: Vec<String>,
    /// Whether the program runs in a sandbox.
    pub sandbox: bool,
    /// The name of the console script of a distribution.
    pub console_script: Option<String>,
    /// Whether a debug adapter is requested.
    pub debug_adapter: bool,
    /// Whether the copy of the sources is removed afterwards.
    pub cleanup: bool,
    /// Whether sources are copied, for targets that do not set `run_goal_use_sandbox`: an option of the section `[python]`.
    pub copies_sources: bool,
    /// Whether a `pex_binary` runs from its sources rather than as a built file: an option of the section `[GLOBAL]`.
    pub pex_from_sources: bool,
}

impl RunSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> RunSettings {
        let section = Section::new(config, "run");
        RunSettings {
            args: section.texts("args"),
            sandbox: section.flag("sandbox"),
            console_script: section.filled("console_script"),
            debug_adapter: section.flag("debug_adapter"),
            cleanup: section.flag_or("cleanup", true),
            copies_sources: Section::new(config, "python").flag_or("default_run_goal_use_sandbox", true),
            pex_from_sources: Section::new(config, "GLOBAL").flag("use_deprecated_pex_binary_run_semantics"),
        }
    }
}

/// The section `[repl]`.
#[derive(Clone, Debug)]
pub struct ReplSettings {
    /// Whether IPython is started instead of Python.
    pub ipython: bool,
    /// Arguments of the interpreter, those after `--` included.
    pub args: Vec<String>,
    /// Whether the sources of the repository are imported rather than a copy of them.
    pub in_place: bool,
    /// Whether the history is saved: an option of the section `[python]`.
    pub history: bool,
    /// Whether IPython does not import from the current directory: an option of the section `[ipython]`.
    pub ignores_cwd: bool,
}

impl ReplSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ReplSettings {
        let section = Section::new(config, "repl");
        ReplSettings {
            ipython: section.word("shell") == Some("ipython"),
            args: section.texts("args"),
            in_place: section.flag("run_in_workspace"),
            history: Section::new(config, "python").flag_or("repl_history", true),
            ignores_cwd: Section::new(config, "ipython").flag_or("ignore_cwd", true),
        }
    }
}

/// The section `[shell]`.
#[derive(Clone, Debug)]
pub struct ShellSettings {
    /// The command to run instead of a shell; empty for a shell.
    pub command: Vec<String>,
    /// The goal whose step is meant, and after a colon perhaps the name of a tool.
    pub goal: Option<String>,
}

impl ShellSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ShellSettings {
        let section = Section::new(config, "shell");
        ShellSettings { command: section.texts("command"), goal: section.filled("goal") }
    }
}

/// The section `[log]`.
#[derive(Clone, Copy, Debug)]
pub struct LogGoalSettings {
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to list everything that is recorded.
    pub all: bool,
}

impl LogGoalSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> LogGoalSettings {
        let section = Section::new(config, "log");
        LogGoalSettings { json: section.flag("json"), all: section.flag("all") }
    }
}

/// The section `[why]`.
#[derive(Clone, Debug)]
pub struct WhySettings {
    /// Whether to print JSON.
    pub json: bool,
    /// Whether the first two arguments are runs to compare.
    pub runs: bool,
    /// A file with a run of another machine.
    pub against: Option<String>,
    /// A file that steps may get.
    pub input: Option<String>,
}

impl WhySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> WhySettings {
        let section = Section::new(config, "why");
        WhySettings {
            json: section.flag("json"),
            runs: section.flag("runs"),
            against: section.filled("against"),
            input: section.filled("input"),
        }
    }
}

/// The section `[replay]`.
#[derive(Clone, Debug)]
pub struct ReplaySettings {
    /// The file to which a bundle is written.
    pub create: Option<String>,
    /// Whether to open a shell instead of repeating the step.
    pub shell: bool,
    /// The command to run instead of a shell; empty for a shell.
    pub command: Vec<String>,
    /// Whether to print JSON.
    pub json: bool,
}

impl ReplaySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ReplaySettings {
        let section = Section::new(config, "replay");
        ReplaySettings {
            create: section.filled("create"),
            shell: section.flag("shell"),
            command: section.texts("command"),
            json: section.flag("json"),
        }
    }
}

/// The section `[audit]`.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The goals whose steps are audited; empty for all.
    pub goals: Vec<String>,
    /// Whether the report is printed as JSON.
    pub json: bool,
    /// The file for the HTML page.
    pub html: Option<String>,
    /// The file for SARIF.
    pub sarif: Option<String>,
    /// The directory for in-toto links.
    pub links: Option<String>,
    /// Whether every run records read sets.
    pub always: bool,
    /// Whether the leak tests run instead of an audit.
    pub probe: bool,
}

impl AuditSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> AuditSettings {
        let section = Section::new(config, "audit");
        AuditSettings {
            goals: section.texts("goals"),
            json: section.flag("json"),
            html: section.filled("html"),
            sarif: section.filled("sarif"),
            links: section.filled("links"),
            always: section.flag("always"),
            probe: section.flag("probe"),
        }
    }
}

/// The section `[doctor]`.
#[derive(Clone, Debug)]
pub struct DoctorSettings {
    /// Whether the checks are printed as JSON.
    pub json: bool,
}

impl DoctorSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> DoctorSettings {
        DoctorSettings { json: Section::new(config, "doctor").flag("json") }
    }
}

/// The section `[py]`.
#[derive(Clone, Debug)]
pub struct PySettings {
    /// Arguments of Python, the words after `py` included.
    pub args: Vec<String>,
    /// The resolve; `None` for the default.
    pub resolve: Option<String>,
}

impl PySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PySettings {
        let section = Section::new(config, "py");
        PySettings { args: section.texts("args"), resolve: section.filled("resolve") }
    }
}
