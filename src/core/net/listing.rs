//! File listings: index pages in JSON (PEP 691) and HTML (PEP 503, 592, 658, 714), and local directories. Which file fits an
//! interpreter is decided elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Client, Error, Page, html, location};

/// The `Accept` header of requests for index pages. Prefers JSON to HTML, as PEP 691 recommends.
pub const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
/// The size limit of index pages.
pub const PAGE_LIMIT_BYTES: u64 = 128 << 20;

/// One file of an index.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FileLink {
    /// The file name.
    pub file_name: String,
    /// The absolute URL without a fragment.
    pub url: String,
    /// The hash as 64 lower-case hexadecimal digits, if the page has it.
    pub sha256: Option<String>,
    /// The size, if the page has it.
    pub size_bytes: Option<u64>,
    /// Whether `<url>.metadata` is the metadata of the file (PEP 658).
    pub has_metadata: bool,
    /// The hash of the metadata file, in the form of `sha256`.
    pub metadata_sha256: Option<String>,
    /// The version specifiers of the supported interpreters.
    pub requires_python: Option<String>,
    /// Whether the file was yanked (PEP 592).
    pub yanked: bool,
}

impl Client {
    /// The files that an index page lists. A `file:` URL can also name a local directory, with or without `index.html`.
    pub fn listing(&self, url: &str) -> Result<Vec<FileLink>, Error> {
        let parsed = location::parse(url)?;
        match parsed.to_file_path() {
            Ok(path) if parsed.scheme() == "file" && path.is_dir() => {
                let page = path.join("index.html");
                if !page.is_file() {
                    return directory(&path);
                }
                let body = std::fs::read(&page).map_err(|source| Error::File { path: page, source })?;
                listing(&Page::local(parsed, "text/html", body))
            }
            _ => listing(&self.page(url, ACCEPT, PAGE_LIMIT_BYTES)?),
        }
    }
}

impl FileLink {
    /// Adds the hash of a local file, which a directory listing does not contain. A file that cannot be read stays without.
    pub fn with_sha256(mut self) -> FileLink {
        let path = location::parse(&self.url).ok().filter(|url| url.scheme() == "file");
        if let Some(path) = path.and_then(|url| url.to_file_path().ok())
            && self.sha256.is_none()
        {
            self.sha256 = sha256_of(&path).ok();
        }
        self
    }
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// The URL of a project's page of an index. `project` is a normalized name (PEP 503).
pub fn project_url(index: &str, project: &str) -> String {
    format!("{}/{project}/", index.trim_end_matches('/'))
}

/// The files that an index page lists.
pub fn listing(page: &Page) -> Result<Vec<FileLink>, Error> {
    let refuse = |why: String| Error::InvalidIndexPage { url: location::for_display(&page.url), why };
    let text = std::str::from_utf8(&page.body).map_err(|error| refuse(error.to_string()))?;
    match page.content_type.as_str() {
        "application/vnd.pypi.simple.v1+json" | "application/json" => from_json(&page.url, text).map_err(refuse),
        "application/vnd.pypi.simple.v1+html" | "text/html" | "" => from_html(&page.url, text).map_err(refuse),
        other => Err(refuse(format!("unsupported content type `{other}`"))),
    }
}

/// The files of a local directory (`--find-links`), sorted by name.
pub fn directory(path: &Path) -> Result<Vec<FileLink>, Error> {
    let fail = |source| Error::File { path: path.to_owned(), source };
    let mut links = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // File names of packages are UTF-8, and only an absolute path has a URL.
        let (Ok(file_name), Ok(url)) = (entry.file_name().into_string(), Url::from_file_path(entry.path())) else {
            continue;
        };
        let metadata = std::fs::metadata(entry.path()).map_err(fail)?;
        if metadata.is_file() {
            let size_bytes = Some(metadata.len());
            links.push(FileLink { file_name, url: url.into(), size_bytes, ..FileLink::default() });
        }
    }
    links.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    Ok(links)
}

#[derive(Deserialize)]
struct JsonPage {
    meta: JsonMeta,
    files: Vec<JsonFile>,
}

#[derive(Deserialize)]
struct JsonMeta {
    #[serde(rename = "api-version")]
    api_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    requires_python: Option<String>,
    size: Option<u64>,
    core_metadata: Option<FlagOrDetail>,
    dist_info_metadata: Option<FlagOrDetail>,
    yanked: Option<FlagOrDetail>,
}

/// A field that is either a flag or a detail that implies `true`: hashes (PEP 714) or the reason for yanking (PEP 592).
#[derive(Deserialize)]
#[serde(untagged)]
enum FlagOrDetail {
    Flag(bool),
    Hashes(BTreeMap<String, String>),
    Reason(String),
}

impl FlagOrDetail {
    fn is_set(&self) -> bool {
        match self {
            FlagOrDetail::Flag(flag) => *flag,
            FlagOrDetail::Hashes(_) => true,
            FlagOrDetail::Reason(reason) => !reason.is_empty(),
        }
    }

    fn sha256(&self) -> Option<String> {
        match self {
            FlagOrDetail::Hashes(hashes) => hashes.get("sha256").and_then(|hex| sha256(hex)),
            _ => None,
        }
    }
}

fn from_json(base: &Url, text: &str) -> Result<Vec<FileLink>, String> {
    let page: JsonPage = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_version(&page.meta.api_version)?;
    Ok(page.files.into_iter().filter_map(|file| json_link(base, file)).collect())
}

fn json_link(base: &Url, file: JsonFile) -> Option<FileLink> {
    let (file_name, url) = resolve(base, &file.url)?;
    // The page's own name is used unless it contains a path separator.
    let file_name = if file.filename.contains(['/', '\0']) { file_name } else { file.filename };
    let metadata = file.core_metadata.or(file.dist_info_metadata);
    Some(FileLink {
        file_name,
        url: url.into(),
        sha256: file.hashes.get("sha256").and_then(|hex| sha256(hex)),
        size_bytes: file.size,
        has_metadata: metadata.as_ref().is_some_and(FlagOrDetail::is_set),
        metadata_sha256: metadata.as_ref().and_then(FlagOrDetail::sha256),
        requires_python: file.requires_python.filter(|text| !text.is_empty()),
        yanked: file.yanked.as_ref().is_some_and(FlagOrDetail::is_set),
    })
}

/// The page in JSON (PEP 691), in which the URL of each file is the one that `relocate` returns for it. Of a page in JSON, all
/// other fields are kept. Files that cannot be fetched are left out.
pub fn relocated(page: &Page, mut relocate: impl FnMut(FileLink) -> String) -> Result<Vec<u8>, Error> {
    let mut document = match serde_json::from_slice::<Value>(&page.body) {
        Ok(document @ Value::Object(_)) => document,
        _ => {
            let files: Vec<Value> = listing(page)?.iter().map(json_file).collect();
            json!({"meta": {"api-version": "1.0"}, "files": files})
        }
    };
    let refuse = |why: String| Error::InvalidIndexPage { url: location::for_display(&page.url), why };
    check_version(document["meta"]["api-version"].as_str().unwrap_or_default()).map_err(refuse)?;
    if let Some(files) = document["files"].as_array_mut() {
        files.retain_mut(|file| {
            let link = JsonFile::deserialize(&*file).ok().and_then(|parsed| json_link(&page.url, parsed));
            link.is_some_and(|link| {
                file["url"] = relocate(link).into();
                true
            })
        });
    }
    Ok(document.to_string().into_bytes())
}

fn json_file(link: &FileLink) -> Value {
    let hashes = |sha256: &Option<String>| json!(sha256.iter().map(|hex| ("sha256", hex)).collect::<BTreeMap<_, _>>());
    let metadata =
        if link.metadata_sha256.is_some() { hashes(&link.metadata_sha256) } else { link.has_metadata.into() };
    json!({
        "filename": link.file_name,
        "url": link.url,
        "hashes": hashes(&link.sha256),
        "requires-python": link.requires_python,
        "core-metadata": metadata,
        "yanked": link.yanked,
    })
}

fn from_html(base: &Url, text: &str) -> Result<Vec<FileLink>, String> {
    let mut base = base.clone();
    let mut links = Vec::new();
    for tag in html::tags(text, &["a", "base", "meta"]) {
        let attribute = |name: &str| tag.attributes.get(name).map(String::as_str);
        match (tag.name.as_str(), attribute("href")) {
            ("meta", _) if attribute("name") == Some("pypi:repository-version") => {
                check_version(attribute("content").unwrap_or_default())?;
            }
            ("base", Some(href)) => base = base.join(href).map_err(|error| error.to_string())?,
            ("a", Some(href)) => links.extend(html_link(&base, href, attribute)),
            _ => {}
        }
    }
    Ok(links)
}

fn html_link<'a>(base: &Url, href: &str, attribute: impl Fn(&str) -> Option<&'a str>) -> Option<FileLink> {
    let fragment = href.split_once('#').map(|(_, fragment)| fragment).unwrap_or_default();
    let hash = |text: &str| text.split('&').find_map(|part| part.strip_prefix("sha256=").and_then(sha256));
    let (file_name, url) = resolve(base, href)?;
    let metadata = attribute("data-core-metadata").or(attribute("data-dist-info-metadata"));
    Some(FileLink {
        file_name,
        url: url.into(),
        sha256: hash(fragment),
        size_bytes: None,
        has_metadata: metadata.is_some_and(|value| value != "false"),
        metadata_sha256: metadata.and_then(hash),
        requires_python: attribute("data-requires-python").filter(|text| !text.is_empty()).map(str::to_owned),
        yanked: attribute("data-yanked").is_some(),
    })
}

/// The file name and the absolute URL of a link; `None` if it cannot be fetched or does not name a file.
fn resolve(base: &Url, href: &str) -> Option<(String, Url)> {
    let mut url = base.join(href).ok()?;
    url.set_fragment(None);
    // A page from a server must not make the client read local files.
    let allowed = matches!(url.scheme(), "http" | "https") || url.scheme() == base.scheme();
    allowed.then_some(())?;
    Some((location::file_name(&url)?, url))
}

fn sha256(hex: &str) -> Option<String> {
    let valid = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| hex.to_ascii_lowercase())
}

fn check_version(version: &str) -> Result<(), String> {
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(format!("unsupported API version `{version}`; only version 1 is supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(content_type: &str, body: &str) -> Page {
        let url = location::parse("http://index.example.invalid/simple/demo/").unwrap();
        Page::local(url, content_type, body.as_bytes().to_vec())
    }

    #[test]
    fn the_hash_of_a_local_file_is_added_on_request() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a-1.whl"), "").unwrap();
        let hash = directory(dir.path()).unwrap().remove(0).with_sha256().sha256.unwrap();
        assert!(hash.starts_with("e3b0c44298fc1c14"), "{hash}");
        let remote =
            FileLink { url: "https://example.invalid/a-1.whl".to_owned(), ..directory(dir.path()).unwrap().remove(0) };
        assert_eq!(remote.with_sha256().sha256, None);
    }

    #[test]
    fn json_and_html_pages_yield_the_same_links() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let html = format!(
            r#"<!DOCTYPE html><meta name="pypi:repository-version" content="1.1"><a href="../../files/demo-1%2Bx-py3-none-any.whl#sha256={a}"
            data-requires-python="&gt;=3.8" data-yanked="bad" data-core-metadata="sha256={b}">demo</a><a href="../">up</a>"#
        );
        let json = format!(
            r#"{{"meta":{{"api-version":"1.3"}},"name":"demo","files":[{{"filename":"demo-1+x-py3-none-any.whl","yanked":"bad",
            "url":"../../files/demo-1%2Bx-py3-none-any.whl","hashes":{{"sha256":"{a}","md5":"x"}},"requires-python":">=3.8",
            "core-metadata":{{"sha256":"{b}"}}}}]}}"#
        );
        let expected = FileLink {
            file_name: "demo-1+x-py3-none-any.whl".to_owned(),
            url: "http://index.example.invalid/files/demo-1%2Bx-py3-none-any.whl".to_owned(),
            sha256: Some(a),
            metadata_sha256: Some(b.to_lowercase()),
            has_metadata: true,
            requires_python: Some(">=3.8".to_owned()),
            yanked: true,
            size_bytes: None,
        };
        assert_eq!(listing(&page("text/html", &html)).unwrap(), std::slice::from_ref(&expected));
        assert_eq!(listing(&page("application/vnd.pypi.simple.v1+json", &json)).unwrap(), [expected]);
    }

    #[test]
    fn a_relocated_page_lists_the_same_files_elsewhere() {
        let html = r#"<a href="a-1.whl#sha256=x" data-requires-python="&gt;=3">a</a><a href="file:///b-1.whl">b</a>"#;
        let json = r#"{"meta":{"api-version":"1.1"},"name":"demo","files":[{"filename":"a-1.whl","url":"a-1.whl",
            "hashes":{},"requires-python":">=3","upload-time":"2020"},{"filename":"b-1.whl","url":"file:///b-1.whl"}]}"#;
        for (content_type, body) in [("text/html", html), ("application/json", json)] {
            let original = page(content_type, body);
            let mut urls = Vec::new();
            let relocated = relocated(&original, |link| {
                urls.push(link.url);
                "http://files.example.invalid/a-1.whl".to_owned()
            });
            let relocated = String::from_utf8(relocated.unwrap()).unwrap();
            assert_eq!(urls, ["http://index.example.invalid/simple/demo/a-1.whl"]);
            let mut expected = listing(&original).unwrap();
            expected[0].url = "http://files.example.invalid/a-1.whl".to_owned();
            assert_eq!(listing(&page("application/vnd.pypi.simple.v1+json", &relocated)).unwrap(), expected);
            assert_eq!(relocated.contains("upload-time"), content_type == "application/json", "{relocated}");
        }
        assert!(
            relocated(&page("text/html", "<meta name=\"pypi:repository-version\" content=\"2.0\">"), |link| link.url)
                .is_err()
        );
        assert!(
            relocated(&page("application/json", r#"{"meta":{"api-version":"2.0"},"files":[]}"#), |link| link.url)
                .is_err()
        );
    }

    #[test]
    fn a_link_from_a_server_to_a_local_file_is_ignored() {
        let html = r#"<a href="file:///etc/passwd">x</a><a href="ftp://example.invalid/x.whl">y</a>"#;
        assert_eq!(listing(&page("text/html", html)).unwrap(), []);
    }

    #[test]
    fn an_invalid_page_is_refused() {
        for (content_type, body) in [
            ("application/json", "{"),
            ("application/json", r#"{"meta":{"api-version":"2.0"},"files":[]}"#),
            ("text/html", r#"<meta name="pypi:repository-version" content="2.0">"#),
            ("image/png", "x"),
        ] {
            assert!(
                matches!(listing(&page(content_type, body)), Err(Error::InvalidIndexPage { .. })),
                "{content_type} {body}"
            );
        }
    }

    #[test]
    fn the_files_of_a_directory_are_sorted_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b-1.whl", "a 1.whl"] {
            std::fs::write(dir.path().join(name), "12").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let links = directory(dir.path()).unwrap();
        assert_eq!(links.iter().map(|link| link.file_name.as_str()).collect::<Vec<_>>(), ["a 1.whl", "b-1.whl"]);
        assert!(links[0].url.starts_with("file:///") && links[0].url.ends_with("a%201.whl"));
        assert_eq!(links[0].size_bytes, Some(2));
    }

    #[test]
    fn the_page_of_a_project_is_below_its_index() {
        assert_eq!(project_url("http://127.0.0.1/simple/", "demo"), "http://127.0.0.1/simple/demo/");
    }
}
