//! How the results of `package` are shown: a line for each written file, and a block for each package that was not built.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::base::Digest;

/// The files of one package.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenPackage {
    /// The address of the target.
    pub address: String,
    /// The files and directories that were written.
    pub files: Vec<WrittenFile>,
}

/// A file or directory in the directory for results.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenFile {
    /// The path relative to the build root, or absolute if it is elsewhere.
    pub path: String,
    /// The size; of a directory, that of all its files.
    pub size_bytes: u64,
    /// The SHA-256 hash of a file, in hexadecimal digits; `None` for a directory.
    pub sha256: Option<String>,
    /// The digest in the store: of a file, or of the tree of a directory.
    pub digest: Digest,
    /// The container image whose layout a directory is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<WrittenImage>,
}

/// What names an image.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenImage {
    /// Its names, such as `registry.example/app:1.0`.
    pub names: Vec<String>,
    /// The SHA-256 hash of its manifest, in hexadecimal digits, by which registries and tools name it.
    pub sha256: String,
}

impl WrittenFile {
    /// Renders `Wrote dist/a-1.0-py3-none-any.whl (12.3 kB, sha256:…)`.
    pub fn to_line(&self) -> String {
        let hash = match (&self.image, &self.sha256) {
            (Some(image), _) => format!("{}, sha256:{}", image.names.join(", "), image.sha256),
            (None, Some(sha256)) => format!("sha256:{sha256}"),
            (None, None) => format!("tree:{}", self.digest.hex()),
        };
        format!("Wrote {} ({}, {hash})", self.path, size(self.size_bytes))
    }
}

/// Renders why a package was not built, or a file not generated, below a line with the address. `done` is the participle.
pub fn failed_block(address: &str, done: &str, message: &str, colour: bool) -> String {
    let style = if colour { Style::new().fg_color(Some(AnsiColor::Red.into())) } else { Style::new() };
    format!("{style}✕{style:#} {address} was not {done}.\n{message}\n")
}

/// A size in decimal units: `812 B`, `12.3 kB`, `4.0 MB`.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_units() {
        assert_eq!(
            [0, 999, 1000, 12_345, 3_999_999, 2_000_000_000].map(size),
            ["0 B", "999 B", "1.0 kB", "12.3 kB", "4.0 MB", "2.0 GB"]
        );
    }

    #[test]
    fn a_file_has_its_hash_and_a_directory_that_of_its_tree() {
        let file = WrittenFile {
            path: "dist/a.whl".to_owned(),
            size_bytes: 1500,
            sha256: Some("00ff".to_owned()),
            digest: Digest::of(b"x"),
            image: None,
        };
        assert_eq!(file.to_line(), "Wrote dist/a.whl (1.5 kB, sha256:00ff)");
        let directory = WrittenFile { sha256: None, ..file };
        assert!(directory.to_line().contains("tree:"));
        let image = WrittenImage { names: vec!["app:1".to_owned()], sha256: "00ff".to_owned() };
        let image = WrittenFile { image: Some(image), ..directory };
        assert_eq!(image.to_line(), "Wrote dist/a.whl (1.5 kB, app:1, sha256:00ff)");
    }
}
