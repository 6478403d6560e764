//! The property of lists of Debian packages: any text is rejected, or names files below the archive, each package once. Used by the
//! mutation tests and by the fuzzer.

use std::collections::BTreeSet;

use waders::base::RelPath;
use waders::toolchain::debian::Archive;

pub fn check(bytes: &[u8]) {
    let Ok(text) = String::from_utf8(bytes.to_vec()) else { return };
    let archive = Archive::unsigned(text);
    let Ok(interpreters) = archive.interpreters() else { return };
    let wanted = ["app".to_owned()].into_iter().chain(interpreters.into_keys()).collect::<Vec<_>>();
    let Ok(files) = archive.resolve(&wanted, &[]) else { return };
    assert!(wanted.is_empty() || !files.is_empty());
    let mut names = BTreeSet::new();
    for file in files {
        assert_eq!(RelPath::parse(&file.path).unwrap().as_str(), file.path);
        assert!(names.insert(file.name.clone()), "{} is listed twice", file.name);
    }
}
