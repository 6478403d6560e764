//! Attestations: they are reproducible and contain no secret, private keys are protected, and cache entries of pull requests never
//! reach the main branch. What a user sees is in `docs/attest.md`, which is a transcript.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::transcripts::workspace::{Workspace, now_nanos, store};

const REPOSITORY: &str = "attesting";

/// The secret that the tests put wherever Waders takes one.
const SECRET: &str = "correct-horse-battery";

/// A workspace with the key pairs `team-key` and `other-key` beside the repository.
fn workspace() -> Option<Workspace> {
    let workspace = Workspace::running()?;
    for key in ["../team-key", "../other-key"] {
        succeed(&mut workspace.waders(REPOSITORY, &["attest", "keygen", key]));
    }
    Some(workspace)
}

fn beside(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.repository(REPOSITORY).with_file_name(name)
}

fn succeed(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{stderr}");
    stderr
}

/// The files below a directory, by their paths there.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => {
                    let path = entry.path().strip_prefix(dir).unwrap().to_owned();
                    found.insert(path, fs::read(entry.path()).unwrap());
                }
            }
        }
    }
    found
}

#[test]
fn attestations_have_the_same_bytes_in_another_directory() {
    let (Some(first), Some(second)) = (workspace(), workspace()) else { return };
    fs::copy(beside(&first, "team-key"), beside(&second, "team-key")).unwrap();
    for workspace in [&first, &second, &first] {
        succeed(&mut workspace.waders(REPOSITORY, &["attest", "package", "src/app:bin"]));
    }
    let [first, second] = [&first, &second].map(|one| files(&one.repository(REPOSITORY).join("dist/attestations")));
    assert_eq!(first.len(), 2, "{:?}", first.keys());
    assert!(first == second, "{:?} {:?}", first.keys(), second.keys());
}

/// The statement in a signed document.
fn statement(workspace: &Workspace, file: &str) -> Value {
    let path = workspace.repository(REPOSITORY).join("dist/attestations").join(file);
    let envelope: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    serde_json::from_slice(&BASE64_STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_closure_names_sources_requirements_tools_and_the_toolchain() {
    let Some(workspace) = workspace() else { return };
    succeed(&mut workspace.waders(REPOSITORY, &["attest", "package", "src/app:bin"]));
    let statement = statement(&workspace, "package/src.app.bin.provenance.json");
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["internalParameters"]["isolation"], "full");
    let all = definition["resolvedDependencies"].as_array().unwrap();
    let describe = |one: &Value| {
        let [kind, role] = ["kind", "role"].map(|key| one["annotations"][key].as_str().unwrap_or_default().to_owned());
        (one["name"].as_str().unwrap().to_owned(), kind, role)
    };
    let found: Vec<(String, String, String)> = all.iter().map(describe).collect();
    for (name, kind, role) in [
        ("src/app/__init__.py", "source", "content"),
        ("src/app/main.py", "source", "content"),
        ("waders.lock", "settings", "environment"),
        ("fixture_app-1.0-py3-none-any.whl", "distribution", "content"),
        ("fixture_base-1.0-py3-none-any.whl", "distribution", "content"),
    ] {
        assert!(found.contains(&(name.to_owned(), kind.to_owned(), role.to_owned())), "{name} {found:?}");
    }
    let count = |wanted: &str| found.iter().filter(|(_, kind, _)| kind == wanted).count();
    assert_eq!((count("source"), count("settings"), count("generated")), (2, 3, 0), "{found:?}");
    let is_tool = |(name, _, role): &(String, String, String)| name.starts_with("pex-") && role == "environment";
    assert!(found.iter().any(is_tool) && count("debian-package") > 20, "{found:?}");
}

#[test]
fn a_failed_test_is_attested_as_failed() {
    let Some(workspace) = workspace() else { return };
    let test = workspace.repository(REPOSITORY).join("tests/main_test.py");
    fs::write(&test, fs::read_to_string(&test).unwrap() + "\n\ndef test_failing() -> None:\n    assert False\n")
        .unwrap();
    let output = workspace.waders(REPOSITORY, &["attest", "test", "tests::"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let predicate = &statement(&workspace, "test/tests.main_test.py.test-result.json")["predicate"];
    assert_eq!(predicate["result"], "FAILED");
    assert_eq!(predicate["passedTests"], json!(["tests.main_test::test_main"]));
    assert_eq!(predicate["failedTests"], json!(["tests.main_test::test_failing"]));
}

#[test]
fn no_document_and_no_record_contains_a_secret() {
    let Some(workspace) = workspace() else { return };
    // Without credentials first, so that nothing has to be looked up in an index that does not exist.
    succeed(&mut workspace.waders(REPOSITORY, &["attest", "package", "test", "::"]));
    let url = format!("https://user:{SECRET}@index.example.invalid/simple");
    let repository = format!("--attest-repository=git+{url}");
    let args = ["attest", "--logdir=logs", &repository, "package", "test", "::"];
    let mut command = workspace.waders(REPOSITORY, &args);
    command.env("WADERS_LOG", "trace").env("PIP_EXTRA_INDEX_URL", &url).env("TOKEN", SECRET);
    command
        .env("WADERS_TEST_EXTRA_ENV_VARS", "+['TOKEN']")
        .env("WADERS_PYTEST_ARGS", format!("+['--ignore={SECRET}']"));
    succeed(&mut command);
    let root = workspace.repository(REPOSITORY);
    let documents = files(&root.join("dist/attestations"));
    assert_eq!(documents.len(), 7, "{:?}", documents.keys());
    for (path, bytes) in &documents {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let envelope: Option<Value> = serde_json::from_str(&text).ok();
        let payload = envelope.and_then(|envelope| BASE64_STANDARD.decode(envelope["payload"].as_str()?).ok());
        let whole = text + &String::from_utf8_lossy(&payload.unwrap_or_default());
        assert!(!whole.contains(SECRET), "{}", path.display());
    }
    let key = fs::read_to_string(beside(&workspace, "team-key")).unwrap();
    let key = key.lines().nth(1).unwrap();
    let records =
        ["index.db", "index.db-wal"].map(|name| fs::read(store().join("waders").join(name)).unwrap_or_default());
    let logs = files(&root.join("logs"));
    assert!(!logs.is_empty());
    for bytes in records.iter().chain(logs.values()).chain(documents.values()) {
        assert!(!String::from_utf8_lossy(bytes).contains(key));
    }
}

#[test]
fn a_third_party_needs_the_attestation_the_key_and_the_sources_only() {
    let Some(workspace) = workspace() else { return };
    succeed(&mut workspace.waders(REPOSITORY, &["attest", "package", "--format=sigstore", "src/app:bin"]));
    let elsewhere = tempfile::tempdir().unwrap();
    let root = workspace.repository(REPOSITORY);
    let bundle = root.join("dist/attestations/package/src.app.bin.provenance.sigstore.json");
    for (from, name) in [(&bundle, "bundle.json"), (&beside(&workspace, "team-key.pub"), "key.pub")] {
        fs::copy(from, elsewhere.path().join(name)).unwrap();
    }
    let sources = format!("--sources={}", root.display());
    let args = ["attest", "verify", "bundle.json", "--key=key.pub", &sources, "--json"];
    let output = workspace.waders(REPOSITORY, &args).current_dir(elsewhere.path()).output().unwrap();
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&checked["sources"], &checked["subjects"][0]["name"]), (&5.into(), &"src.app/bin.pex".into()));
}

#[test]
fn a_private_key_is_protected() {
    let Some(workspace) = workspace() else { return };
    let key = beside(&workspace, "team-key");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    let refused = |args: &[&str], expected: &str| {
        let output = workspace.waders(REPOSITORY, &[&["attest", "package"], args, &["src/app:bin"]].concat()).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && stderr.contains(expected), "{stderr}");
        assert!(!workspace.repository(REPOSITORY).join("dist").exists(), "nothing is built before the key is checked");
    };
    fs::copy(&key, workspace.repository(REPOSITORY).join("inside")).unwrap();
    refused(&["--sign-with=inside"], "is inside the repository");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    refused(&[], "is accessible to others than its owner: its mode is 0640");
    fs::remove_file(&key).unwrap();
    refused(&[], "cannot read the key");
    fs::write(&key, SECRET).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    refused(&[], "not a private Ed25519 key");
    let again = workspace.waders(REPOSITORY, &["attest", "keygen", "../team-key"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists, and is not replaced"));
    assert_eq!(fs::read_to_string(&key).unwrap(), SECRET);
}

/// Packages the program as a run of CI would, in a namespace of the cache that no other test uses.
fn package(workspace: &Workspace, own: &str, namespace: &str, key: &str) -> String {
    let flags = [
        "--pants-config-files=ci.toml".to_owned(),
        format!("--process-execution-cache-namespace={own}"),
        format!("--cache-namespace={namespace}"),
        "--cache-sign-with-env=CACHE_KEY".to_owned(),
    ];
    let args: Vec<&str> = flags.iter().map(String::as_str).chain(["package", "src/app:bin"]).collect();
    let key = fs::read_to_string(beside(workspace, key)).unwrap();
    succeed(workspace.waders(REPOSITORY, &args).env("CACHE_KEY", key))
}

#[test]
fn a_pull_request_uses_results_of_the_main_branch_and_provides_none() {
    let Some(workspace) = workspace() else { return };
    let own = format!("attesting-{}", now_nanos());
    let on_main = || package(&workspace, &own, "main", "team-key");
    let on_pull_request = || package(&workspace, &own, "pull-requests", "other-key");
    let (ran, untrusted) = ("Completed: package src/app:bin", "not used");
    assert!(on_main().contains(ran));
    for stderr in [on_main(), on_pull_request()] {
        assert!(!stderr.contains(ran) && !stderr.contains(untrusted), "{stderr}");
    }
    let source = workspace.repository(REPOSITORY).join("src/app/main.py");
    fs::write(&source, fs::read_to_string(&source).unwrap() + "\n# edited\n").unwrap();
    assert!(on_pull_request().contains(ran));
    assert!(!on_pull_request().contains(ran));
    let stderr = on_main();
    assert!(stderr.contains(ran), "{stderr}");
    assert!(stderr.contains("1 cached result was not used: 1 signed with the unknown key `"), "{stderr}");
    // A pull request that claims to be the main branch is signed with a key that is not trusted for it.
    let forged = package(&workspace, &own, "main", "other-key");
    assert!(!forged.contains(ran), "{forged}");
    fs::write(&source, fs::read_to_string(&source).unwrap() + "\n# again\n").unwrap();
    package(&workspace, &own, "main", "other-key");
    let stderr = on_main();
    assert!(stderr.contains(ran) && stderr.contains(untrusted), "{stderr}");
}
