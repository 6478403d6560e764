//! `/dev`: six devices of the host that hold no state of it, own terminals, own shared memory.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::mount::{attach_at, bind_all, bind_with, tmpfs};
use super::root::Stage;
use super::template::{give, restrict};
use crate::error::Doing;
use crate::{Error, sys};

const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];
const SHARED_MEMORY_BYTES: u64 = 1 << 30;
const SHARED_MEMORY_INODES: u64 = 65_536;

/// The devices and links, which hold nothing of a step.
pub fn write_template(template: &Path, owner: u32) -> Result<(), Error> {
    let dev = template.join("dev");
    fs::create_dir(&dev).doing("make `/dev`")?;
    attach_at(&tmpfs(1 << 20, 64, "0755")?, &dev)?;
    for name in DEVICES {
        File::create(dev.join(name)).doing_with(|| format!("make `/dev/{name}`"))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).doing_with(|| format!("link `/dev/{name}`"))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name)).doing_with(|| format!("make `/dev/{name}`"))?;
    }
    // Before the host's devices are there: theirs is not ours to give.
    give(&dev, owner).doing("give `/dev` to the step's user")?;
    for name in DEVICES {
        let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
        bind_with(&Path::new("/dev").join(name), &dev.join(name), attributes)?;
    }
    restrict(&dev, sys::MOUNT_ATTR_RDONLY)
}

/// The template's devices, with terminals and shared memory of the cell's own.
pub fn make(stage: &Stage, template: &Path) -> Result<(), Error> {
    let dev = stage.front.join("dev");
    fs::create_dir(&dev).doing("make `/dev`")?;
    bind_all(&template.join("dev"), &dev)?;
    attach_at(&tmpfs(SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES, "1777")?, &dev.join("shm"))?;
    let options = [(c"mode", Some(c"620")), (c"ptmxmode", Some(c"666"))];
    let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
    let pts = sys::new_mount(c"devpts", &options, attributes).doing("make a terminal file system")?;
    attach_at(&pts, &dev.join("pts"))
}
