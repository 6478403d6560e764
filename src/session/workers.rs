//! The workers of a remote execution server, as the settings describe them. Whatever keeps steps from running there is a notice:
//! they then run on this machine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::typed::{LocalExecution, RemoteExecutionSettings};
use crate::engine::local::runner::LocalSettings;
use crate::engine::remote::execution::{
    ExecutionSettings, RemoteRunner, Servers, StepProgram, UnusableProgram, WorkerSummary,
};
use crate::engine::remote::{Connection, RemoteSettings, Secret};
use crate::engine::{LocalShare, Workers};
use crate::report;
use crate::session::Context;
use crate::session::remote::{self, Notice};
use crate::store::Store;

/// The name of the program that workers run.
const STEP_PROGRAM: &str = "waders-step";

/// The workers that run steps, and why none does if the settings ask for them.
#[derive(Default)]
pub(super) struct RemoteWorkers {
    /// Their runner.
    runner: Option<Arc<RemoteRunner>>,
    /// Why there is none.
    notice: Mutex<Option<Notice>>,
}

impl RemoteWorkers {
    /// Why steps ran on this machine, since this was last asked.
    pub(super) fn take_notice(&self) -> Option<Notice> {
        let notice = self.notice.lock().unwrap_or_else(PoisonError::into_inner).take();
        notice.or_else(|| self.runner.as_ref()?.take_notice())
    }

    /// What the workers ran.
    pub(super) fn summary(&self) -> Option<WorkerSummary> {
        Some(self.runner.as_ref()?.summary())
    }
}

/// The workers of the settings.
pub(super) fn open(context: &Context, store: &Arc<Store>, local: &LocalSettings) -> (RemoteWorkers, Option<Workers>) {
    let settings = RemoteExecutionSettings::parse(&context.config);
    let refuse = |why: String, hint: &str| {
        let notice = format!("steps run on this machine instead of remote workers: {why}");
        (RemoteWorkers { runner: None, notice: Mutex::new(Some((notice, Some(hint.to_owned())))) }, None)
    };
    if !settings.enabled {
        return (RemoteWorkers::default(), None);
    }
    if let Some(property) = settings.malformed_properties.first() {
        let why = format!("`{property}` is not a platform property");
        return refuse(why, "write each of `remote_execution_extra_platform_properties` as `name=value`");
    }
    let Some(servers) = servers(context, &settings) else {
        return refuse("no server is configured".to_owned(), "set `remote_execution_address`");
    };
    let program = match step_program(context, &settings)
        .map_err(Box::new)
        .and_then(|path| StepProgram::load(store, &path).map_err(Box::new))
    {
        Ok(program) => program,
        Err(error) => {
            let hint = "build it as docs/remote.md says, and put it beside `waders`, or set `[remote] step_program`";
            return refuse(crate::base::error_chain(&error), hint);
        }
    };
    let execution = ExecutionSettings {
        properties: settings.properties.clone(),
        priority: settings.priority,
        max_run: settings.max_run,
        max_queue: settings.max_queue,
    };
    let runner = Arc::new(RemoteRunner::new(store.clone(), servers, execution, local.clone(), program));
    let workers = Workers {
        runner: runner.clone(),
        parallelism: settings.parallelism,
        local_share: match settings.local {
            LocalExecution::Overflow => LocalShare::Overflow,
            LocalExecution::First => LocalShare::First,
            LocalExecution::Never => LocalShare::None,
        },
    };
    (RemoteWorkers { runner: Some(runner), notice: Mutex::default() }, Some(workers))
}

/// The servers, with one connection to each; `None` if none is configured.
fn servers(context: &Context, settings: &RemoteExecutionSettings) -> Option<Servers> {
    let with_headers = |address: &String| RemoteSettings {
        headers: Secret(settings.headers.clone()),
        ..remote::settings_for(context, address.clone())
    };
    let storage = remote::connection_settings(context);
    let servers = match &settings.address {
        Some(address) => storage_and_execution(storage, with_headers(address)),
        None => Servers::one(Arc::new(Connection::new(storage?))),
    };
    Some(match &settings.log_stream_address {
        Some(address) => Servers { log_streams: Arc::new(Connection::new(with_headers(address))), ..servers },
        None => servers,
    })
}

fn storage_and_execution(storage: Option<RemoteSettings>, execution: RemoteSettings) -> Servers {
    let is_other =
        |storage: &RemoteSettings| storage.address != execution.address || storage.headers != execution.headers;
    let storage = storage.filter(is_other).map(|storage| Arc::new(Connection::new(storage)));
    let execution = Arc::new(Connection::new(execution));
    Servers { storage: storage.unwrap_or_else(|| execution.clone()), ..Servers::one(execution) }
}

/// Renders `Remote execution: 12 steps, 18.2 MiB received, 3.10 MiB sent.`; `None` if no step ran on a worker.
pub(super) fn summary_line(summary: &WorkerSummary) -> Option<String> {
    let WorkerSummary { steps, received_bytes, sent_bytes } = *summary;
    let noun = if steps == 1 { "step" } else { "steps" };
    let (received, sent) = (report::size(received_bytes), report::size(sent_bytes));
    (steps > 0).then(|| format!("Remote execution: {steps} {noun}, {received} received, {sent} sent."))
}

/// The file of the program: as configured, else beside this program.
fn step_program(context: &Context, settings: &RemoteExecutionSettings) -> Result<PathBuf, UnusableProgram> {
    if let Some(path) = &settings.step_program {
        return Ok(context.build_root.join(context.environment.expand_home(path)));
    }
    let own = std::env::current_exe();
    let own = own.map_err(|source| UnusableProgram::Read { path: STEP_PROGRAM.into(), source })?;
    Ok(own.parent().unwrap_or(Path::new("/")).join(STEP_PROGRAM))
}
