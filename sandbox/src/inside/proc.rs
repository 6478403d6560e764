//! `/proc`: the container's own processes, and constant files in place of those that describe the host.
//!
//! Init belongs to the sandbox and not to the step, so `hidepid` hides it. Programs that follow their parent processes end
//! at `/proc/1` and expect to find it: it is a constant directory, too.
//!
//! The mount option `subset=pid` is not sufficient: it also hides files such as `/proc/cpuinfo`, which libraries read
//! at import. So every other entry at the top level is masked by a bind from the template, or by an empty file or
//! directory if the template has none.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::fcntl::{AT_FDCWD, OFlag, open, readlinkat};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::mount::{attach_at, bind};
use super::root::NewRoot;
use crate::error::Context;
use crate::kernel::unsupported_proc;
use crate::{Error, sys};

// Masks for entries that the template does not contain.
const EMPTY_FILE: &str = ".empty";
const EMPTY_DIR: &str = ".none";

/// Entries that show only the container's own namespaces.
const NAMESPACED: [&str; 1] = ["sysvipc"];

/// The process that is always there, and that no step is.
const INIT: &str = "1";

/// Directories and files of the template, relative to `/proc`; formats as in proc(5).
const DIRS: [&str; 8] = [INIT, "sys", "sys/fs", "sys/kernel", "sys/kernel/random", "sys/net", "sys/net/core", "sys/vm"];
const FILES: [(&str, &str); 24] = [
    ("1/cgroup", "0::/\n"),
    ("1/cmdline", "init\0"),
    ("1/comm", "init\n"),
    (
        "1/stat",
        "1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0 18446744073709551615 \
         0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
    ),
    ("1/statm", "0 0 0 0 0 0 0\n"),
    ("1/status", "Name:\tinit\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\nTracerPid:\t0\nThreads:\t1\n"),
    ("cmdline", "quiet\n"),
    ("filesystems", "nodev\tproc\nnodev\ttmpfs\nnodev\tdevpts\nnodev\toverlay\n\text4\n"),
    ("loadavg", "0.00 0.00 0.00 1/1 1\n"),
    ("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
    ("sys/fs/file-max", "1048576\n"),
    ("sys/fs/pipe-max-size", "1048576\n"),
    ("sys/kernel/cap_last_cap", "40\n"),
    ("sys/kernel/hostname", "waders\n"),
    ("sys/kernel/ngroups_max", "65536\n"),
    ("sys/kernel/osrelease", "6.1.0\n"),
    ("sys/kernel/ostype", "Linux\n"),
    ("sys/kernel/pid_max", "4194304\n"),
    // Libraries read it where `/etc/machine-id` is missing, as in most containers.
    ("sys/kernel/random/boot_id", "77616465-7273-4000-8000-000000000000\n"),
    ("sys/net/core/somaxconn", "4096\n"),
    ("sys/vm/overcommit_memory", "0\n"),
    ("uptime", "1000000.00 1000000.00\n"),
    ("vmstat", "pswpin 0\npswpout 0\n"),
    ("version", "Linux version 6.1.0 (waders@waders) #1 SMP\n"),
];

/// Lines of `/proc/meminfo`, in KiB.
const MEMORY_KIB: [(&str, u64); 14] = [
    ("MemTotal", 16_777_216),
    ("MemFree", 8_388_608),
    ("MemAvailable", 12_582_912),
    ("Buffers", 0),
    ("Cached", 4_194_304),
    ("SwapCached", 0),
    ("Active", 4_194_304),
    ("Inactive", 2_097_152),
    ("SwapTotal", 0),
    ("SwapFree", 0),
    ("Shmem", 0),
    ("Slab", 262_144),
    ("SReclaimable", 131_072),
    ("SUnreclaim", 131_072),
];

pub(super) fn mount(root: &NewRoot, template: &Path) -> Result<(), Error> {
    let proc = root.path.join("proc");
    fs::create_dir(&proc).context("create `/proc`")?;
    let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;
    let mount = sys::new_mount(c"proc", &[(c"hidepid", Some(c"invisible"))], attributes)
        .map_err(|error| Error::Unsupported(unsupported_proc(error.into())))?;
    attach_at(&mount, &proc)?;
    let own = open(&proc.join(INIT).join("fd"), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .context("open the descriptors of init")?;
    OWN_DESCRIPTORS.set(own).expect("a process makes one sandbox");
    mask(&template.join("proc"), &proc)
}

/// `/proc/self/fd` of init, which the constant directory covers.
static OWN_DESCRIPTORS: OnceLock<OwnedFd> = OnceLock::new();

/// The path of an open file of this process, without symbolic links.
pub(super) fn path_of(file: BorrowedFd<'_>) -> Option<PathBuf> {
    let number = file.as_raw_fd();
    let path = match OWN_DESCRIPTORS.get() {
        Some(own) => readlinkat(own.as_fd(), number.to_string().as_str()),
        None => readlinkat(AT_FDCWD, format!("/proc/self/fd/{number}").as_str()),
    };
    path.ok().map(PathBuf::from)
}

fn mask(constant: &Path, proc: &Path) -> Result<(), Error> {
    let names = fs::read_dir(constant).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let names: BTreeSet<OsString> = names.context("list the files of the template")?;
    for entry in fs::read_dir(proc).context("list `/proc`")? {
        let entry = entry.context("list `/proc`")?;
        let name = entry.file_name();
        let is_step = name != INIT && name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if is_step || NAMESPACED.iter().any(|namespaced| *namespaced == name) {
            continue;
        }
        let kind = entry.file_type().context("list `/proc`")?;
        if kind.is_symlink() {
            continue;
        }
        let mask = match (names.contains(&name), kind.is_dir()) {
            (true, _) => constant.join(&name),
            (false, true) => constant.join(EMPTY_DIR),
            (false, false) => constant.join(EMPTY_FILE),
        };
        bind(&mask, &entry.path())?;
    }
    Ok(())
}

/// Writes the constant files, and those that mask the other entries.
pub(super) fn write_template(template: &Path) -> Result<(), Error> {
    let constant = template.join("proc");
    fs::create_dir(&constant).context("create a directory for the constant files")?;
    let cpus = count_cpus();
    for name in DIRS {
        fs::create_dir(constant.join(name)).with_context(|| format!("write `/proc/{name}`"))?;
    }
    let write =
        |name: &str, text: &str| fs::write(constant.join(name), text).with_context(|| format!("write `/proc/{name}`"));
    for (name, text) in FILES {
        write(name, text)?;
    }
    write("cpuinfo", &cpuinfo(cpus))?;
    write("stat", &stat(cpus))?;
    write("meminfo", &MEMORY_KIB.map(|(name, kib)| format!("{:<16}{kib:>8} kB\n", format!("{name}:"))).concat())?;
    File::create(constant.join(EMPTY_FILE)).context("create an empty file")?;
    fs::create_dir(constant.join(EMPTY_DIR)).context("create an empty directory")
}

/// Returns the number of processors that a step may use. The step can read it from its CPU affinity anyway, so the
/// constant files agree with that.
fn count_cpus() -> usize {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).count().max(1)
}

fn cpuinfo(cpus: usize) -> String {
    let one = |cpu| {
        format!(
            "processor\t: {cpu}\nvendor_id\t: waders\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: waders\n\
             stepping\t: 0\ncpu MHz\t\t: 2000.000\ncache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: {cpus}\n\
             core id\t\t: {cpu}\ncpu cores\t: {cpus}\nflags\t\t: fpu sse sse2\n\n"
        )
    };
    (0..cpus).map(one).collect()
}

fn stat(cpus: usize) -> String {
    let per_cpu: String = (0..cpus).map(|cpu| format!("cpu{cpu} 0 0 0 100 0 0 0 0 0 0\n")).collect();
    format!(
        "cpu  0 0 0 {} 0 0 0 0 0 0\n{per_cpu}intr 0\nctxt 0\nbtime 315705600\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n",
        100 * cpus
    )
}
