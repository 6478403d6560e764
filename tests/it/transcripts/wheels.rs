//! Small wheels, valid and damaged ones, and the lockfiles that refer to them.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

/// The distribution, its version, the file in it, and the damage.
const WHEELS: [(&str, &str, &str, Damage); 10] = [
    ("fixture_sound", "1.0", "fixture_sound.py", Damage::None),
    ("fixture_truncated", "1.0", "fixture_truncated.py", Damage::Truncated),
    ("fixture_escaping", "1.0", "../escaped.py", Damage::None),
    ("fixture_app", "1.0", "fixture_app.py", Damage::None),
    ("fixture_base", "1.0", "fixture_base.py", Damage::None),
    ("fixture_fast", "1.0", "fixture_fast.py", Damage::None),
    ("fixture_alone", "1.0", "fixture_alone.py", Damage::None),
    ("fixture_moving", "1.0", "fixture_moving.py", Damage::None),
    ("fixture_moving", "2.0", "fixture_moving.py", Damage::None),
    ("fixture_moving", "3.0", "fixture_moving.py", Damage::None),
];

/// The metadata of a distribution with dependencies.
const REQUIRES: [(&str, &str); 1] = [(
    "fixture_app",
    "Requires-Dist: fixture-base\nProvides-Extra: fast\nRequires-Dist: fixture-fast; extra == 'fast'\n",
)];

#[derive(Clone, Copy, PartialEq)]
enum Damage {
    None,
    Truncated,
}

/// Writes all wheels to a directory.
pub fn write_all(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for (name, version, member, damage) in WHEELS {
        let mut bytes = wheel(name, version, member);
        if damage == Damage::Truncated {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(dir.join(file_name(name, version)), bytes).unwrap();
    }
}

/// Replaces `@WHEELS@` by the address of the directory and `@SHA256:fixture_sound@` by the hash of that wheel.
pub fn fill_in(text: String, dir: &Path) -> String {
    let mut text = text.replace("@WHEELS@", &format!("file://{}", dir.display()));
    for (name, version, ..) in WHEELS.iter().filter(|(_, version, ..)| *version == "1.0") {
        let sha256 = hex(&Sha256::digest(fs::read(dir.join(file_name(name, version))).unwrap()));
        text = text.replace(&format!("@SHA256:{name}@"), &sha256);
    }
    text
}

fn file_name(name: &str, version: &str) -> String {
    format!("{name}-{version}-py3-none-any.whl")
}

/// The bytes of a sound wheel with one file, `member`.
pub fn wheel(name: &str, version: &str, member: &str) -> Vec<u8> {
    let info = format!("{name}-{version}.dist-info");
    let requires = REQUIRES.iter().find(|(dependent, _)| *dependent == name).map_or("", |(_, requires)| *requires);
    let files = [
        (member.to_owned(), "VALUE = 1\n".to_owned()),
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: fixture\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
    ];
    let mut record = String::new();
    for (path, text) in &files {
        record += &format!("{path},sha256={},{}\n", base64(&Sha256::digest(text)), text.len());
    }
    record += &format!("{info}/RECORD,,\n");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in
        files.iter().map(|(path, text)| (path.clone(), text)).chain([(format!("{info}/RECORD"), &record)])
    {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
