//! `/dev`: six devices of the host that hold no state of it, own terminals, own shared memory.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::mount::{attach_at, bind_with, tmpfs};
use super::root::Stage;
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

pub fn make(stage: &Stage) -> Result<(), Error> {
    let dev = stage.front.join("dev");
    fs::create_dir(&dev).doing("make `/dev`")?;
    attach_at(&tmpfs(1 << 20, 64, "0755")?, &dev)?;
    for name in DEVICES {
        let at = dev.join(name);
        File::create(&at).doing_with(|| format!("make `/dev/{name}`"))?;
        bind_with(&Path::new("/dev").join(name), &at, sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC)?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).doing_with(|| format!("link `/dev/{name}`"))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name)).doing_with(|| format!("make `/dev/{name}`"))?;
    }
    attach_at(&tmpfs(SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES, "1777")?, &dev.join("shm"))?;
    let options = [(c"mode", Some(c"620")), (c"ptmxmode", Some(c"666"))];
    let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
    let pts = sys::new_mount(c"devpts", &options, attributes).doing("make a terminal file system")?;
    attach_at(&pts, &dev.join("pts"))?;
    let mount = open(&dev, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).doing("open `/dev`")?;
    sys::mount_setattr(mount.as_fd(), sys::MOUNT_ATTR_RDONLY, None, false).doing("make `/dev` read-only")
}
