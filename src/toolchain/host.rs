//! The provider `host`: an interpreter of this machine, copied file by file together with the libraries that are missing in
//! the system tree. It is not portable, since a copy made on another machine differs. The interpreter is never executed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use regex::bytes::{NoExpand, Regex};

use super::libraries::{self, Libraries};
use super::{Error, elf, prefix};
use crate::base::{Digest, RelPath};
use crate::store::{Batch, Node, Store, Tree};

/// The directories that this machine's loader searches (ld.so(8)), and `/usr/local/lib` for libraries built locally.
const LIBRARY_DIRS: [&str; 7] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
];

/// Where to search for interpreters.
#[derive(Clone, Debug, Default)]
pub struct HostSettings {
    /// Directories with a prefix for each version, such as `~/.pyenv/versions`.
    pub versions_dirs: Vec<PathBuf>,
    /// The entries of `PATH`.
    pub path: Vec<PathBuf>,
}

/// An interpreter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The full version, such as `3.12.1`.
    pub version: String,
    /// The installation directory, which contains `bin` and `lib`.
    pub prefix: PathBuf,
}

impl Interpreter {
    /// The absolute path of the program.
    pub fn program(&self) -> PathBuf {
        self.prefix.join(format!("bin/python{}", prefix::minor_version(&self.version)))
    }
}

/// Finds the interpreters of this machine, first in `versions_dirs`, then in `path`. If several have the same version, the
/// first is returned.
pub fn find_interpreters(settings: &HostSettings) -> Vec<Interpreter> {
    let versions = settings.versions_dirs.iter().flat_map(|dir| sorted_entries(dir));
    let dirs = versions.map(|prefix| prefix.join("bin")).chain(settings.path.iter().cloned());
    let mut found: Vec<Interpreter> = Vec::new();
    for binary in dirs.flat_map(|dir| sorted_entries(&dir)) {
        let Some(interpreter) = interpreter(&binary) else { continue };
        if !found.iter().any(|other| other.version == interpreter.version) {
            found.push(interpreter);
        }
    }
    found
}

/// Finds the interpreters of one minor version, such as `3.12`. Unlike [`find_interpreters`], reads no others.
pub fn find_minor(settings: &HostSettings, minor: &str) -> Vec<Interpreter> {
    let versions = settings.versions_dirs.iter().flat_map(|dir| sorted_entries(dir));
    let dirs = versions.map(|prefix| prefix.join("bin")).chain(settings.path.iter().cloned());
    let mut found: Vec<Interpreter> = Vec::new();
    for interpreter in dirs.filter_map(|dir| interpreter(&dir.join(format!("python{minor}")))) {
        if !found.contains(&interpreter) {
            found.push(interpreter);
        }
    }
    found
}

/// Stores a tree with the interpreter's prefix at `toolchain/python<minor>` and the missing libraries below `usr/lib`, and
/// returns its digest. `system` is the system tree.
pub fn copy(store: &Store, interpreter: &Interpreter, system: Digest) -> Result<Digest, Error> {
    let minor = prefix::minor_version(&interpreter.version);
    let mount_point = prefix::mount_point(minor);
    let batch = store.batch();
    let mut copy = PrefixCopy {
        batch: &batch,
        prefix: &interpreter.prefix,
        rename: PrefixRename::new(&interpreter.prefix, &mount_point),
        minor,
        root: RelPath::parse(mount_point.trim_start_matches('/')).expect("made of a number"),
        tree: Tree::default(),
        programs: Vec::new(),
    };
    copy.add_dir(&RelPath::root(), 0)?;
    copy.add_links()?;
    let (mut tree, programs) = (copy.tree, copy.programs);
    let system = Libraries::new(store, system);
    add_libraries(&batch, &system, &interpreter.prefix, &mut tree, programs)?;
    let digest = batch.put_tree(&tree)?;
    batch.commit()?;
    Ok(digest)
}

/// The interpreter of a file `…/bin/python3.12`; `None` if it is a script, such as a shim of pyenv.
fn interpreter(binary: &Path) -> Option<Interpreter> {
    let minor = binary.file_name()?.to_str()?.strip_prefix("python")?;
    let (major, rest) = minor.split_once('.')?;
    (major.parse::<u32>().is_ok() && rest.parse::<u32>().is_ok()).then_some(())?;
    let binary = fs::canonicalize(binary).ok()?;
    let prefix = binary.parent()?.parent()?.to_owned();
    prefix.join(format!("lib/python{minor}/os.py")).is_file().then_some(())?;
    let bytes = fs::read(&binary).ok().filter(|bytes| elf::is_elf(bytes))?;
    let version = version(&prefix, minor, &bytes)?;
    Some(Interpreter { version, prefix })
}

/// The version according to the headers, otherwise according to a string in the program.
fn version(prefix: &Path, minor: &str, program: &[u8]) -> Option<String> {
    // Up to 3.7 the name of the directory has the ABI flag `m`.
    let headers = ["", "m"].map(|flag| prefix.join(format!("include/python{minor}{flag}/patchlevel.h")));
    let header = headers.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
    let escaped = regex::escape(minor);
    let in_header = Regex::new(&format!(r#"#define\s+PY_VERSION\s+"({escaped}\.[0-9a-z]+)\+?""#)).ok()?;
    let in_program = Regex::new(&format!(r"\x00({escaped}\.[0-9][0-9a-z]*)\+?\x00")).ok()?;
    let found = in_header.captures(&header).or_else(|| in_program.captures(program))?;
    Some(String::from_utf8_lossy(found.get(1)?.as_bytes()).into_owned())
}

struct PrefixCopy<'c, 's> {
    batch: &'c Batch<'s>,
    prefix: &'c Path,
    rename: PrefixRename,
    minor: &'c str,
    /// The path of the copied prefix in the tree.
    root: RelPath,
    tree: Tree,
    /// The ELF files: their paths on this machine and their requirements.
    programs: Vec<(String, elf::Dynamic)>,
}

impl PrefixCopy<'_, '_> {
    fn add_dir(&mut self, dir: &RelPath, depth: usize) -> Result<(), Error> {
        // Far deeper than any prefix: only a directory that is mounted below itself exceeds it.
        const DEPTH_LIMIT: usize = 40;
        for path in sorted_entries(&dir.to_path(self.prefix)) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(at) = dir.push(name) else { continue };
            if name.is_empty() || !prefix::is_needed(&at, self.minor) {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
            if metadata.is_dir() && depth < DEPTH_LIMIT {
                self.add_dir(&at, depth + 1)?;
            } else if metadata.is_symlink() {
                self.add_symlink(&at, &path)?;
            } else if metadata.is_file() {
                self.add_file(&at, &path)?;
            }
        }
        Ok(())
    }

    /// A link to a copied file of the prefix is copied as a link; any other link is replaced by the file that it points to.
    fn add_symlink(&mut self, at: &RelPath, path: &Path) -> Result<(), Error> {
        let target = fs::read_link(path).map_err(Error::io("read", path))?;
        let inside =
            target.to_str().and_then(|text| at.parent()?.resolve(text).ok().filter(|_| !text.starts_with('/')));
        if inside.is_some_and(|aim| prefix::is_needed(&aim, self.minor)) {
            let target = target.to_string_lossy().into_owned();
            self.tree.nodes.insert(self.root.join(at), Node::Symlink { target });
            return Ok(());
        }
        if path.is_file() { self.add_file(at, path) } else { Ok(()) }
    }

    fn add_file(&mut self, at: &RelPath, path: &Path) -> Result<(), Error> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).map_err(Error::io("read", path))?);
        let dynamic = elf::dynamic(&bytes);
        let bytes = self.rename.apply(bytes, dynamic.as_ref());
        self.programs.extend(dynamic.map(|dynamic| (path.display().to_string(), dynamic)));
        let executable = mode & 0o100 != 0;
        let digest = self.batch.put(&bytes, executable)?;
        self.tree.nodes.insert(self.root.join(at), Node::File { digest, executable });
        Ok(())
    }

    fn add_links(&mut self) -> Result<(), Error> {
        let program = format!("python{}", self.minor);
        for name in ["python", "python3"] {
            let at = self.root.push(&format!("bin/{name}")).expect("made of constants");
            self.tree.nodes.insert(at, Node::Symlink { target: program.clone() });
        }
        let at = self.root.push(&format!("bin/{program}")).expect("made of a number");
        match self.tree.nodes.contains_key(&at) {
            true => Ok(()),
            false => {
                Err(Error::HostUnusable { path: self.prefix.to_owned(), why: format!("`bin/{program}` is missing") })
            }
        }
    }
}

/// Replaces the parent directories of a prefix in programs.
const HIDDEN: &str = "/toolchain";

/// Replaces the prefix by the mount point in file contents, so that they do not contain paths of this machine.
struct PrefixRename {
    /// `None` if the prefix is a system directory such as `/usr`, which also contains files of other programs.
    prefix: Option<Regex>,
    from: String,
    to: String,
}

impl PrefixRename {
    fn new(prefix: &Path, mount_point: &str) -> PrefixRename {
        let from = prefix.to_string_lossy().into_owned();
        let shared = matches!(from.as_str(), "/" | "/usr" | "/usr/local");
        let regex = Regex::new(&format!("{}\\b", regex::escape(&from))).ok();
        PrefixRename { prefix: regex.filter(|_| !shared), from, to: mount_point.to_owned() }
    }

    fn apply(&self, mut bytes: Vec<u8>, dynamic: Option<&elf::Dynamic>) -> Vec<u8> {
        let Some(prefix) = self.prefix.as_ref().filter(|prefix| prefix.is_match(&bytes)) else { return bytes };
        if !bytes.contains(&0) {
            return prefix.replace_all(&bytes, NoExpand(self.to.as_bytes())).into_owned();
        }
        if let Some(dynamic) = dynamic {
            self.apply_to_search(&mut bytes, dynamic);
            self.apply_to_constants(&mut bytes, prefix);
        }
        bytes
    }

    /// Replaces the prefix in the loader's search path. The whole string belongs to the search path, so it may become shorter.
    fn apply_to_search(&self, bytes: &mut [u8], dynamic: &elf::Dynamic) {
        let text = dynamic.search.join(":");
        let renamed = text.replace(&self.from, &self.to);
        let whole = Regex::new(&format!(r"\x00{}\x00", regex::escape(&text))).expect("escaped");
        let starts: Vec<usize> = whole.find_iter(bytes).map(|found| found.start() + 1).collect();
        for start in starts.into_iter().filter(|_| !text.is_empty() && renamed.len() <= text.len()) {
            bytes[start..start + text.len()].fill(0);
            bytes[start..start + renamed.len()].copy_from_slice(renamed.as_bytes());
        }
    }

    /// Hides the prefix in other strings. The linker may have merged the end of such a string with another one (with pyenv,
    /// the prefix ends with the version number), so only the parent directories are replaced, without changing the length.
    /// The interpreter finds its library relative to its own location and does not use these strings.
    fn apply_to_constants(&self, bytes: &mut [u8], prefix: &Regex) {
        let Some(head) = self.from.rfind('/').filter(|len| *len >= HIDDEN.len()) else { return };
        let mut hidden = HIDDEN.as_bytes().to_vec();
        hidden.resize(head, b'/');
        let starts: Vec<usize> = prefix.find_iter(bytes).map(|found| found.start()).collect();
        for start in starts {
            bytes[start..start + head].copy_from_slice(&hidden);
        }
    }
}

/// Adds the libraries that the programs require and that are missing in the system tree, and their requirements in turn.
fn add_libraries(
    batch: &Batch<'_>,
    system: &Libraries<'_>,
    prefix: &Path,
    tree: &mut Tree,
    programs: Vec<(String, elf::Dynamic)>,
) -> Result<(), Error> {
    let dir = RelPath::parse(libraries::DIRS[usize::from(cfg!(target_arch = "aarch64"))]).expect("constants are clean");
    let inside: BTreeSet<String> = tree.nodes.keys().filter_map(|path| path.file_name().map(str::to_owned)).collect();
    let mut added: BTreeMap<String, Node> = BTreeMap::new();
    let mut queue = VecDeque::from(programs);
    while let Some((file, dynamic)) = queue.pop_front() {
        system.check(&file, &dynamic)?;
        for library in &dynamic.needed {
            if inside.contains(library) || added.contains_key(library) || system.has(library)? {
                continue;
            }
            let Some(path) = find_library(library, &dynamic.search, Path::new(&file), prefix) else {
                // Such an extension module cannot be loaded on this machine either.
                if file.contains("/lib-dynload/") {
                    continue;
                }
                return Err(Error::LibraryMissing { file, library: library.clone() });
            };
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            queue.extend(elf::dynamic(&bytes).map(|dynamic| (path.display().to_string(), dynamic)));
            let digest = batch.put(&bytes, false)?;
            added.insert(library.clone(), Node::File { digest, executable: false });
        }
    }
    for (library, node) in added {
        let refuse =
            |_| Error::HostUnusable { path: prefix.to_owned(), why: format!("invalid library name `{library}`") };
        tree.nodes.insert(dir.push(&library).map_err(refuse)?, node);
    }
    Ok(())
}

fn find_library(library: &str, search: &[String], file: &Path, prefix: &Path) -> Option<PathBuf> {
    let origin = file.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let named = search.iter().map(|dir| PathBuf::from(dir.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin)));
    let usual = LIBRARY_DIRS.iter().map(PathBuf::from);
    named.chain([prefix.join("lib")]).chain(usual).map(|dir| dir.join(library)).find(|path| path.is_file())
}

/// The entries of a directory; empty if it cannot be read.
fn sorted_entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_not_an_interpreter() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["shims/python3.12", "lib/python3.12/os.py"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "#!/bin/sh\n").unwrap();
        }
        let settings = HostSettings { versions_dirs: vec![], path: vec![dir.path().join("shims")] };
        assert_eq!(find_interpreters(&settings), []);
    }

    #[test]
    fn the_version_is_read_from_the_headers_or_the_program() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(version(dir.path(), "3.12", b"x\x003.12.4+\x003.12.5\x00").as_deref(), Some("3.12.4"));
        assert_eq!(version(dir.path(), "3.12", b"3.12.4 and more"), None);
        fs::create_dir_all(dir.path().join("include/python3.12")).unwrap();
        fs::write(dir.path().join("include/python3.12/patchlevel.h"), "#define PY_VERSION \t\"3.12.1\"\n").unwrap();
        assert_eq!(version(dir.path(), "3.12", b"").as_deref(), Some("3.12.1"));
    }

    #[test]
    fn a_prefix_is_replaced_in_text() {
        let rename = PrefixRename::new(Path::new("/home/joe/versions/3.12.1"), "/toolchain/python3.12");
        let renamed = |text: &str| String::from_utf8(rename.apply(text.into(), None)).unwrap();
        assert_eq!(renamed("P=/home/joe/versions/3.12.1/lib"), "P=/toolchain/python3.12/lib");
        assert_eq!(renamed("/home/joe/versions/3.12.10"), "/home/joe/versions/3.12.10");
    }

    #[test]
    fn a_prefix_is_hidden_in_programs_without_moving_other_strings() {
        let rename = PrefixRename::new(Path::new("/home/joe/versions/3.12.1"), "/toolchain/python3.12");
        let search = vec!["/home/joe/versions/3.12.1/lib".to_owned()];
        let dynamic = elf::Dynamic { search, ..elf::Dynamic::default() };
        let program = b"\x7fELF\0/home/joe/versions/3.12.1/lib\0z/home/joe/versions/3.12.1\0z".to_vec();
        let renamed = String::from_utf8(rename.apply(program, Some(&dynamic))).unwrap();
        assert_eq!(renamed, "\x7fELF\0/toolchain/python3.12/lib\0\0\0\0\0z/toolchain/////////3.12.1\0z");
    }

    #[test]
    fn a_system_directory_is_not_replaced() {
        let rename = PrefixRename::new(Path::new("/usr"), "/toolchain/python3.12");
        assert_eq!(rename.apply(b"/usr/bin/env".to_vec(), None), b"/usr/bin/env");
    }
}
