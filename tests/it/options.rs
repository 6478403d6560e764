//! A walk over the option table: every option is read by the program, or declared without effect or unsupported with a reason,
//! and never both. An option that is parsed but whose field nobody uses counts as unread.

use std::collections::BTreeSet;
use std::path::Path;

use waders::config::table::unsupported::{Effect, effect};
use waders::config::typed::*;
use waders::config::{Config, Table};
use waders::{targets, tools};

#[test]
fn every_option_is_read_or_declared_without_effect_with_a_reason() {
    let read = read_options();
    let is_read = |scope: &str, option: &str| read.contains(&(scope.to_owned(), option.to_owned()));
    let mut wrong = Vec::new();
    for (section, row) in Table::get().rows() {
        let (scope, option) = (section.name, row.entry.name);
        match (effect(scope, option), is_read(scope, option)) {
            (Effect::Works, false) => wrong.push(format!("[{scope}] {option}: nothing reads it")),
            (Effect::Inert(_) | Effect::Unsupported(_), true) => {
                wrong.push(format!("[{scope}] {option}: it is read, but declared without effect"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} options:\n{}", wrong.len(), wrong.join("\n"));
}

/// The options that the program reads: those of typed settings, those that the descriptions of tools name, those of the rules of
/// `tailor`, and those that apply before typed settings exist.
fn read_options() -> BTreeSet<(String, String)> {
    let (config, log) = Config::recording();
    parse_sections(&config);
    for tool in tools::all() {
        ToolSettings::parse(&config, &tool.scope);
        for call in &tool.calls {
            ToolSettings::of_call(&config, &tool.scope, &call.option_prefix);
        }
        for option in tool.calls.iter().flat_map(|call| call.globs.iter().chain(&call.except_globs)) {
            config.list(&tool.scope, option);
        }
    }
    let mut read = log.lock().unwrap().clone();
    let rules = targets::missing::options().into_iter();
    read.extend(rules.chain(EARLY).map(|(scope, option)| (scope.to_owned(), option.to_owned())));
    read
}

/// The options that `config` and `cli` read while the configuration is loaded.
const EARLY: [(&str, &str); 9] = [
    ("GLOBAL", "pants_config_files"),
    ("GLOBAL", "pantsrc"),
    ("GLOBAL", "pantsrc_files"),
    ("GLOBAL", "profile"),
    ("GLOBAL", "pants_distdir"),
    ("GLOBAL", "pants_supportdir"),
    ("GLOBAL", "plugins"),
    ("GLOBAL", "verify_config"),
    ("cli", "alias"),
];

fn parse_sections(config: &Config) {
    GlobalSettings::parse(config);
    ChangedSettings::parse(config);
    FilterSettings::parse(config);
    SandboxSettings::parse(config);
    StoreSettings::parse(config);
    CacheSettings::parse(config).accepted();
    RemoteCacheSettings::parse(config);
    RemoteExecutionSettings::parse(config);
    SystemSettings::parse(config);
    ToolchainSettings::parse(config);
    ServicesSettings::parse(config);
    PythonSettings::parse(config);
    PythonInferSettings::parse(config);
    PythonReposSettings::parse(config);
    ProtobufSettings::parse(config);
    ThriftSettings::parse(config);
    PlatformResourcesSettings::parse(config);
    DockerSettings::parse(config);
    PublishSettings::parse(config);
    ReadingSettings::parse(config);
    ShellSetupSettings::parse(config);
    SourceSettings::parse(config);
    VisibilitySettings::parse(config);
    SubprocessEnvironmentSettings::parse(config);
    parse_goals(config);
    MypySettings::parse(config);
    PytestSettings::parse(config);
    CoverageSettings::parse(config);
    DoctorSettings::parse(config);
    RegexLintSettings::parse(config);
}

fn parse_goals(config: &Config) {
    for goal in ["lint", "fmt", "fix", "check"] {
        ToolGoalSettings::parse(config, goal).batch_size(None);
    }
    AffectedSettings::parse(config);
    for goal in [
        "affected",
        "list",
        "filter",
        "dependencies",
        "dependents",
        "paths",
        "peek",
        "filedeps",
        "roots",
        "count-loc",
        "graph",
        "py-constraints",
    ] {
        OutputSettings::parse(config, goal);
    }
    AttestSettings::parse(config);
    ExportSettings::parse(config);
    LintSettings::parse(config);
    FixSettings::parse(config);
    CheckSettings::parse(config);
    ListSettings::parse(config);
    LogGoalSettings::parse(config);
    PySettings::parse(config);
    ReplaySettings::parse(config);
    WhySettings::parse(config);
    ReplSettings::parse(config);
    RunSettings::parse(config);
    ShellSettings::parse(config);
    VerifySettings::parse(config);
    AuditSettings::parse(config);
    DependenciesSettings::parse(config);
    DependentsSettings::parse(config);
    FiledepsSettings::parse(config);
    PathsSettings::parse(config);
    PeekSettings::parse(config);
    CountLocSettings::parse(config);
    PyConstraintsSettings::parse(config);
    GraphSettings::parse(config);
    TailorSettings::parse(config);
    UpdateBuildFilesSettings::parse(config);
    GenerateLockfilesSettings::parse(config);
    LockfileSettings::parse(config);
    ResolveSettings::parse(config, "python-default");
    TestSettings::parse(config);
    PackageSettings::parse(config);
    SetupPySettings::parse(config);
    PexSettings::parse(config);
}

#[test]
fn every_field_of_typed_settings_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (typed, others): (Vec<_>, Vec<_>) =
        sources(&root).into_iter().partition(|path| path.starts_with(root.join("config/typed")));
    let read = |paths: Vec<_>| paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>();
    let (typed, others) = (read(typed), read(others));
    let names = |pattern: &str, text: &str| -> BTreeSet<String> {
        let pattern = regex::Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    // A field is used by name, in a pattern, or in a method of its own struct.
    let mut used = names(r"\.\s*(\w+)", &others);
    used.extend(names(r"(\w+)[,:} ]", &others));
    used.extend(names(r"self\.(\w+)", &typed));
    let unused: Vec<String> = names(r"(?m)^    pub (\w+): ", &typed).difference(&used).cloned().collect();
    assert!(unused.is_empty(), "nothing uses these fields: {unused:?}");
}

fn sources(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}
