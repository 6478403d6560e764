//! Recipes: functions that derive a tree from other trees. `Derive` steps refer to them by name. Processes are not run
//! here.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::packaging::Environment;
use crate::packaging::archive::{self, Format};
use crate::packaging::host_venv::{self, HostVenv};
use crate::packaging::oci::existing::Existing;
use crate::packaging::oci::layer::{self, Layer};
use crate::packaging::oci::{self, copies, layout, pulled};
use crate::packaging::venv::{self, Layer as VenvLayer};
use crate::packaging::wheel;
use crate::store::{Node, Store, Tree};

/// The glibc version of the system tree (Debian 12). It determines which manylinux wheels can be used.
pub const GLIBC: (u16, u16) = (2, 36);

/// The directory with the wheel file in the output tree of a built source distribution.
const BUILT_WHEEL: &str = "wheel";

type RecipeError = Box<dyn std::error::Error + Send + Sync>;

/// Computes a tree from parameters and trees. The same arguments give the same tree.
pub type Recipe = fn(&Store, &[String], &[Digest]) -> Result<Digest, RecipeError>;

/// All recipes by name. The number in a name must be incremented when the resulting trees change.
pub fn all() -> BTreeMap<&'static str, Recipe> {
    BTreeMap::from([
        ("archive-1", archive as Recipe),
        ("below-roots-1", below_roots),
        ("completed-1", completed),
        ("fingerprint-1", fingerprint),
        ("host-venv-1", host_venv),
        ("image-1", image),
        ("image-base-2", image_base),
        ("image-copies-1", image_copies),
        ("image-copies-on-1", image_copies_on),
        ("image-layer-1", image_layer),
        ("image-pulled-layer-1", image_pulled_layer),
        ("metadata-1", metadata),
        ("metadata-of-wheels-1", metadata_of_wheels),
        ("move-1", move_files),
        ("overlay-1", overlay),
        ("select-1", select),
        ("unpackaged-1", unpackaged),
        ("venv-6", venv),
        ("wheel-files-1", collect_wheel_files),
        ("wheels-1", wheels),
    ])
}

/// Composes an environment for use outside sandboxes. Parameters: the absolute path of the interpreter, or its path in the image of
/// the first part; its full version; the place of the environment, or nothing; its name for the prompt; arguments for the first
/// line of scripts; directories to import from, one on each line; the root of the store. Parts: the tree of an interpreter, or an empty tree, then those of `venv`.
fn host_venv(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let ([interpreter, version, location, prompt, script_args, source_roots, _], Some((image, parts))) =
        (parameters, parts.split_first())
    else {
        return Err("the recipe of an environment takes seven parameters and the tree of an interpreter".into());
    };
    // An absolute path replaces that of the image.
    let interpreter = store.image_path(*image).join(interpreter);
    let host = HostVenv {
        interpreter: interpreter.to_str().ok_or("the path of the interpreter is not valid UTF-8")?,
        location: Some(location.as_str()).filter(|location| !location.is_empty()),
        prompt,
        script_args,
        source_roots: source_roots.lines().collect(),
    };
    let environment = Environment::linux_x86_64(version, GLIBC)?;
    Ok(host_venv::compose(store, &environment, &host, &layers(parts))?)
}

/// Merges trees. Parameters: the path of each part in the result.
fn overlay(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let paths = parameters.iter().map(|path| RelPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(RelPath, Digest)> = paths.into_iter().zip(parts.iter().copied()).collect();
    Ok(store.merge(&parts)?)
}

/// The first part, completed by the files of the others at paths that it does not have.
fn completed(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut nodes: BTreeMap<RelPath, Node> = BTreeMap::new();
    for part in parts {
        let directories: BTreeSet<RelPath> = nodes.keys().flat_map(RelPath::ancestors).collect();
        for (path, node) in store.tree(*part)?.nodes {
            let is_file = |above: RelPath| nodes.get(&above).is_some_and(|node| *node != Node::EmptyDirectory);
            let is_below_file = path.ancestors().any(is_file);
            if !is_below_file && !directories.contains(&path) {
                nodes.entry(path).or_insert(node);
            }
        }
        let filled: BTreeSet<RelPath> = nodes.keys().flat_map(RelPath::ancestors).collect();
        nodes.retain(|path, node| *node != Node::EmptyDirectory || !filled.contains(path));
    }
    Ok(store.put_tree(&Tree { nodes })?)
}

/// Files at their paths below source roots. Parameters: the source roots; the first that contains a file is its root.
fn below_roots(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let roots = parameters.iter().map(|path| RelPath::parse(path)).collect::<Result<Vec<_>, _>>()?;
    let mut nodes = BTreeMap::new();
    for part in parts {
        for (path, node) in store.tree(*part)?.nodes {
            let below = roots.iter().find_map(|root| path.strip_prefix(root));
            nodes.insert(below.ok_or_else(|| format!("`{path}` is not below a source root"))?, node);
        }
    }
    Ok(store.put_tree(&Tree { nodes })?)
}

/// An empty tree, if the file `printed` of the part matches a pattern from its beginning. Parameters: the program that printed it, and
/// the pattern.
fn fingerprint(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let ([program, pattern], [part]) = (parameters, parts) else {
        return Err("the recipe of a fingerprint takes a program, a pattern and a tree".into());
    };
    let expected = Regex::new(&format!("^(?:{pattern})"))?;
    let tree = store.tree(*part)?;
    let printed = tree.nodes.get(&RelPath::parse("printed")?).and_then(Node::content);
    let printed = String::from_utf8_lossy(&store.get(printed.ok_or("the program printed nothing")?)?).into_owned();
    let first_line = printed.trim().lines().next().unwrap_or_default();
    match expected.is_match(printed.trim()) {
        true => Ok(store.put_tree(&Tree::default())?),
        false => Err(format!("`{program}` prints `{first_line}`, which does not match `{pattern}`").into()),
    }
}

/// Files at other paths. Parameters: a directory, and the directory that replaces it. Files outside of the first are an error.
fn move_files(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [from, to] = parameters else { return Err("the recipe of moved files takes two directories".into()) };
    let (from, to) = (RelPath::parse(from)?, RelPath::parse(to)?);
    let mut nodes = BTreeMap::new();
    for part in parts {
        for (path, node) in store.tree(*part)?.nodes {
            let below = path.strip_prefix(&from).ok_or_else(|| format!("`{path}` is not below `{from}`"))?;
            nodes.insert(to.join(&below), node);
        }
    }
    Ok(store.put_tree(&Tree { nodes })?)
}

/// The files that globs match. Parameters: the globs. One that matches no file is an error, unless it begins with a question mark.
fn select(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut nodes = BTreeMap::new();
    for part in parts {
        nodes.extend(store.tree(*part)?.nodes);
    }
    let globs = |globs: &mut dyn Iterator<Item = &String>| {
        Globs::compile(globs.map(|glob| glob.strip_prefix('?').unwrap_or(glob)))
    };
    for glob in parameters.iter().filter(|glob| !glob.starts_with(['?', '!'])) {
        let matching = globs(&mut std::iter::once(glob))?;
        if !nodes.keys().any(|path| matching.matches(path.as_str())) {
            let files: Vec<String> = nodes.keys().take(10).map(|path| format!("`{path}`")).collect();
            return Err(format!("`{glob}` matches none of the files {}", files.join(", ")).into());
        }
    }
    let matching = globs(&mut parameters.iter())?;
    nodes.retain(|path, _| matching.matches(path.as_str()));
    Ok(store.put_tree(&Tree { nodes })?)
}

/// The tree of installed wheels. Part: a tree with wheels, at any paths.
fn wheels(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut installed = Vec::new();
    for part in parts {
        for (path, node) in store.tree(*part)?.nodes {
            let (Some(name), Some(content)) = (path.file_name(), node.content()) else { continue };
            if path.extension() == Some("whl") {
                let mut file = store.open_blob(content)?;
                installed
                    .push((RelPath::root(), wheel::unpack(store, name, &mut file, &wheel::Limits::default())?.tree));
            }
        }
    }
    Ok(store.merge(&installed)?)
}

/// The metadata and scripts of installed wheels without their code, for editable installations. Part: a tree with wheels.
fn metadata_of_wheels(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut tree = store.tree(wheels(store, parameters, parts)?)?;
    let is_metadata = |path: &RelPath| {
        let mut components = path.components();
        match components.next() {
            Some("bin") => true,
            Some("site-packages") => components.next().is_some_and(|name| name.ends_with(".dist-info")),
            _ => false,
        }
    };
    tree.nodes.retain(|path, _| is_metadata(path));
    Ok(store.put_tree(&tree)?)
}

/// Composes a venv image. Parameters: the path and the full version of the interpreter. Parts: for each distribution its
/// tree, then the tree of its bytecode.
fn venv(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [interpreter, version] = parameters else {
        return Err("the recipe of a venv takes two parameters: interpreter and version".into());
    };
    let environment = Environment::linux_x86_64(version, GLIBC)?;
    Ok(venv::compose(store, interpreter, &environment, &layers(parts))?.tree)
}

fn layers(parts: &[Digest]) -> Vec<VenvLayer> {
    parts.chunks(2).map(|pair| VenvLayer { wheel: pair[0], bytecode: pair.get(1).copied() }).collect()
}

/// The tree of an installed distribution without code. Parameters: the name of its directory, the texts of `METADATA` and of
/// `entry_points.txt`.
fn metadata(store: &Store, parameters: &[String], _: &[Digest]) -> Result<Digest, RecipeError> {
    let [dist_info, metadata, entry_points] = parameters else {
        return Err("the recipe of metadata takes three parameters: directory, METADATA and entry points".into());
    };
    Ok(wheel::install_metadata(store, dist_info, metadata, entry_points)?)
}

/// Packs merged trees into one archive, whose bytes also depend on the crates that compress it. Parameters: the name of the
/// format, and the path of the archive in the result.
fn archive(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [format, path] = parameters else {
        return Err("the recipe of an archive takes two parameters: format and path".into());
    };
    let format = Format::from_name(format).ok_or_else(|| format!("unknown archive format `{format}`"))?;
    let parts: Vec<(RelPath, Digest)> = parts.iter().map(|part| (RelPath::root(), *part)).collect();
    let contents = store.merge(&parts)?;
    let scratch = store.scratch()?;
    let file = scratch.path().join("archive");
    archive::write_file(store, contents, format, &file).map_err(|error| match error {
        // The engine recognizes the errors of the store, such as a full disk.
        archive::Error::Store(error) => RecipeError::from(error),
        error => error.into(),
    })?;
    let batch = store.batch();
    let node = Node::File { digest: batch.put_file(&file, false)?, executable: false };
    let tree = batch.put_tree(&Tree { nodes: BTreeMap::from([(RelPath::parse(path)?, node)]) })?;
    batch.commit()?;
    Ok(tree)
}

/// The layout of a container image. Parameters: its `ImageSpec` in JSON, and the path of the layout in the result. Parts: the trees of
/// its layers, the lowest first.
fn image(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [spec, at] = parameters else {
        return Err("the recipe of an image takes two parameters: description and path".into());
    };
    let (spec, at) = (serde_json::from_str(spec)?, RelPath::parse(at)?);
    let layers = parts.iter().map(|part| Layer::read(store, *part)).collect::<Result<Vec<_>, _>>();
    stored(layers.and_then(|layers| layout::compose(store, &spec, &at, &layers)))
}

/// The files that a Dockerfile copies. Parameters: the root of the context in the part, and the changes in JSON. Part: the context.
fn image_copies(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let ([root, changes], [context]) = (parameters, parts) else {
        return Err("the recipe of copies takes two parameters, a directory and changes, and a context".into());
    };
    let changes: Vec<copies::Change> = serde_json::from_str(changes)?;
    stored(copies::apply(store, *context, &RelPath::parse(root)?, &changes, &Existing::composed()))
}

/// The layer of the files that a Dockerfile copies onto layers of a registry. Parameters: as for `image-copies-1`. Parts: the context,
/// and the layers, the lowest first.
fn image_copies_on(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let ([root, changes], Some((context, layers))) = (parameters, parts.split_first()) else {
        return Err("the recipe of copies takes two parameters, a directory and changes, and a context".into());
    };
    let (root, changes) = (RelPath::parse(root)?, serde_json::from_str::<Vec<copies::Change>>(changes)?);
    let packed = pulled::existing(store, layers).and_then(|base| {
        let tree = copies::apply(store, *context, &root, &changes, &base)?;
        layer::pack_on(store, tree, &RelPath::root(), &base)
    });
    stored(packed)
}

/// A layer of an image of a registry. Parameters: the SHA-256 hash of the archive before compression, and the media type of the layer.
/// Part: a tree with the archive as its only file, which has its hash as a name.
fn image_pulled_layer(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let ([diff_sha256, media_type], [archive]) = (parameters, parts) else {
        return Err("the recipe of a pulled layer takes a hash, a media type and an archive".into());
    };
    stored(pulled::read(store, *archive, diff_sha256, media_type))
}

/// The lowest layer of every container image.
fn image_base(store: &Store, _: &[String], _: &[Digest]) -> Result<Digest, RecipeError> {
    stored(layer::pack_base(store))
}

/// A layer of a container image. Parameter: the directory of the image where the trees appear. Parts: the trees, which are merged.
fn image_layer(store: &Store, parameters: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let [at] = parameters else { return Err("the recipe of a layer takes one parameter: its directory".into()) };
    let parts: Vec<(RelPath, Digest)> = parts.iter().map(|part| (RelPath::root(), *part)).collect();
    stored(layer::pack(store, store.merge(&parts)?, &RelPath::parse(at)?))
}

/// The engine recognizes the errors of the store, such as a full disk.
fn stored(result: Result<Digest, oci::Error>) -> Result<Digest, RecipeError> {
    result.map_err(|error| match error {
        oci::Error::Store(error) => RecipeError::from(error),
        error => error.into(),
    })
}

/// Collects wheel files in one directory. Parts: trees that contain wheel files, in the directory `wheel` if it exists.
fn collect_wheel_files(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let mut nodes: BTreeMap<RelPath, Node> = BTreeMap::new();
    for (path, node) in wheel_files(store, parts)? {
        let name = path.file_name().map(RelPath::parse).transpose()?.unwrap_or_default();
        match nodes.insert(name, node.clone()) {
            Some(other) if other != node => return Err(format!("two packages have different files `{path}`").into()),
            _ => {}
        }
    }
    Ok(store.put_tree(&Tree { nodes })?)
}

/// The files of the first part that no wheel of the other parts installs.
fn unpackaged(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, RecipeError> {
    let (sources, packages) = parts.split_first().ok_or("the recipe of unpackaged sources takes the sources")?;
    let mut tree = store.tree(*sources)?;
    for (path, node) in wheel_files(store, packages)? {
        let content = store.get(node.content().ok_or("a wheel is not a file")?)?;
        let installed = wheel::importable_files(&content).map_err(|error| format!("{path}: {error}"))?;
        tree.nodes.retain(|path, _| !installed.contains(path.as_str()));
    }
    Ok(store.put_tree(&tree)?)
}

/// The wheel files in these trees, with their paths.
fn wheel_files(store: &Store, parts: &[Digest]) -> Result<Vec<(RelPath, Node)>, RecipeError> {
    let mut files = Vec::new();
    for part in parts {
        let directory = store.subtree(*part, &RelPath::parse(BUILT_WHEEL)?)?.unwrap_or(*part);
        files.extend(store.tree(directory)?.nodes.into_iter().filter(|(path, _)| path.extension() == Some("whl")));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_completed_by_what_it_does_not_have() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let tree = |nodes: &[(&str, &str)]| {
            let node = |text: &str| match text {
                "" => Node::EmptyDirectory,
                "link" => Node::Symlink { target: "d".to_owned() },
                text => Node::File { digest: store.put(text.as_bytes()).unwrap(), executable: false },
            };
            let nodes = nodes.iter().map(|(path, text)| (RelPath::parse(path).unwrap(), node(text))).collect();
            store.put_tree(&Tree { nodes }).unwrap()
        };
        let base = tree(&[("bin/a", "1"), ("d/x", "1"), ("empty", ""), ("l", "link"), ("file", "1")]);
        let first = tree(&[("bin/a", "2"), ("bin/b", "2"), ("empty/e", "2"), ("l/below", "2"), ("file/below", "2")]);
        let second = tree(&[("bin/b", "3"), ("bin/c", "3"), ("d", "3"), ("empty", "")]);
        let found = completed(&store, &[], &[base, first, second]).unwrap();
        let expected = [
            ("bin/a", "1"),
            ("bin/b", "2"),
            ("bin/c", "3"),
            ("d/x", "1"),
            ("empty/e", "2"),
            ("file", "1"),
            ("l", "link"),
        ];
        assert_eq!(store.tree(found).unwrap(), store.tree(tree(&expected)).unwrap());
    }
}
