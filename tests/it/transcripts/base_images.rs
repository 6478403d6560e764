//! Images on base images of a registry: a real one on the loopback interface, and ones that refuse or lie. What is pulled is used as it is,
//! and nothing else than what the digest names.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use waders::net::server::{self, reply};
use waders::net::{Client, Login, NetworkSettings, Registry};

use crate::transcripts::images::{run, unpacked};
use crate::transcripts::publishing::{Server, start_registry};
use crate::transcripts::workspace::Workspace;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

const BUILD: &str = r#"
file(name="notes", source="notes.txt")
docker_image(
    name="docker",
    instructions=[
        "FROM fixture:base",
        "ENV PATH=/opt/bin:$PATH",
        "WORKDIR place",
        "COPY notes.txt /bin/",
        "COPY notes.txt /tmp/",
        "COPY notes.txt .",
        "USER www-data",
        'CMD ["cat", "notes.txt"]',
    ],
    dependencies=[":notes"],
)
docker_image(name="upper", instructions=["ARG BASE=:docker", "FROM $BASE", "COPY notes.txt /srv/place"], dependencies=[":notes"])
oci_image(name="oci", base_image="fixture:base", files=[":notes"], env={"A": "2"}, args=["cat", "/app/notes.txt"])
"#;

/// A repository with images on a base image, with a store of its own.
struct Repository {
    dir: TempDir,
    base: String,
}

impl Repository {
    fn new(base: &str) -> Repository {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write(
            "pants.toml",
            "[GLOBAL]\nbackend_packages = [\"pants.backend.docker\"]\n[docker]\nengine = {build = \"none\"}\n",
        );
        write("BUILD", BUILD);
        write("notes.txt", "notes\n");
        Repository { dir, base: base.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Packages a target, and returns the exit code and the messages.
    fn package(&self, target: &str, flags: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
        let bases = format!("--docker-composed-bases={{'fixture:base': '{}'}}", self.base);
        command.arg("package").arg(bases).args(flags).arg(target).current_dir(self.dir.path());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("DOCKER_CONFIG", self.path("login")).env("CI", "");
        let Output { status, stderr, .. } = command.output().unwrap();
        (status.code().unwrap(), String::from_utf8_lossy(&stderr).into_owned())
    }

    /// Stores the password of a registry where Docker does.
    fn log_in(&self, host: &str) {
        let auth = BASE64_STANDARD.encode("joe:secret");
        fs::create_dir(self.path("login")).unwrap();
        let text = json!({"auths": {host: {"auth": auth}}}).to_string();
        fs::write(self.path("login/config.json"), text).unwrap();
    }

    /// The blob of a layout that a descriptor names.
    fn blob(&self, layout: &str, descriptor: &Value) -> Value {
        let hash = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        serde_json::from_slice(&fs::read(self.path(layout).join("blobs/sha256").join(hash)).unwrap()).unwrap()
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len()})
}

/// An archive with directories (mode and path), links and files.
fn archive(directories: &[(u32, &str)], links: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode: u32, size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header
    };
    for (mode, path) in directories {
        archive.append_data(&mut header(tar::EntryType::Directory, *mode, 0), path, io::empty()).unwrap();
    }
    for (path, target) in links {
        archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), path, target).unwrap();
    }
    for (path, text) in files {
        archive.append_data(&mut header(tar::EntryType::Regular, 0o644, text.len()), path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The parts of a base image, as a registry stores them.
struct Base {
    /// Its layers and configurations.
    blobs: Vec<Vec<u8>>,
    /// The manifests for two platforms, and the list of both.
    manifests: [Vec<u8>; 3],
}

impl Base {
    /// An image with a layer that gzip compressed and one that Zstandard compressed.
    fn new() -> Base {
        let directories = [(0o755, "usr/bin/"), (0o1777, "tmp/"), (0o755, "opt/real/")];
        let plain = [
            archive(
                &directories,
                &[("bin", "usr/bin"), ("srv", "opt/real")],
                &[("tmp/old", "old"), ("usr/bin/cat", ""), ("etc/passwd", "www-data:x:33:33::/:/bin/sh\n")],
            ),
            archive(&[(0o700, "srv/place/")], &[], &[("tmp/.wh.old", "")]),
        ];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        io::copy(&mut plain[0].as_slice(), &mut encoder).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(plain[1].as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
        let mut blobs = vec![encoder.finish().unwrap(), zstd];
        let layers = json!([
            descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &blobs[0]),
            descriptor("application/vnd.oci.image.layer.v1.tar+zstd", &blobs[1]),
        ]);
        let manifests = ["amd64", "arm64"].map(|architecture| {
            let diffs = plain.each_ref().map(|bytes| format!("sha256:{}", sha256(bytes)));
            let config = json!({
                "os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diffs},
                "config": {"Env": ["PATH=/usr/bin", "A=1"], "Cmd": ["sh"], "WorkingDir": "/srv", "StopSignal": "SIGINT"},
                "history": [{"created_by": "one"}, {"created_by": "two"}, {"created_by": "three", "empty_layer": true}],
            });
            let config = config.to_string().into_bytes();
            let described = descriptor("application/vnd.docker.container.image.v1+json", &config);
            blobs.push(config);
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}).to_string().into_bytes()
        });
        let listed = [1, 0].map(|index| {
            let mut listed = descriptor(MANIFEST, &manifests[index]);
            listed["platform"] = json!({"os": "linux", "architecture": (["amd64", "arm64"][index])});
            listed
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string().into_bytes();
        let [amd64, arm64] = manifests;
        Base { blobs, manifests: [amd64, arm64, index] }
    }

    /// Uploads the image, and returns its reference.
    fn push(&self, host: &str) -> String {
        for blob in &self.blobs {
            push_blob(host, blob);
        }
        for (manifest, media_type) in self.manifests.iter().zip([MANIFEST, MANIFEST, INDEX]) {
            let client = Client::new(NetworkSettings::default());
            registry(&client, host)
                .push_manifest(&format!("sha256:{}", sha256(manifest)), media_type, manifest)
                .unwrap();
        }
        format!("{host}/team/base@sha256:{}", sha256(&self.manifests[2]))
    }
}

fn registry<'c>(client: &'c Client, host: &str) -> Registry<'c> {
    let login = Login::Password("joe".to_owned(), "secret".to_owned());
    Registry::new(client, host, "team/base", login).unwrap()
}

fn push_blob(host: &str, blob: &[u8]) {
    let client = Client::new(NetworkSettings::default());
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(blob.to_vec()))) };
    registry(&client, host).push_blob(&sha256(blob), blob.len() as u64, &open).unwrap();
}

/// A registry that asks for a password; `None` if the program is not installed.
fn real_registry(dir: &Path) -> Option<Server> {
    if Command::new("docker-registry").arg("--version").output().is_err() {
        println!("skipped: docker-registry is not installed");
        return None;
    }
    Some(start_registry(dir))
}

#[test]
fn images_contain_their_base_as_the_registry_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = real_registry(dir.path()) else { return };
    let host = format!("127.0.0.1:{}", server.port);
    let base = Base::new();
    let reference = base.push(&host);
    let repositories = [Repository::new(&reference), Repository::new(&reference)];
    let (code, stderr) = repositories[0].package(":docker", &[]);
    assert_eq!(code, 69, "{stderr}");
    assert!(stderr.contains("with status 401") && stderr.contains(&format!("`docker login {host}`")), "{stderr}");

    let [one, _] = repositories.each_ref().map(|repository| {
        repository.log_in(&host);
        let (code, stderr) = repository.package("::", &[]);
        assert_eq!(code, 0, "{stderr}");
        ["docker", "upper", "oci"].map(|name| fs::read(repository.path("dist").join(name).join("index.json")).unwrap())
    });
    let other = ["docker", "upper", "oci"]
        .map(|name| fs::read(repositories[1].path("dist").join(name).join("index.json")).unwrap());
    assert!(one == other, "two directories and two stores give the same bytes");

    let repository = &repositories[0];
    let [docker, oci] = ["dist/docker", "dist/oci"].map(|layout| {
        let index: Value =
            serde_json::from_slice(&fs::read(repository.path(layout).join("index.json")).unwrap()).unwrap();
        let manifest = repository.blob(layout, &index["manifests"][0]);
        let layers = manifest["layers"].as_array().unwrap();
        for (layer, (blob, kind)) in layers.iter().zip(base.blobs.iter().zip(["gzip", "zstd"])) {
            assert_eq!(*layer, descriptor(&format!("application/vnd.oci.image.layer.v1.tar+{kind}"), blob));
        }
        assert_eq!(layers.len(), 3, "{manifest}");
        repository.blob(layout, &manifest["config"])
    });
    let expected = json!({"Env": ["A=1", "PATH=/opt/bin:/usr/bin"], "Cmd": ["cat", "notes.txt"], "User": "www-data",
        "WorkingDir": "/srv/place", "StopSignal": "SIGINT"});
    assert_eq!(docker["config"], expected);
    assert_eq!(docker["history"].as_array().unwrap().len(), 4);
    let expected = json!({"Env": ["A=2", "PATH=/usr/bin"], "Cmd": ["cat", "/app/notes.txt"], "User": "root",
        "WorkingDir": "/srv", "StopSignal": "SIGINT"});
    assert_eq!(oci["config"], expected);

    // What the store lost is pulled again.
    let blobs = fs::read_dir(repository.path("cache/waders/blob")).unwrap();
    let blobs = blobs.flat_map(|dir| fs::read_dir(dir.unwrap().path()).unwrap()).map(|blob| blob.unwrap().path());
    let lost: Vec<PathBuf> = blobs.filter(|blob| base.manifests.contains(&fs::read(blob).unwrap())).collect();
    assert_eq!(lost.len(), 2, "the list and one of its manifests");
    lost.iter().for_each(|blob| fs::remove_file(blob).unwrap());
    let (code, stderr) = repository.package("::", &[]);
    assert_eq!(code, 0, "{stderr}");

    // What was pulled needs no registry.
    drop(server);
    fs::remove_dir_all(repository.path("dist")).unwrap();
    let build = BUILD.replace("name=\"oci\"", "name=\"another\"").replace("WORKDIR place", "WORKDIR other");
    fs::write(repository.path("BUILD"), build).unwrap();
    let (code, stderr) = repository.package("::", &[]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = Repository::new(&reference).package(":oci", &[]);
    assert_eq!(code, 69, "{stderr}");
    assert!(
        stderr.contains("cannot reach") && stderr.contains("an image that was pulled once needs no network"),
        "{stderr}"
    );
    check_unpacked(&repositories[1]);
}

/// Another tool unpacks the image: links and modes of the base image are what they were.
fn check_unpacked(repository: &Repository) {
    // umoci does not know Zstandard.
    let (from, to) = (repository.path("dist/upper"), repository.path("gzip"));
    let layout = |path: &Path| format!("oci:{}:latest", path.display());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--dest-compress-format=gzip", &layout(&from), &layout(&to)]);
    match skopeo.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => return println!("skipped: skopeo is not installed"),
    }
    let Some(unpacked) = unpacked(&to, "latest") else { return };
    let root = unpacked.path().join("bundle/rootfs");
    assert_eq!(fs::read_link(root.join("bin")).unwrap(), Path::new("usr/bin"));
    for file in ["usr/bin/notes.txt", "opt/real/place/notes.txt", "tmp/notes.txt"] {
        assert_eq!(fs::read_to_string(root.join(file)).unwrap(), "notes\n", "{file}");
    }
    assert!(!root.join("tmp/old").exists());
    assert_eq!(fs::metadata(root.join("tmp")).unwrap().permissions().mode() & 0o7777, 0o1777);
}

#[test]
fn a_program_runs_on_the_python_of_a_base_image() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = real_registry(dir.path()) else { return };
    let Some(workspace) = Workspace::running() else { return };
    let host = format!("127.0.0.1:{}", server.port);
    let package = |target: &str, bases: &[&str]| {
        let mut command = workspace.waders("programs", &["package", target]);
        command.args(bases).env("DOCKER_CONFIG", dir.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    package("src/app:composed-base", &[]);
    let layout = workspace.repository("programs").join("dist/src.app/composed-base");
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap();
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        push_blob(&host, &fs::read(entry.unwrap().path()).unwrap());
    }
    let manifest = fs::read(layout.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())).unwrap();
    let client = Client::new(NetworkSettings::default());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    registry(&client, &host).push_manifest(digest, media_type, &manifest).unwrap();
    let login = json!({"auths": {&host: {"auth": BASE64_STANDARD.encode("joe:secret")}}});
    fs::write(dir.path().join("config.json"), login.to_string()).unwrap();

    let bases = format!("--docker-composed-bases={{'fixture:3.11': '{host}/team/base@{digest}'}}");
    // The interpreter of this repository is part of the system tree.
    let mut refused = workspace.waders("programs", &["package", "src/app:on-base", &bases]);
    let Output { status, stderr, .. } = refused.env("DOCKER_CONFIG", dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.code() == Some(1) && stderr.contains("the interpreter of src/app:bin is part of"), "{stderr}");
    package("src/app:composed", &[&bases]);
    let layout = workspace.repository("programs").join("dist/src.app/composed");
    let Some(unpacked) = unpacked(&layout, "latest") else { return };
    let bundle = unpacked.path().join("bundle");
    let config: Value = serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    let run = run(&bundle.join("rootfs"), &config["process"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&run.stdout), "data of the program 1 ['one', 'two']\n", "{}", text(&run.stderr));
}

/// A registry that answers every request for one of these with its bytes.
fn serve(parts: Vec<(Vec<u8>, u16)>) -> server::Server {
    server::Server::start(move |request| {
        let found = parts.iter().find(|(bytes, _)| request.path.ends_with(&sha256(bytes)));
        let denied = br#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
        match found {
            Some((bytes, 200)) => reply(200, &[], bytes),
            Some((bytes, 0)) => reply(200, &[], &[&bytes[1..], b"x"].concat()),
            Some((_, status)) => reply(*status, &[], denied),
            None => reply(404, &[], br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#),
        }
    })
}

/// Packages an image on what a registry has under the hash of `named`, and expects a failure with all of these texts.
fn refused(parts: &[(&[u8], u16)], named: &[u8], flags: &[&str], code: i32, texts: &[&str]) {
    let server = serve(parts.iter().map(|(bytes, status)| (bytes.to_vec(), *status)).collect());
    let host = server.url("").trim_start_matches("http://").to_owned();
    let repository = Repository::new(&format!("{host}/team/base@sha256:{}", sha256(named)));
    for target in [":docker", ":oci"] {
        let (found, stderr) = repository.package(target, flags);
        assert_eq!(found, code, "{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{text}: {stderr}");
        }
    }
}

#[test]
fn a_base_image_that_cannot_be_had_is_explained() {
    let Base { blobs, manifests: [amd64, arm64, index] } = Base::new();
    let all: Vec<(&[u8], u16)> = blobs.iter().chain([&amd64]).map(|bytes| (&bytes[..], 200)).collect();
    let with = |changed: &'_ [u8], status| -> Vec<(&[u8], u16)> {
        all.iter().map(|(bytes, known)| (*bytes, if *bytes == changed { status } else { *known })).collect()
    };
    let refused_as =
        |changed: &[u8], status, code, texts: &[&str]| refused(&with(changed, status), &amd64, &[], code, texts);
    refused_as(
        &amd64,
        0,
        76,
        &["could not pull `manifest of 127.0.0.1:", "has the SHA-256 hash", "hint: the file was changed on the server"],
    );
    refused_as(&blobs[1], 0, 76, &["could not pull `layer 2 of 2 of 127.0.0.1:", "has the SHA-256 hash"]);
    refused_as(&amd64, 403, 69, &["with status 403: DENIED not for you", "`docker login 127.0.0.1:"]);
    refused_as(&blobs[0], 404, 69, &["could not pull `layer 1 of 2", "with status 404"]);
    refused(
        &all,
        &arm64,
        &[],
        69,
        &["MANIFEST_UNKNOWN manifest unknown", "check the name and the digest of the image"],
    );
    let limit = ["--docker-max-layer-size=100B"];
    refused(
        &all,
        &amd64,
        &limit,
        1,
        &["layer 1 of `127.0.0.1:", "`[docker] max_layer_size` is 100 B", "hint: choose another base image"],
    );

    let mut foreign: Value = serde_json::from_slice(&index).unwrap();
    foreign["manifests"].as_array_mut().unwrap().truncate(1);
    let foreign = foreign.to_string().into_bytes();
    refused(
        &[(&foreign, 200)],
        &foreign,
        &[],
        1,
        &["has no image for linux/amd64, only for linux/arm64", "hint: name the digest"],
    );
    let old = json!({"schemaVersion": 1, "name": "team/base", "fsLayers": []}).to_string().into_bytes();
    refused(
        &[(&old, 200)],
        &old,
        &[],
        1,
        &["is not suitable: its manifest has the old format schema 1", "hint: push the image again"],
    );
    let parts = [(&arm64[..], 200), (&blobs[3], 200)];
    refused(&parts, &arm64, &[], 1, &["it is an image for linux/arm64"]);
}

#[test]
fn a_reference_without_a_digest_is_refused() {
    let texts = |base: &str, target: &str| {
        let (code, stderr) = Repository::new(base).package(target, &[]);
        assert_eq!(code, 1, "{stderr}");
        stderr
    };
    let stderr = texts("registry.example/python:3.12", ":docker");
    assert!(stderr.contains("`registry.example/python:3.12` has no digest"), "{stderr}");
    assert!(
        stderr.contains("docker://registry.example/python:3.12`, and write `registry.example/python@sha256:…`"),
        "{stderr}"
    );
    let stderr = texts("CPython==3.11.*", ":oci");
    assert!(
        stderr.contains("says that `CPython==3.11.*` stands for it, which is not an image of a registry"),
        "{stderr}"
    );
}
