//! Stores the read set of an audited step: converts the trace of the sandbox. The read set itself is in `audit`.

use waders_sandbox::{FileAccess, Trace, Uses};

use crate::action::{AuditRecord, Inputs};
use crate::audit::{Found, ReadSet, Socket, SocketOperation, Use};
use crate::base::sandbox_paths;
use crate::store::{Result, Store};

/// The links in the root of a sandbox, which lead to directories of `/usr`.
const LINKS: [&str; 6] = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"];

/// Stores the read set of a trace.
pub(in crate::engine) fn store(
    store: &Store,
    inputs: &Inputs,
    trace: Option<&Trace>,
) -> Result<Option<Box<AuditRecord>>> {
    let Some(trace) = trace else { return Ok(None) };
    let read_set = store.put(&read_set(inputs, trace).to_bytes())?;
    Ok(Some(Box::new(AuditRecord { read_set, disturbed: trace.interrupted > 0 })))
}

fn read_set(inputs: &Inputs, trace: &Trace) -> ReadSet {
    let mut set = ReadSet::new(inputs.root, inputs.images.clone());
    for (path, FileAccess { uses, found, real }) in &trace.files {
        let (uses, found) = (convert_uses(*uses), convert_found(*found));
        match real {
            Some(real) => {
                set.add(real, uses, found);
                // The link is an input of its own.
                if path.starts_with(sandbox_paths::SRC) {
                    set.add(path, [Use::Probed], found);
                }
            }
            None => set.add(&without_link(path), uses, found),
        }
    }
    let convert = |socket: &waders_sandbox::SocketAccess| Socket {
        operation: convert_operation(socket.operation),
        address: socket.address.clone(),
    };
    set.sockets = trace.sockets.iter().map(convert).collect();
    set.incomplete = trace.lost > 0;
    set
}

/// An absent path below a link of the root.
fn without_link(path: &str) -> String {
    let is_below = |link: &str| path.strip_prefix(link).is_some_and(|rest| rest.starts_with('/'));
    if LINKS.into_iter().any(is_below) { format!("/usr{path}") } else { path.to_owned() }
}

fn convert_uses(uses: Uses) -> Vec<Use> {
    let all = [
        (Uses::READ, Use::Read),
        (Uses::PROBED, Use::Probed),
        (Uses::EXECUTED, Use::Executed),
        (Uses::WRITTEN, Use::Written),
    ];
    all.into_iter().filter(|(flag, _)| uses.contains(*flag)).map(|(_, converted)| converted).collect()
}

fn convert_found(found: waders_sandbox::Found) -> Found {
    use waders_sandbox::Found as Seen;
    match found {
        Seen::File | Seen::Link | Seen::Other | Seen::Unknown => Found::File,
        Seen::Directory => Found::Directory,
        Seen::Absent => Found::Absent,
    }
}

fn convert_operation(operation: waders_sandbox::SocketOperation) -> SocketOperation {
    use waders_sandbox::SocketOperation as Seen;
    match operation {
        Seen::Create => SocketOperation::Create,
        Seen::Bind => SocketOperation::Bind,
        Seen::Connect => SocketOperation::Connect,
        Seen::Send => SocketOperation::Send,
    }
}
