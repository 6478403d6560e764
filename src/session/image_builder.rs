//! Container images that a program of this machine builds from a Dockerfile: docker, podman or buildah, whichever is found first. It
//! gets a context with declared files only. What a Dockerfile runs and downloads is up to that program, so that the result is neither
//! hermetic nor cached here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, RelPath};
use crate::config::typed::DockerSettings;
use crate::packaging::oci::{self, layout};
use crate::session::foreground::{self, HostProgram};
use crate::session::{self, Session};

/// The programs that build images, in the order of preference.
const BUILDERS: [&str; 3] = ["docker", "podman", "buildah"];
/// The programs that also run and push them.
const RUNNERS: [&str; 2] = ["docker", "podman"];

/// How an image is built from its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageBuild {
    /// The names of the image.
    pub names: Vec<String>,
    /// The Dockerfile in the context.
    pub dockerfile: RelPath,
    /// The directory of the context that the Dockerfile copies from.
    pub context_root: RelPath,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Further options of the build.
    pub options: Vec<String>,
    /// The path of the description of the image below the directory for results.
    pub info: RelPath,
}

/// Why an image cannot be built.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("`{name}` needs a program that {purpose}, and `PATH` has no {}", .programs.join(", no "))]
    NoProgram { name: String, purpose: &'static str, programs: Vec<String> },
    #[error("`{program}` ended with exit code {code} when it built `{name}`")]
    Failed { program: String, code: i32, name: String },
    #[error("`{program}` ended with exit code {code} when it loaded `{name}`")]
    NotLoaded { program: String, code: i32, name: String },
    #[error(transparent)]
    Layout(#[from] oci::Error),
    #[error("cannot use a directory for temporary files")]
    Scratch { source: std::io::Error },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::NoProgram { .. } => Some(
                "install one of them; if the Dockerfile runs nothing, name in `[docker] composed_bases` what stands for its base \
                 image; or declare an `oci_image`, which is composed without a Dockerfile (docs/images.md)",
            ),
            Error::Failed { .. } => {
                Some("its output is above; the context has only the files and packages among the target's dependencies")
            }
            Error::NotLoaded { .. } => {
                Some("its output is above; `[docker] engine` chooses another program: `{ run = \"podman\" }`")
            }
            Error::Layout(_) | Error::Scratch { .. } => None,
        }
    }
}

/// Builds an image from a context in the store, and returns its identifier.
pub fn build(session: &mut Session, context: Digest, build: &ImageBuild) -> Result<String, session::Error> {
    let name = build.names.first().cloned().unwrap_or_default();
    let program = find_builder(session, "builds images", &name)?;
    let store = session.services.open_store()?;
    store.write_lazy_tree(context)?;
    let scratch = store.scratch()?;
    let (dir, id_file) = (scratch.path().join("context"), scratch.path().join("image"));
    store.copy_out(context, &dir)?;
    // A context without files at its root is no error before the Dockerfile copies something.
    let root = build.context_root.to_path(&dir);
    fs::create_dir_all(&root).map_err(|source| Error::Scratch { source })?;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mut argv = vec![program.clone(), "build".to_owned()];
    argv.extend(build.options.iter().cloned());
    argv.extend(build.names.iter().map(|name| format!("--tag={name}")));
    argv.extend(build.args.iter().map(|(name, value)| format!("--build-arg={name}={value}")));
    argv.extend([format!("--iidfile={}", text(&id_file)), format!("--file={}", text(&build.dockerfile.to_path(&dir)))]);
    argv.push(text(&root));
    session.ui.note(&format!("building `{name}` with `{program}`"), None);
    // Paths of secrets are relative to the build root.
    let program_call = HostProgram { argv, env: BTreeMap::new(), cwd: session.build_root().to_owned() };
    match foreground::run(session, &program_call)? {
        0 => {}
        code => return Err(Error::Failed { program, code, name }.into()),
    }
    let id = fs::read_to_string(&id_file).map_err(|source| Error::Scratch { source })?;
    Ok(id.trim().to_owned())
}

/// Pushes a name of a built image, and returns the exit code of the program that did.
pub fn push(session: &mut Session, name: &str) -> Result<i32, session::Error> {
    let program = find_builder(session, "pushes images", name)?;
    let argv = vec![program, "push".to_owned(), name.to_owned()];
    foreground::run(session, &HostProgram { argv, env: BTreeMap::new(), cwd: session.build_root().to_owned() })
}

/// Runs a built image with these options and arguments, and returns its exit code.
pub fn run(session: &mut Session, name: &str, options: &[String], args: &[String]) -> Result<i32, session::Error> {
    let chosen = DockerSettings::parse(session.config()).runner;
    let program = find(session, chosen, &RUNNERS, "runs images", name)?;
    let words = [program, "run".to_owned()].into_iter().chain(options.iter().cloned());
    let argv = words.chain([name.to_owned()]).chain(args.iter().cloned()).collect();
    foreground::run(session, &HostProgram { argv, env: BTreeMap::new(), cwd: session.build_root().to_owned() })
}

/// Runs an image that was composed, and returns its exit code. `layout` is the tree of its layout, of which the program loads an archive.
pub fn run_layout(
    session: &mut Session,
    layout: Digest,
    options: &[String],
    args: &[String],
) -> Result<i32, session::Error> {
    let store = session.services.open_store()?;
    let image = layout::read(&store, layout).map_err(Error::from)?;
    let name = image.names.first().cloned().unwrap_or_default();
    let chosen = DockerSettings::parse(session.config()).runner;
    let program = find(session, chosen, &RUNNERS, "runs images", &name)?;
    store.write_lazy_tree(layout)?;
    let scratch = store.scratch()?;
    let archive = scratch.path().join("image.tar");
    layout::write_archive(&store, layout, &archive).map_err(Error::from)?;
    let words = ["load", "--quiet", "--input", &archive.to_string_lossy()].map(str::to_owned);
    let argv = std::iter::once(program.clone()).chain(words).collect();
    let load = HostProgram { argv, env: BTreeMap::new(), cwd: session.build_root().to_owned() };
    match foreground::run(session, &load)? {
        0 => run(session, &name, options, args),
        code => Err(Error::NotLoaded { program, code, name }.into()),
    }
}

fn find_builder(session: &Session, purpose: &'static str, name: &str) -> Result<String, Error> {
    find(session, DockerSettings::parse(session.config()).builder, &BUILDERS, purpose, name)
}

/// The program that the user chose, or the first of the usual ones, on the caller's search path.
fn find(
    session: &Session,
    chosen: Option<String>,
    usual: &[&str],
    purpose: &'static str,
    name: &str,
) -> Result<String, Error> {
    let programs = chosen.map_or_else(|| usual.iter().map(|name| (*name).to_owned()).collect(), |name| vec![name]);
    let path = session.environment().var("PATH").unwrap_or_default();
    let in_path = |program: &String| std::env::split_paths(path).map(|dir| dir.join(program)).collect::<Vec<_>>();
    let found = programs.iter().flat_map(in_path).find(|candidate| session.context.tracker.is_file(candidate));
    found.map(|program| program.to_string_lossy().into_owned()).ok_or_else(|| Error::NoProgram {
        name: name.to_owned(),
        purpose,
        programs,
    })
}
