//! What a registry says about an image on which others are based: its manifest, chosen for the platform, and its configuration. The
//! formats are those of the Open Container Initiative and the ones of Docker with the same content. Downloads are planned in
//! `prepare::package::image`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::layout::ImageSpec;
use super::reference::is_sha256;

/// The platform of all images.
const PLATFORM: (&str, &str) = ("linux", "amd64");

/// The media types of layers, each with the one of the same bytes in the format of the Open Container Initiative.
const LAYERS: [(&str, &str); 5] = [
    ("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar"),
    ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
];

/// The media types of the configuration of an image.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Why no image can be based on what a registry has.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("its {what} cannot be read")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("its manifest has the old format schema 1, which does not name the layers by what they contain")]
    Schema1,
    #[error("the digest is that of `{media_type}`, which is not a container image")]
    NotAnImage { media_type: String },
    #[error("it has no image for linux/amd64, only for {}", .platforms.join(", "))]
    NoPlatform { platforms: Vec<String> },
    #[error("it is an image for {platform}, and images are composed for linux/amd64")]
    Platform { platform: String },
    #[error("layer {number} has the format `{media_type}`, which is not supported")]
    LayerFormat { number: usize, media_type: String },
    #[error("its manifest has {layers} layers, and its configuration {diffs}")]
    Layers { layers: usize, diffs: usize },
    #[error("its {what} has the digest `{digest}`, and only SHA-256 is supported")]
    Digest { what: &'static str, digest: String },
    #[error("it has instructions for images that are based on it (`ONBUILD {instruction}`), which are not carried out")]
    Triggers { instruction: String },
}

/// What a manifest describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// Images for several platforms; the part of the one for this platform.
    Index(Part),
    /// One image.
    Image {
        /// Its configuration.
        config: Part,
        /// Its layers, the lowest first, each with its media type in the format of the Open Container Initiative.
        layers: Vec<(Part, &'static str)>,
    },
}

/// Something that a registry stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its SHA-256 hash, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size, if it is known.
    pub size_bytes: Option<u64>,
}

/// What an image takes over from its base image besides what [`ImageSpec`] has fields for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inherited {
    /// The number of layers.
    pub layers: usize,
    /// Other entries of the object `config` of the configuration, such as `StopSignal`.
    pub config: Map<String, Value>,
    /// The history of the layers.
    pub history: Vec<Value>,
}

/// What the configuration of an image says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseConfig {
    /// How images based on it start, unless they say otherwise.
    pub spec: ImageSpec,
    /// The SHA-256 hashes of the layers before compression, the lowest first.
    pub diffs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(flatten)]
    platform: Platform,
    #[serde(default)]
    config: Option<Map<String, Value>>,
    rootfs: RootFs,
    #[serde(default)]
    history: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, Error> {
        let raw: RawManifest =
            serde_json::from_slice(bytes).map_err(|source| Error::Json { what: "manifest", source })?;
        if raw.schema_version == 1 {
            return Err(Error::Schema1);
        }
        if let Some(manifests) = raw.manifests {
            return choose(manifests).map(Manifest::Index);
        }
        let config = raw.config.ok_or(Error::NotAnImage { media_type: raw.media_type })?;
        if !CONFIGURATIONS.contains(&config.media_type.as_str()) {
            return Err(Error::NotAnImage { media_type: config.media_type });
        }
        let layer = |(index, layer): (usize, Descriptor)| {
            let known = LAYERS.iter().find(|(media_type, _)| *media_type == layer.media_type);
            let unknown = || Error::LayerFormat { number: index + 1, media_type: layer.media_type.clone() };
            let (_, media_type) = known.ok_or_else(unknown)?;
            Ok((layer.part("layer")?, *media_type))
        };
        let layers = raw.layers.into_iter().enumerate().map(layer).collect::<Result<_, _>>()?;
        Ok(Manifest::Image { config: config.part("configuration")?, layers })
    }
}

/// The manifest for this platform. One without a variant of the processor runs on all of them.
fn choose(manifests: Vec<Descriptor>) -> Result<Part, Error> {
    let fits = |platform: &Platform| (platform.os.as_str(), platform.architecture.as_str()) == PLATFORM;
    let fitting = manifests.iter().filter(|manifest| manifest.platform.as_ref().is_some_and(fits));
    let chosen = fitting.min_by_key(|manifest| manifest.platform.as_ref().map(|platform| platform.variant.clone()));
    match chosen {
        Some(manifest) => manifest.part("manifest"),
        None => {
            let platforms = manifests.iter().filter_map(|manifest| manifest.platform.as_ref());
            // Signatures and the like have this platform.
            let platforms = platforms.filter(|platform| platform.os != "unknown").map(Platform::to_string);
            Err(Error::NoPlatform { platforms: platforms.collect() })
        }
    }
}

impl Descriptor {
    fn part(&self, what: &'static str) -> Result<Part, Error> {
        let sha256 = self.digest.strip_prefix("sha256:").filter(|hash| is_sha256(hash));
        let sha256 = sha256.ok_or_else(|| Error::Digest { what, digest: self.digest.clone() })?.to_owned();
        Ok(Part { sha256, size_bytes: Some(self.size) })
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(out, "/{variant}"))
    }
}

impl BaseConfig {
    /// Reads a configuration. `layers` is the number of layers in the manifest.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<BaseConfig, Error> {
        let raw: RawConfig =
            serde_json::from_slice(bytes).map_err(|source| Error::Json { what: "configuration", source })?;
        if (raw.platform.os.as_str(), raw.platform.architecture.as_str()) != PLATFORM {
            return Err(Error::Platform { platform: raw.platform.to_string() });
        }
        let diff = |digest: String| match digest.strip_prefix("sha256:").filter(|hash| is_sha256(hash)) {
            Some(hash) => Ok(hash.to_owned()),
            None => Err(Error::Digest { what: "unpacked layer", digest }),
        };
        let diffs = raw.rootfs.diff_ids.into_iter().map(diff).collect::<Result<Vec<_>, _>>()?;
        if diffs.len() != layers {
            return Err(Error::Layers { layers, diffs: diffs.len() });
        }
        let mut config = raw.config.unwrap_or_default();
        if let Some(instruction) = texts(config.remove("OnBuild")).into_iter().next() {
            return Err(Error::Triggers { instruction });
        }
        let keys = |value: Option<Value>| match value {
            Some(Value::Object(entries)) => entries.into_iter().map(|(key, _)| key).collect(),
            _ => Vec::new(),
        };
        let variable = |entry: String| match entry.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (entry, String::new()),
        };
        let user = text(config.remove("User"));
        let workdir = text(config.remove("WorkingDir"));
        let mut spec = ImageSpec {
            entrypoint: texts(config.remove("Entrypoint")),
            args: texts(config.remove("Cmd")),
            env: texts(config.remove("Env")).into_iter().map(variable).collect(),
            labels: labels(config.remove("Labels")),
            user: if user.is_empty() { "root".to_owned() } else { user },
            workdir: if workdir.is_empty() { "/".to_owned() } else { workdir },
            ports: keys(config.remove("ExposedPorts")),
            ..ImageSpec::default()
        };
        config.retain(|_, value| !value.is_null());
        spec.base = Some(Inherited { layers, config, history: history(raw.history.unwrap_or_default(), layers) });
        Ok(BaseConfig { spec, diffs })
    }
}

/// The history, if it describes each layer. Otherwise tools reject the image.
fn history(entries: Vec<Value>, layers: usize) -> Vec<Value> {
    let described = entries.iter().filter(|entry| entry["empty_layer"].as_bool() != Some(true)).count();
    match described == layers {
        true => entries,
        false => vec![serde_json::json!({"comment": "of the base image"}); layers],
    }
}

fn text(value: Option<Value>) -> String {
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: Option<Value>) -> Vec<String> {
    let items = value.as_ref().and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn labels(value: Option<Value>) -> BTreeMap<String, String> {
    let entries = value.as_ref().and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(digit: char) -> String {
        format!("sha256:{}", String::from(digit).repeat(64))
    }

    fn parse(value: Value) -> Result<Manifest, String> {
        Manifest::parse(value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn entry(digit: char, os: &str, architecture: &str) -> Value {
        json!({"digest": digest(digit), "size": 7, "platform": {"os": os, "architecture": architecture}})
    }

    fn image(media_type: &str) -> Value {
        let config = json!({"mediaType": CONFIGURATIONS[1], "digest": digest('c'), "size": 1});
        json!({"schemaVersion": 2, "config": config, "layers": [{"mediaType": media_type, "digest": digest('1'), "size": 2}]})
    }

    #[test]
    fn the_image_of_the_platform_is_chosen() {
        let mut old = entry('b', "linux", "amd64");
        old["platform"]["variant"] = "v3".into();
        let index = json!({"schemaVersion": 2, "manifests": [
            entry('a', "linux", "arm64"), old, entry('c', "linux", "amd64"), entry('d', "unknown", "unknown")]});
        assert_eq!(parse(index), Ok(Manifest::Index(Part { sha256: "c".repeat(64), size_bytes: Some(7) })));
        let index = json!({"schemaVersion": 2, "manifests": [
            entry('a', "linux", "arm64"), entry('b', "windows", "amd64"), entry('d', "unknown", "unknown")]});
        let message = "it has no image for linux/amd64, only for linux/arm64, windows/amd64";
        assert_eq!(parse(index), Err(message.to_owned()));
    }

    #[test]
    fn layers_of_docker_get_the_media_type_of_the_same_bytes() {
        let Ok(Manifest::Image { layers, .. }) = parse(image("application/vnd.docker.image.rootfs.diff.tar.gzip"))
        else {
            panic!("an image")
        };
        assert_eq!(layers[0].1, "application/vnd.oci.image.layer.v1.tar+gzip");
        let Ok(Manifest::Image { layers, .. }) = parse(image("application/vnd.oci.image.layer.v1.tar+zstd")) else {
            panic!("an image")
        };
        assert_eq!(layers[0].1, "application/vnd.oci.image.layer.v1.tar+zstd");
    }

    #[test]
    fn what_no_image_can_be_based_on_is_refused() {
        let refused = |value: Value, message: &str| {
            let error = parse(value).unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        refused(json!({"schemaVersion": 1, "fsLayers": []}), "schema 1");
        refused(
            json!({"schemaVersion": 2, "mediaType": "application/x"}),
            "`application/x`, which is not a container image",
        );
        refused(image("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "layer 1 has the format");
        let mut chart = image("application/vnd.oci.image.layer.v1.tar");
        chart["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into();
        refused(chart, "helm");
        let mut other = image("application/vnd.oci.image.layer.v1.tar");
        other["layers"][0]["digest"] = "sha512:00".into();
        refused(other, "only SHA-256");
    }

    fn config(config: Value) -> Result<BaseConfig, String> {
        let history = json!([{"created_by": "one"}, {"created_by": "two", "empty_layer": true}]);
        let whole = json!({"os": "linux", "architecture": "amd64", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest('1')]}, "history": history});
        BaseConfig::parse(whole.to_string().as_bytes(), 1).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_gives_defaults() {
        let found =
            config(json!({"Env": ["PATH=/a:/b", "E"], "Cmd": ["python3"], "Entrypoint": null, "Labels": {"a": "b"},
            "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGINT", "User": "", "WorkingDir": "/w", "OnBuild": null}));
        let BaseConfig { spec, diffs } = found.unwrap();
        assert_eq!(diffs, ["1".repeat(64)]);
        assert_eq!((spec.env["PATH"].as_str(), spec.env["E"].as_str()), ("/a:/b", ""));
        assert_eq!((spec.args, spec.user.as_str(), spec.workdir.as_str()), (vec!["python3".to_owned()], "root", "/w"));
        assert_eq!(spec.ports, ["80/tcp"]);
        let inherited = spec.base.unwrap();
        assert_eq!(Value::Object(inherited.config), json!({"StopSignal": "SIGINT"}));
        assert_eq!(inherited.history.len(), 2);
    }

    #[test]
    fn a_configuration_that_cannot_be_kept_is_refused() {
        assert!(config(json!({"OnBuild": ["RUN true"]})).unwrap_err().contains("`ONBUILD RUN true`"));
        let arm = json!({"os": "linux", "architecture": "arm64", "rootfs": {"diff_ids": []}});
        let error = BaseConfig::parse(arm.to_string().as_bytes(), 0).unwrap_err().to_string();
        assert!(error.contains("for linux/arm64"), "{error}");
        let few = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}});
        let error = BaseConfig::parse(few.to_string().as_bytes(), 1).unwrap_err().to_string();
        assert_eq!(error, "its manifest has 1 layers, and its configuration 0");
    }
}
