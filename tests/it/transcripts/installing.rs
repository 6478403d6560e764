//! The wheel that `.ci/wheel` builds with Waders: its files, and that it is the same when it is built again. The script also installs it in a
//! sandbox with a bare system, and runs the program there (`tests/install/release/installed_test.py`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::transcripts::workspace::Workspace;

/// The modes and contents of a wheel's files.
fn files(wheel: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(File::open(wheel).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(file.name().to_owned(), (file.unix_mode().unwrap() & 0o777, content));
    }
    files
}

#[test]
fn the_wheel_has_the_program_and_is_the_same_each_time() {
    let Some(workspace) = Workspace::running() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = workspace.waders("daily", &[]);
    let mut script = Command::new(root.join(".ci/wheel"));
    script.envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The wheels of the fixtures are not needed, and the directory of the script has no variable for them.
    script.env_remove("WADERS_PYTHON_REPOS_PATH_MAPPINGS").env("WADERS_TEST_EXTRA_ENV_VARS", "[]");
    let output = script.arg(env!("CARGO_BIN_EXE_waders")).arg(out.path()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 file passed") && text.contains("✓ Steps of package compared: "), "{text}");

    let wheels: Vec<_> = fs::read_dir(out.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    let name = wheels[0].file_name().unwrap().to_str().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(name.starts_with(&format!("waders-{version}-py3-none-manylinux_2_")) && wheels.len() == 1, "{wheels:?}");
    let files = files(&wheels[0]);
    let (mode, program) = &files[&format!("waders-{version}.data/scripts/waders")];
    assert!(*mode == 0o755 && program.starts_with(b"\x7fELF"));
    assert!(files.contains_key(&format!("waders-{version}.data/data/share/man/man1/waders-test.1")));
    let info = |name: &str| String::from_utf8(files[&format!("waders-{version}.dist-info/{name}")].1.clone()).unwrap();
    let tag = name.strip_prefix(&format!("waders-{version}-")).unwrap().strip_suffix(".whl").unwrap();
    assert!(info("WHEEL").contains(&format!("\nTag: {tag}\n")) && info("WHEEL").contains("Purelib: false\n"));
    assert!(info("METADATA").contains("\nLicense-Expression: Apache-2.0\n"));
    let record = info("RECORD");
    assert_eq!(record.lines().count(), files.len());
    for (name, (_, content)) in files.iter().filter(|(name, _)| !name.ends_with("RECORD")) {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        assert!(record.contains(&format!("{name},sha256={hash},{}\n", content.len())), "{name} in {record}");
    }
}
