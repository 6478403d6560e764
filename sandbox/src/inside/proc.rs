//! `/proc`: the cell's own processes, and in place of what the kernel says about the host: made, constant files.
//!
//! Not `subset=pid`: that has no `/proc/cpuinfo` and nothing can be added to it, while libraries read such files at
//! import. So everything else at the top level is covered, whatever this kernel has there.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::mount::{attach_at, bind};
use super::root::Stage;
use crate::error::Doing;
use crate::kernel::lacks_namespaces;
use crate::{Error, sys};

const EMPTY_FILE: &str = ".empty";
const EMPTY_DIR: &str = ".none";

/// Tells only of the cell's own namespaces.
const OWN: [&str; 1] = ["sysvipc"];

const DIRS: [&str; 6] = ["sys", "sys/fs", "sys/kernel", "sys/net", "sys/net/core", "sys/vm"];
const FILES: [(&str, &str); 17] = [
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
    ("sys/net/core/somaxconn", "4096\n"),
    ("sys/vm/overcommit_memory", "0\n"),
    ("uptime", "1.00 1.00\n"),
    ("vmstat", "pswpin 0\npswpout 0\n"),
    ("version", "Linux version 6.1.0 (waders@waders) #1 SMP\n"),
];

const MEMORY: [(&str, u64); 14] = [
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

pub fn make(stage: &Stage, template: &Path) -> Result<(), Error> {
    let proc = stage.front.join("proc");
    fs::create_dir(&proc).doing("make `/proc`")?;
    let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;
    let mount = sys::new_mount(c"proc", &[(c"hidepid", Some(c"invisible"))], attributes)
        .map_err(|error| Error::Lacking(lacks_namespaces("mount a new `/proc`", error.into())))?;
    attach_at(&mount, &proc)?;
    cover(&template.join("proc"), &proc)
}

fn cover(made: &Path, proc: &Path) -> Result<(), Error> {
    let ours = fs::read_dir(made).and_then(|names| names.map(|entry| Ok(entry?.file_name())).collect());
    let ours: BTreeSet<OsString> = ours.doing("list the made files")?;
    for entry in fs::read_dir(proc).doing("list `/proc`")? {
        let entry = entry.doing("list `/proc`")?;
        let name = entry.file_name();
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if is_process || OWN.iter().any(|own| *own == name) {
            continue;
        }
        let kind = entry.file_type().doing("look into `/proc`")?;
        if kind.is_symlink() {
            continue;
        }
        let cover = match (ours.contains(&name), kind.is_dir()) {
            (true, _) => made.join(&name),
            (false, true) => made.join(EMPTY_DIR),
            (false, false) => made.join(EMPTY_FILE),
        };
        bind(&cover, &entry.path())?;
    }
    Ok(())
}

/// The made files, and what covers the rest.
pub fn write_template(template: &Path) -> Result<(), Error> {
    let made = template.join("proc");
    fs::create_dir(&made).doing("make a place for made files")?;
    let cpus = cpus();
    for name in DIRS {
        fs::create_dir(made.join(name)).doing_with(|| format!("make `/proc/{name}`"))?;
    }
    let write = |name: &str, text: &str| fs::write(made.join(name), text).doing_with(|| format!("make `/proc/{name}`"));
    for (name, text) in FILES {
        write(name, text)?;
    }
    write("cpuinfo", &cpuinfo(cpus))?;
    write("stat", &stat(cpus))?;
    write("meminfo", &MEMORY.map(|(name, kib)| format!("{:<16}{kib:>8} kB\n", format!("{name}:"))).concat())?;
    File::create(made.join(EMPTY_FILE)).doing("make an empty file")?;
    fs::create_dir(made.join(EMPTY_DIR)).doing("make an empty directory")
}

/// How many processors a step may use: its affinity tells anyway, so the made files agree with it.
fn cpus() -> usize {
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
    let each: String = (0..cpus).map(|cpu| format!("cpu{cpu} 0 0 0 100 0 0 0 0 0 0\n")).collect();
    format!(
        "cpu  0 0 0 {} 0 0 0 0 0 0\n{each}intr 0\nctxt 0\nbtime 315532800\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n",
        100 * cpus
    )
}
