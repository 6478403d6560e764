//! The layout of an image: a directory with its layers, its configuration and its manifest, each named by its hash, and an index that
//! names the manifest. Tools such as `skopeo`, `podman` and `umoci` read it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, History, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder,
    ImageIndex, ImageIndexBuilder, ImageManifest, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, RootFsBuilder,
    Sha256Digest,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Error;
use super::base::Inherited;
use super::layer::Layer;
use crate::base::{Digest, RelPath};
use crate::packaging::archive::{mode, tar_header};
use crate::store::{Batch, Node, Store, Tree};

/// The time at which every image was created, that of `FIXED_MTIME_SECONDS`: images of the same content are equal.
const CREATED: &str = "1980-01-03T00:00:00Z";
/// The version of the layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
const LAYOUT_VERSION: &str = "1.0.0";
/// Where tools of the layout find the tag of an image.
const TAG_ANNOTATION: &str = "org.opencontainers.image.ref.name";
/// Where containerd and Docker find the whole name of an image.
const NAME_ANNOTATION: &str = "io.containerd.image.name";

/// What an image does, apart from what is in its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The names of the image, such as `registry.example/app:1.0`.
    pub names: Vec<String>,
    /// The command line to which the arguments of a container are added.
    pub entrypoint: Vec<String>,
    /// The arguments, unless a container gives others.
    pub args: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The user, as a name or number, perhaps with a group after a colon.
    pub user: String,
    /// The working directory.
    pub workdir: String,
    /// Ports that the program listens at, such as `8080/tcp`.
    pub ports: Vec<String>,
    /// What the image takes over from a base image of a registry, whose layers are the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Inherited>,
}

/// An image in the store, as its layout describes it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its names, such as `registry.example/app:1.0`.
    pub names: Vec<String>,
    /// The media type of the manifest.
    pub media_type: String,
    /// The SHA-256 hash of the manifest, in hexadecimal digits.
    pub sha256: String,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration and the layers: hash, digest in the store.
    pub blobs: Vec<(String, Digest)>,
}

/// Composes the layout of an image of these layers, the lowest first. `at` is the path of the layout in the resulting tree.
pub fn compose(store: &Store, spec: &ImageSpec, at: &RelPath, layers: &[Layer]) -> Result<Digest, Error> {
    let batch = store.batch();
    let mut files = Files { batch: &batch, nodes: BTreeMap::new(), root: at };
    for layer in layers {
        files.add(&format!("blobs/sha256/{}", layer.sha256), layer.content);
    }
    let configuration = files.blob(&completed(spec, layers)?, MediaType::ImageConfig)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(configuration)
        .layers(layers.iter().map(described).collect::<Result<Vec<_>, _>>()?)
        .build()?;
    let manifest = files.blob(&manifest, MediaType::ImageManifest)?;
    let named = spec.names.iter().map(|name| {
        let tag = split_name(name).1;
        let annotations = [(TAG_ANNOTATION, tag), (NAME_ANNOTATION, name.as_str())];
        let mut manifest = manifest.clone();
        manifest.set_annotations(Some(owned(annotations)));
        manifest
    });
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(named.collect::<Vec<_>>())
        .build()?;
    files.text("index.json", &canonical(&index)?)?;
    let layout = OciLayoutBuilder::default().image_layout_version(LAYOUT_VERSION).build()?;
    files.text("oci-layout", &canonical(&layout)?)?;
    let tree = batch.put_tree(&Tree { nodes: files.nodes })?;
    batch.commit()?;
    Ok(tree)
}

/// Reads an image from the tree of its layout.
pub fn read(store: &Store, tree: Digest) -> Result<Image, Error> {
    let nodes = store.tree(tree)?.nodes;
    let content = |name: &str| {
        let found = RelPath::parse(name).ok().and_then(|path| nodes.get(&path)?.content());
        found.ok_or_else(|| Error::Missing { name: name.to_owned() })
    };
    let blob = |descriptor: &Descriptor| {
        let sha256 = descriptor.digest().digest().to_owned();
        content(&format!("blobs/sha256/{sha256}")).map(|digest| (sha256, digest))
    };
    let index: ImageIndex = parse("index.json", &store.get(content("index.json")?)?)?;
    let descriptor = index.manifests().first().ok_or_else(|| Error::Missing { name: "manifest".to_owned() })?;
    let (sha256, digest) = blob(descriptor)?;
    let manifest = store.get(digest)?;
    let parsed: ImageManifest = parse("manifest", &manifest)?;
    let mut names = Vec::new();
    for manifest in index.manifests() {
        names.extend(manifest.annotations().as_ref().and_then(|texts| texts.get(NAME_ANNOTATION)).cloned());
    }
    let blobs = parsed.layers().iter().chain([parsed.config()]).map(blob).collect::<Result<Vec<_>, _>>()?;
    Ok(Image { names, media_type: descriptor.media_type().to_string(), sha256, manifest, blobs })
}

/// What is in each layer of a layout, in words, and the size of its archive in bytes. The lowest layer comes first.
pub fn layers(store: &Store, tree: Digest) -> Result<Vec<(String, u64)>, Error> {
    let image = read(store, tree)?;
    let Some(((_, config), layers)) = image.blobs.split_last() else { return Ok(Vec::new()) };
    let config: ImageConfiguration = parse("configuration", &store.get(*config)?)?;
    let history = config.history().as_deref().unwrap_or_default().iter();
    let history = history.filter(|entry| entry.empty_layer() != Some(true));
    let words = |entry: &History| entry.comment().clone().or_else(|| entry.created_by().clone()).unwrap_or_default();
    let comments = history.map(words);
    Ok(comments.zip(layers).map(|(comment, (_, content))| (comment, content.size_bytes())).collect())
}

/// Writes an archive of a layout that docker and podman load. Podman expects whole names where layouts have tags.
pub fn write_archive(store: &Store, tree: Digest, path: &Path) -> Result<(), Error> {
    let mut archive = tar::Builder::new(BufWriter::new(File::create(path)?));
    for (name, node) in store.tree(tree)?.nodes {
        let Some(digest) = node.content() else { continue };
        if name.as_str() == "index.json" {
            let bytes = with_whole_names(&store.get(digest)?)?;
            let mut header = tar_header(tar::EntryType::Regular, mode(false), bytes.len() as u64);
            archive.append_data(&mut header, name.as_str(), &*bytes)?;
        } else {
            let mut header = tar_header(tar::EntryType::Regular, mode(false), digest.size_bytes());
            archive.append_data(&mut header, name.as_str(), store.open_blob(digest)?)?;
        }
    }
    Ok(archive.into_inner()?.flush()?)
}

fn with_whole_names(index: &[u8]) -> Result<Vec<u8>, Error> {
    let mut index: ImageIndex = parse("index.json", index)?;
    let mut manifests = index.manifests().clone();
    for manifest in &mut manifests {
        let mut annotations = manifest.annotations().clone().unwrap_or_default();
        if let Some(name) = annotations.get(NAME_ANNOTATION).cloned() {
            annotations.insert(TAG_ANNOTATION.to_owned(), name);
        }
        manifest.set_annotations(Some(annotations));
    }
    index.set_manifests(manifests);
    canonical(&index)
}

/// Whether a tree of a store is a layout.
pub fn is_layout(store: &Store, tree: Digest) -> Result<bool, Error> {
    let marker = RelPath::parse("oci-layout").expect("the name is clean");
    Ok(store.lookup(tree, &marker)?.is_some())
}

/// The repository and the tag of a name: a colon before a slash belongs to the host.
pub fn split_name(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

/// The host and the path of a repository; `None` without a host, which is a first part with a dot or a port, or `localhost`.
pub fn split_host(repository: &str) -> Option<(&str, &str)> {
    repository.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
}

/// Whether a text can be the host of a registry.
pub fn is_host(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
}

/// Whether a text can be the path of a repository: the grammar of <https://github.com/distribution/reference>.
pub fn is_path(path: &str) -> bool {
    path.split('/').all(|part| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || "._-".contains(c))
    })
}

/// The configuration, with what it takes over from a base image.
fn completed(spec: &ImageSpec, layers: &[Layer]) -> Result<Value, Error> {
    let failed = |source| Error::Read { name: "description".to_owned(), source };
    let mut configuration = serde_json::to_value(configuration(spec, layers)?).map_err(failed)?;
    if let Some(base) = &spec.base {
        for (key, value) in &base.config {
            configuration["config"][key] = value.clone();
        }
        let own = configuration["history"].as_array().into_iter().flatten().skip(base.layers);
        configuration["history"] = base.history.iter().chain(own).cloned().collect();
    }
    Ok(configuration)
}

fn configuration(spec: &ImageSpec, layers: &[Layer]) -> Result<ImageConfiguration, Error> {
    let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config = ConfigBuilder::default().env(env).user(spec.user.as_str()).working_dir(spec.workdir.as_str());
    if !spec.entrypoint.is_empty() {
        config = config.entrypoint(spec.entrypoint.clone());
    }
    if !spec.args.is_empty() {
        config = config.cmd(spec.args.clone());
    }
    if !spec.labels.is_empty() {
        config = config.labels(owned(spec.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    }
    if !spec.ports.is_empty() {
        config = config.exposed_ports(spec.ports.clone());
    }
    let diffs: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", layer.diff_sha256)).collect();
    let history = layers.iter().map(history).collect::<Result<Vec<_>, _>>()?;
    Ok(ImageConfigurationBuilder::default()
        .created(CREATED)
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .config(config.build()?)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diffs).build()?)
        .history(history)
        .build()?)
}

fn history(layer: &Layer) -> Result<History, Error> {
    Ok(HistoryBuilder::default()
        .created(CREATED)
        .created_by("waders package")
        .comment(layer.comment.as_str())
        .build()?)
}

fn described(layer: &Layer) -> Result<Descriptor, Error> {
    descriptor(MediaType::from(layer.media_type.as_str()), layer.content.size_bytes(), &layer.sha256)
}

fn descriptor(media_type: MediaType, size_bytes: u64, sha256: &str) -> Result<Descriptor, Error> {
    let digest: Sha256Digest = sha256.parse()?;
    Ok(Descriptor::new(media_type, size_bytes, digest))
}

/// The files of a layout.
struct Files<'b, 's> {
    batch: &'b Batch<'s>,
    nodes: BTreeMap<RelPath, Node>,
    root: &'b RelPath,
}

impl Files<'_, '_> {
    fn add(&mut self, name: &str, digest: Digest) {
        let name = RelPath::parse(name).expect("names and hashes are clean");
        self.nodes.insert(self.root.join(&name), Node::File { digest, executable: false });
    }

    fn text(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.add(name, self.batch.put(bytes, false)?);
        Ok(())
    }

    fn blob(&mut self, value: &impl Serialize, media_type: MediaType) -> Result<Descriptor, Error> {
        let bytes = canonical(value)?;
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        self.text(&format!("blobs/sha256/{sha256}"), &bytes)?;
        descriptor(media_type, bytes.len() as u64, &sha256)
    }
}

/// JSON with sorted keys: the maps of the crate have no order.
fn canonical(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { name: "description".to_owned(), source };
    let mut value = serde_json::to_value(value).map_err(failed)?;
    value.sort_all_objects();
    serde_json::to_vec(&value).map_err(failed)
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Read { name: name.to_owned(), source })
}

fn owned<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> HashMap<String, String> {
    texts.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::oci::layer;

    #[test]
    fn a_layout_describes_its_image_and_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let layers = [Layer::read(&store, layer::pack_base(&store).unwrap()).unwrap()];
        let pairs = |count: usize| (0..count).map(|index| (format!("KEY_{index}"), index.to_string())).collect();
        let spec = ImageSpec {
            names: vec!["registry.example.invalid:5000/app:1.0".to_owned(), "app:latest".to_owned()],
            entrypoint: vec!["/deps/bin/python".to_owned()],
            env: pairs(3),
            labels: pairs(12),
            user: "1000:1000".to_owned(),
            workdir: "/src".to_owned(),
            ..ImageSpec::default()
        };
        let at = RelPath::parse("app/image").unwrap();
        let tree = compose(&store, &spec, &at, &layers).unwrap();
        for _ in 0..4 {
            assert_eq!(compose(&store, &spec, &at, &layers).unwrap(), tree, "the order of maps does not matter");
        }
        let layout = store.subtree(tree, &at).unwrap().unwrap();
        assert!(is_layout(&store, layout).unwrap());
        let image = read(&store, layout).unwrap();
        assert_eq!(image.names, spec.names);
        assert_eq!(image.sha256, format!("{:x}", Sha256::digest(&image.manifest)));
        assert_eq!(image.blobs.len(), 2);
        assert_eq!(
            super::layers(&store, layout).unwrap(),
            [(layers[0].comment.clone(), layers[0].content.size_bytes())]
        );
        for (sha256, digest) in image.blobs {
            assert_eq!(format!("{:x}", Sha256::digest(store.get(digest).unwrap())), sha256);
        }
    }

    #[test]
    fn a_port_of_a_registry_is_not_a_tag() {
        assert_eq!(split_name("localhost:5000/a/b:1"), ("localhost:5000/a/b", "1"));
        assert_eq!(split_name("localhost:5000/a"), ("localhost:5000/a", "latest"));
        assert_eq!(split_name("app"), ("app", "latest"));
    }
}
