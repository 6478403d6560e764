//! The options of remote execution. Those in `[GLOBAL]` have the names of Pants.

use super::entry::{Entry, Scope, choice, dict, global, integer, off, subsystem, text, texts};

/// The options of remote execution.
pub(super) const SCOPES: &[Scope] = &[
    global("", GLOBAL),
    subsystem("remote", "The servers of the Remote Execution API that this repository uses.", REMOTE),
];

const GLOBAL: &[Entry] = &[
    off(
        "remote_execution",
        "Run the steps of `test`, `lint`, `check`, `fmt` and `package` on the workers of `remote_execution_address`, in the same \
         sandbox as on this machine.",
    ),
    text(
        "remote_execution_address",
        "The server that executes steps, as `grpc://host:port` or `grpcs://host:port`. The default is `remote_store_address`.",
    ),
    dict("remote_execution_headers", "Headers for each call to `remote_execution_address`."),
    integer(
        "remote_execution_overall_deadline_secs",
        "3600",
        "The time in seconds that a step may run on a worker. Waiting for a worker does not count.",
    ),
    texts(
        "remote_execution_extra_platform_properties",
        "The platform properties by which the server selects workers, each as `name=value`.",
    ),
    integer(
        "process_execution_remote_parallelism",
        "128",
        "The maximum number of steps that run on workers at the same time.",
    ),
];

const REMOTE: &[Entry] = &[
    text(
        "step_program",
        "The static program `waders-step` that workers run. The default is the file of this name beside the program `waders`.",
    ),
    text(
        "log_stream_address",
        "The server from which `--stream-output` reads what running steps print. The default is `remote_execution_address`.",
    ),
    choice(
        "local_execution",
        &["overflow", "first", "never"],
        "\"overflow\"",
        "Which steps that workers can run are run on this machine: those for which only this machine has a free slot \
         (`overflow`), all for which it has one (`first`), or only those that no worker could run (`never`).",
    ),
    integer("priority", "0", "The priority of steps among those of other clients. A smaller number is more urgent."),
    integer(
        "max_queue_secs",
        "300",
        "The time in seconds that a step may wait for a worker before it runs on this machine. It begins again whenever a step of \
         the run starts or ends on a worker.",
    ),
];
