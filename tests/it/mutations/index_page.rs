//! The property of pages of package indexes, in JSON and HTML: any bytes are rejected, or list files whose names have no
//! separator and whose addresses are not files of this machine. Used by the mutation tests and by the fuzzer.

use std::time::Duration;

use waders::net::{Page, listing};

pub fn check(bytes: &[u8]) {
    let content_type = if bytes.starts_with(b"{") { "application/vnd.pypi.simple.v1+json" } else { "text/html" };
    let page = Page {
        url: "https://example.invalid/simple/sample/".parse().unwrap(),
        content_type: content_type.to_owned(),
        body: bytes.to_vec(),
        etag: String::new(),
        max_age: Duration::ZERO,
    };
    match listing(&page) {
        Ok(files) => {
            for file in files {
                assert!(!file.file_name.contains(['/', '\0']) && file.file_name != "..", "{file:?}");
                assert!(!file.url.starts_with("file:"), "{file:?}");
            }
        }
        Err(error) => {
            assert!(error.to_string().contains("example.invalid"), "the message does not name the page: {error}")
        }
    }
}
