//! `/dev`: six stateless devices of the host, and terminals and shared memory that belong to the container.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::mount::{attach_at, bind_recursive, bind_with_attributes, new_tmpfs};
use super::root::NewRoot;
use super::template::{chown_tree, set_attributes};
use crate::error::Context;
use crate::{Error, sys};

const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];
const TEMPLATE_BYTES: u64 = 1 << 20;
const TEMPLATE_INODES: u64 = 64;
const SHARED_MEMORY_BYTES: u64 = 1 << 30;
const SHARED_MEMORY_INODES: u64 = 65_536;

/// Writes devices and links, which contain nothing of a step.
pub(super) fn write_template(template: &Path, owner: u32) -> Result<(), Error> {
    let dev = template.join("dev");
    fs::create_dir(&dev).context("create `/dev`")?;
    attach_at(&new_tmpfs(TEMPLATE_BYTES, TEMPLATE_INODES, "0755")?, &dev)?;
    for name in DEVICES {
        File::create(dev.join(name)).with_context(|| format!("create `/dev/{name}`"))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).with_context(|| format!("link `/dev/{name}`"))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name)).with_context(|| format!("create `/dev/{name}`"))?;
    }
    // Before the host's devices are bound, whose owner must not change.
    chown_tree(&dev, owner).context("give `/dev` to the step's user")?;
    for name in DEVICES {
        let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
        bind_with_attributes(&Path::new("/dev").join(name), &dev.join(name), attributes)?;
    }
    set_attributes(&dev, sys::MOUNT_ATTR_RDONLY)
}

/// Mounts the template's devices, and new terminals and shared memory.
pub(super) fn mount(root: &NewRoot, template: &Path) -> Result<(), Error> {
    let dev = root.path.join("dev");
    fs::create_dir(&dev).context("create `/dev`")?;
    bind_recursive(&template.join("dev"), &dev)?;
    attach_at(&new_tmpfs(SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES, "1777")?, &dev.join("shm"))?;
    let options = [(c"mode", Some(c"620")), (c"ptmxmode", Some(c"666"))];
    let attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
    let pts = sys::new_mount(c"devpts", &options, attributes).context("create a file system for terminals")?;
    attach_at(&pts, &dev.join("pts"))
}
