//! Package URLs, as <https://github.com/package-url/purl-spec> describes them for the types `pypi`, `deb`, `oci` and `generic`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything except the characters that package URLs never encode.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b':').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// A distribution from a package index. `name` is normalized.
pub fn python(name: &str, version: &str, file_name: &str) -> String {
    format!("pkg:pypi/{}@{}?file_name={}", encoded(name), encoded(version), encoded(file_name))
}

/// A Debian package; `release` is the version of Debian.
pub fn debian(name: &str, version: &str, architecture: &str, release: &str) -> String {
    let [name, version, architecture, release] = [name, version, architecture, release].map(encoded);
    format!("pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-{release}")
}

/// A part of a container image: its hash, and the repository of a registry that has it.
pub fn oci(repository: &str, sha256: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or(repository);
    format!("pkg:oci/{}@sha256:{sha256}?repository_url={}", encoded(name), encoded(repository))
}

/// A file that is known by its address and hash.
pub fn download(name: &str, url: &str, sha256: &str) -> String {
    format!("pkg:generic/{}?checksum=sha256:{sha256}&download_url={}", encoded(name), encoded(url))
}

/// Anything else.
pub fn generic(name: &str, version: &str) -> String {
    format!("pkg:generic/{}@{}", encoded(name), encoded(version))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_encoded() {
        let expected = "pkg:pypi/a-b@1%211.0%2Blocal?file_name=a_b-1%211.0%2Blocal-py3-none-any.whl";
        assert_eq!(python("a-b", "1!1.0+local", "a_b-1!1.0+local-py3-none-any.whl"), expected);
        let expected = "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12.11";
        assert_eq!(debian("libstdc++6", "1:12.2.0-14+deb12u1", "amd64", "12.11"), expected);
        let expected = "pkg:oci/python@sha256:12?repository_url=registry.example:5000%2Flibrary%2Fpython";
        assert_eq!(oci("registry.example:5000/library/python", "12"), expected);
        let expected = "pkg:generic/a.json?checksum=sha256:12&download_url=https:%2F%2Fexample.invalid%2Fa.json";
        assert_eq!(download("a.json", "https://example.invalid/a.json", "12"), expected);
        assert_eq!(generic("cpython", "3.12.7"), "pkg:generic/cpython@3.12.7");
    }
}
