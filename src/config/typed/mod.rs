//! Typed settings: each section that the program reads, parsed once into a struct. Names of options stand only here and in
//! the option table. Values have the type that the table gives them; a word or number out of range counts as unset.

mod attest;
mod calls;
mod changed;
mod execution;
mod export;
mod global;
mod images;
mod locks;
mod machine;
mod package;
mod programs;
mod python;
mod queries;
mod remote_cache;
mod repository;
mod rewriting;
mod section;
mod services;
mod test;
mod tool;
mod verify;

pub use attest::{AttestOperation, AttestSettings, CacheSettings, SignerSettings, plain_settings};
pub use calls::{CheckSettings, FixSettings, LintSettings, RegexLintSettings, ToolGoalSettings};
pub use changed::{ChangedSettings, DependentsOfChanged, FilterSettings, GranularityChoice};
pub use execution::{LocalExecution, RemoteExecutionSettings};
pub use export::{ExportSettings, ResolveFormat};
pub use global::{GlobalSettings, KeepSandboxes, UnmatchedGlobs};
pub use images::{DockerSettings, Registry};
pub use locks::{GenerateLockfilesSettings, LockfileSettings};
pub use machine::{IsolationChoice, SandboxSettings, StoreSettings, SystemSettings, ToolchainSettings};
pub use package::{PackageSettings, PexSettings, PublishSettings, SetupPySettings, VersionScheme};
pub use programs::{
    AuditSettings, DoctorSettings, LogGoalSettings, PySettings, ReplSettings, ReplaySettings, RunSettings,
    ShellSettings, WhySettings,
};
pub use python::{
    InitFiles, InvalidLockfile, PlatformResourcesSettings, ProtobufSettings, PythonInferSettings, PythonReposSettings,
    PythonSettings, ResolveSettings, ThriftSettings, UnownedDependency,
};
pub use queries::{
    AffectedSettings, CountLocSettings, DependenciesSettings, DependentsSettings, FiledepsSettings, GraphFormat,
    GraphSettings, ListSettings, OutputSettings, PathsSettings, PeekSettings, PyConstraintsSettings,
};
pub use remote_cache::{ContentChoice, RemoteCacheSettings, RemoteCacheUse};
pub use repository::{
    BrokenFiles, ReadingSettings, ShellSetupSettings, SourceSettings, UnknownNames, VisibilitySettings,
};
pub use rewriting::{TailorSettings, UpdateBuildFilesSettings};
pub use services::{ContainerArguments, ContainerTable, Ready, ReadyWord, ServiceTable, ServicesSettings};
pub use test::{CoverageSettings, PytestSettings, SubprocessEnvironmentSettings, TestSettings};
pub use tool::{MypySettings, ToolSettings};
pub use verify::VerifySettings;
