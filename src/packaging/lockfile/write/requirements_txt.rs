//! Writes hash-pinned requirements, with the comments that `lockfile::requirements_txt` reads: the dependencies of each
//! package. Files are identified by their hashes alone, so the text names neither an index nor a file.

use uv_pep508::VersionOrUrl;

use super::NewLock;
use crate::packaging::lockfile::Format;
use crate::packaging::lockfile::requirements_txt::REQUIRES_COMMENT;
use crate::packaging::lockfile::resolution::Resolution;
use crate::packaging::requirement::canonical;

pub(super) fn text(new: &NewLock<'_>) -> String {
    let header = if new.has_sidecar { String::new() } else { new.generated.header(Format::Requirements, "#", new.old) };
    header + &entries(new.resolution)
}

/// The entries, sorted by name.
pub fn entries(resolution: &Resolution) -> String {
    let mut text = String::new();
    for (pin, package) in resolution.packages() {
        let pinned = match &pin.version_or_url {
            Some(VersionOrUrl::Url(url)) => format!("{} @ {url}", pin.name),
            _ => format!("{}=={}", pin.name, package.version),
        };
        let marker = pin.marker.contents().map(|marker| format!(" ; {marker}")).unwrap_or_default();
        let mut hashes: Vec<&str> = package.artifacts.iter().map(|artifact| artifact.sha256.as_str()).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let hashes: Vec<String> = hashes.iter().map(|hash| format!("    --hash=sha256:{hash}")).collect();
        text += &format!("{pinned}{marker} \\\n{}\n", hashes.join(" \\\n"));
        if package.requires.is_empty() {
            text += &format!("    {REQUIRES_COMMENT}\n");
        }
        for required in &package.requires {
            text += &format!("    {REQUIRES_COMMENT} {}\n", canonical(required));
        }
    }
    text
}
