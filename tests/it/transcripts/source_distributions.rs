//! Small source distributions: of pure Python, with an extension in C, and one whose build reaches for what it may not have.

use std::fs;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

/// The name of each source distribution and its files.
const SOURCE_DISTRIBUTIONS: [(&str, &[(&str, &str)]); 3] = [
    (
        "fixture_pure",
        &[
            (
                "setup.py",
                "from setuptools import setup\nsetup(name='fixture_pure', version='1.0', py_modules=['fixture_pure'])\n",
            ),
            ("fixture_pure.py", "VALUE = 1\n"),
        ],
    ),
    (
        "fixture_native",
        &[
            (
                "setup.py",
                "from setuptools import Extension, setup\n\
                 setup(name='fixture_native', version='1.0', ext_modules=[Extension('fixture_native', ['native.c'])])\n",
            ),
            (
                "native.c",
                "#include <Python.h>\n\
                 static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"fixture_native\", 0, -1, 0};\n\
                 PyMODINIT_FUNC PyInit_fixture_native(void) {\n    \
                 PyObject *m = PyModule_Create(&module);\n    PyModule_AddIntConstant(m, \"VALUE\", 1);\n    return m;\n}\n",
            ),
        ],
    ),
    (
        "fixture_reaching",
        &[(
            "setup.py",
            "import urllib.request\nurllib.request.urlopen('http://example.invalid/')\n\
             from setuptools import setup\nsetup(name='fixture_reaching', version='1.0')\n",
        )],
    ),
];

/// Writes all source distributions to a directory.
pub fn write_all(dir: &Path) {
    for (name, files) in SOURCE_DISTRIBUTIONS {
        fs::write(dir.join(file_name(name)), archive(name, files)).unwrap();
    }
}

/// Replaces `@SHA256:fixture_pure@` and so on by the hashes of the source distributions in a directory.
pub fn fill_in(text: &str, dir: &Path) -> String {
    SOURCE_DISTRIBUTIONS.iter().fold(text.to_owned(), |text, (name, _)| {
        let sha256 = Sha256::digest(fs::read(dir.join(file_name(name))).unwrap());
        let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        text.replace(&format!("@SHA256:{name}@"), &sha256)
    })
}

fn file_name(name: &str) -> String {
    format!("{name}-1.0.tar.gz")
}

fn archive(name: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let mut tar = tar::Builder::new(GzBuilder::new().write(Vec::new(), Compression::fast()));
    for (path, text) in files.iter().copied().chain([("PKG-INFO", metadata.as_str())]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{name}-1.0/{path}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}
