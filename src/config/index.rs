//! Package index settings: reads the settings of pip and uv in the same way as these programs, so that a machine that is configured
//! for them works without further settings. Pure: environment and file contents are arguments. No host is named here; the default
//! index is the one in the crates of uv.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uv_distribution_types::PYPI_URL;

use crate::tracked::Variables;

/// Package indexes and link pages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Indexes {
    /// The indexes, in the order in which they are queried.
    pub indexes: Vec<IndexUrl>,
    /// Directories and pages with links that are searched in addition to the indexes.
    pub find_links: Vec<IndexUrl>,
}

/// The URL of an index and the setting that contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexUrl {
    /// The URL. It can contain credentials and must not be displayed.
    pub url: String,
    /// The setting, for messages.
    pub named_by: String,
}

/// A settings file of pip or uv.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// Its contents.
    pub text: String,
}

/// A syntax error in a settings file of pip or uv.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{}`: {why}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// The error, with its line.
    pub why: String,
}

/// The settings files of pip in ascending precedence: global, user, and `PIP_CONFIG_FILE`. If that is `/dev/null`, pip reads no
/// files.
pub fn pip_files(vars: &Variables, home: &Path) -> Vec<PathBuf> {
    let named = vars.get("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let config_home = vars.get("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
    let config_home = config_home.map_or_else(|| home.join(".config"), PathBuf::from);
    let mut files = vec![
        PathBuf::from("/etc/xdg/pip/pip.conf"),
        PathBuf::from("/etc/pip.conf"),
        home.join(".pip/pip.conf"),
        config_home.join("pip/pip.conf"),
    ];
    files.extend(named);
    files
}

/// The settings files of uv in ascending precedence.
pub fn uv_files(vars: &Variables, home: &Path) -> Vec<PathBuf> {
    if let Some(named) = vars.get("UV_CONFIG_FILE").filter(|path| !path.is_empty()) {
        return vec![PathBuf::from(named)];
    }
    let config_home = vars.get("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
    let config_home = config_home.map_or_else(|| home.join(".config"), PathBuf::from);
    vec![PathBuf::from("/etc/uv/uv.toml"), config_home.join("uv/uv.toml")]
}

/// Determines the package indexes. The first source with an index is used alone: environment variables of uv, those of pip, files
/// of uv, files of pip, the default. Files are passed in ascending precedence, as `pip_files` and `uv_files` return them. The
/// `find-links` of all sources are combined.
pub fn discover(vars: &Variables, uv: &[ConfigFile], pip: &[ConfigFile]) -> Result<Indexes, Error> {
    let uv_files = uv.iter().map(from_uv_toml).collect::<Result<Vec<_>, _>>()?;
    let pip_files = from_pip_confs(pip)?;
    let sources = [&[from_uv_vars(vars), from_pip_vars(vars)][..], &stronger_first(uv_files), &[pip_files]].concat();
    let mut found = Indexes::default();
    for source in sources {
        found.find_links.extend(source.find_links);
        if found.indexes.is_empty() {
            found.indexes = source.indexes;
        }
    }
    let no_index = vars.get("PIP_NO_INDEX").or(vars.get("UV_NO_INDEX")).is_some_and(|value| is_true(value));
    if no_index {
        found.indexes.clear();
    } else if found.indexes.is_empty() {
        found.indexes.push(default_index());
    }
    Ok(found)
}

/// The mirror of standalone interpreters in the settings of uv. Files are passed in ascending precedence.
pub fn python_mirror(vars: &Variables, uv: &[ConfigFile]) -> Option<String> {
    let in_file = |file: &ConfigFile| {
        let table: toml::Table = file.text.parse().ok()?;
        table.get("python-install-mirror")?.as_str().map(str::to_owned)
    };
    let var = vars.get("UV_PYTHON_INSTALL_MIRROR").filter(|mirror| !mirror.is_empty()).map(|mirror| mirror.to_string());
    var.or_else(|| uv.iter().rev().find_map(in_file))
}

/// The default index of the crates of uv.
pub fn default_index() -> IndexUrl {
    IndexUrl {
        url: PYPI_URL.as_str().to_owned(),
        named_by: "the built-in default (set `PIP_INDEX_URL` to change it)".to_owned(),
    }
}

/// The file with trusted certificates, from the first of these variables that is set.
pub fn ca_bundle(vars: &Variables) -> Option<PathBuf> {
    let names = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    names.iter().find_map(|name| vars.get(name).filter(|path| !path.is_empty())).map(PathBuf::from)
}

/// Network settings from environment variables.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Network {
    /// A PEM file with the trusted certificates.
    pub ca_bundle: Option<PathBuf>,
    /// The proxy for `http:` URLs.
    pub http_proxy: Option<String>,
    /// The proxy for `https:` URLs.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy.
    pub no_proxy: Vec<String>,
}

/// The file with names and passwords by host: the variable `NETRC`, or `.netrc` in the home directory.
pub fn netrc(vars: &Variables, home: Option<&Path>) -> Option<PathBuf> {
    let named = vars.get("NETRC").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| home.map(|home| home.join(".netrc")))
}

/// The variables that curl, pip and uv have in common. Lower-case names have precedence, since a CGI server can set `HTTP_PROXY`
/// from a request header.
pub fn network(vars: &Variables) -> Network {
    let var = |names: &[&str]| names.iter().find_map(|name| vars.get(name)).filter(|value| !value.is_empty()).cloned();
    let no_proxy = var(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    let hosts = no_proxy.split(',').map(str::trim).filter(|host| !host.is_empty());
    Network {
        ca_bundle: ca_bundle(vars),
        http_proxy: var(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
        https_proxy: var(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        no_proxy: hosts.map(str::to_owned).collect(),
    }
}

fn stronger_first(mut files: Vec<Indexes>) -> Vec<Indexes> {
    files.reverse();
    files
}

fn from_uv_vars(vars: &Variables) -> Indexes {
    let words = |names: &[&str]| words(vars, names);
    let mut indexes = words(&["UV_INDEX"]);
    for index in &mut indexes {
        // The name in `name=https://…` is not used here.
        if let Some((name, url)) = index.url.split_once('=')
            && !name.contains([':', '/'])
        {
            index.url = url.to_owned();
        }
    }
    indexes.extend(words(&["UV_EXTRA_INDEX_URL"]));
    indexes.extend(words(&["UV_DEFAULT_INDEX", "UV_INDEX_URL"]).into_iter().take(1));
    Indexes { indexes, find_links: words(&["UV_FIND_LINKS"]) }
}

fn from_pip_vars(vars: &Variables) -> Indexes {
    let mut indexes = words(vars, &["PIP_INDEX_URL"]);
    let extra = words(vars, &["PIP_EXTRA_INDEX_URL"]);
    if indexes.is_empty() && !extra.is_empty() {
        indexes.push(default_index());
    }
    indexes.extend(extra);
    Indexes { indexes, find_links: words(vars, &["PIP_FIND_LINKS"]) }
}

/// The values of variables, split at white space as both programs do, and at commas as uv does.
fn words(vars: &Variables, names: &[&str]) -> Vec<IndexUrl> {
    let mut places = Vec::new();
    for name in names {
        let value = vars.get(name).map(String::as_str).unwrap_or_default();
        let separates = |c: char| c.is_whitespace() || (c == ',' && name.starts_with("UV_"));
        for word in value.split(separates).filter(|word| !word.is_empty()) {
            places.push(IndexUrl { url: address(word, None), named_by: format!("`{name}`") });
        }
    }
    places
}

/// Reads only the keys for indexes, so that settings of newer versions of uv are not errors.
fn from_uv_toml(file: &ConfigFile) -> Result<Indexes, Error> {
    let refuse = |why: String| Error { path: file.path.clone(), why };
    let table: toml::Table = file.text.parse().map_err(|error: toml::de::Error| refuse(error.message().to_owned()))?;
    let base = file.path.parent();
    let place = |url: &str, key: &str| IndexUrl {
        url: address(url, base),
        named_by: format!("`{key}` in `{}`", file.path.display()),
    };
    let texts = |scope: &toml::Table, key: &str| -> Vec<IndexUrl> {
        let values = match scope.get(key) {
            Some(toml::Value::Array(values)) => values.clone(),
            value => value.cloned().into_iter().collect(),
        };
        values.iter().filter_map(|value| Some(place(value.as_str()?, key))).collect()
    };
    let (mut indexes, mut defaults) = (Vec::new(), Vec::new());
    for entry in table.get("index").and_then(toml::Value::as_array).into_iter().flatten() {
        let flag = |key: &str| entry.get(key).and_then(toml::Value::as_bool).unwrap_or(false);
        match entry.get("url").and_then(toml::Value::as_str) {
            // An explicit index is used only for packages that refer to it by name.
            Some(url) if !flag("explicit") => {
                if flag("default") { &mut defaults } else { &mut indexes }.push(place(url, "index"))
            }
            _ => {}
        }
    }
    let pip = table.get("pip").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let both = |key: &str| [texts(&table, key), texts(&pip, key)].concat();
    indexes.extend(both("extra-index-url"));
    defaults.extend(both("index-url"));
    if !indexes.is_empty() && defaults.is_empty() {
        defaults.push(default_index());
    }
    indexes.extend(defaults.into_iter().take(1));
    Ok(Indexes { indexes, find_links: both("find-links") })
}

/// For each key, a later file overrides an earlier one, and `[install]` overrides `[global]`.
fn from_pip_confs(files: &[ConfigFile]) -> Result<Indexes, Error> {
    let mut values: BTreeMap<(usize, String), Vec<IndexUrl>> = BTreeMap::new();
    const SECTIONS: [&str; 2] = ["global", "install"];
    for file in files {
        for (section, key, value) in ini(file)? {
            let Some(rank) = SECTIONS.iter().position(|name| *name == section) else { continue };
            let named_by = format!("`{key}` in `{}`", file.path.display());
            let place = |word: &str| IndexUrl { url: address(word, None), named_by: named_by.clone() };
            values.insert((rank, key), value.split_whitespace().map(place).collect());
        }
    }
    let value = |key: &str| (0..SECTIONS.len()).rev().find_map(|rank| values.get(&(rank, key.to_owned()))).cloned();
    let (index, extra) = (value("index-url"), value("extra-index-url").unwrap_or_default());
    let mut indexes = match (index, extra.is_empty()) {
        (Some(index), _) => index,
        (None, true) => Vec::new(),
        (None, false) => vec![default_index()],
    };
    indexes.extend(extra);
    Ok(Indexes { indexes, find_links: value("find-links").unwrap_or_default() })
}

/// Parses the subset of Python's `configparser` format that pip and pytest use: sections, `key = value` or `key: value`, indented continuation
/// lines, `#` and `;` comments. Keys are converted to lower case with dashes.
pub(super) fn ini(file: &ConfigFile) -> Result<Vec<(String, String, String)>, Error> {
    let mut entries: Vec<(String, String, String)> = Vec::new();
    let mut section = None;
    for (at, line) in file.text.trim_start_matches('\u{feff}').lines().enumerate() {
        let text = line.trim();
        let refuse = |why: &str| Error { path: file.path.clone(), why: format!("line {}: {why}", at + 1) };
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let (true, Some((_, _, value))) = (line.starts_with(char::is_whitespace), entries.last_mut()) {
            value.push('\n');
            value.push_str(text);
        } else if let Some(name) = text.strip_prefix('[') {
            section = Some(name.strip_suffix(']').ok_or_else(|| refuse("`[` without `]`"))?.to_owned());
        } else {
            let section = section.clone().ok_or_else(|| refuse("a value before the first `[section]`"))?;
            let (key, value) =
                text.split_once(['=', ':']).ok_or_else(|| refuse("neither a section nor `key = value`"))?;
            entries.push((section, key.trim().to_lowercase().replace('_', "-"), value.trim().to_owned()));
        }
    }
    Ok(entries)
}

/// Converts a path to a `file:` URL. URLs are returned unchanged.
fn address(text: &str, base: Option<&Path>) -> String {
    if text.contains("://") || text.starts_with("file:") {
        return text.to_owned();
    }
    let path = base.map_or_else(|| PathBuf::from(text), |base| base.join(text));
    url::Url::from_file_path(&path).map_or_else(|()| text.to_owned(), Into::into)
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "y" | "t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn file(path: &str, text: &str) -> ConfigFile {
        ConfigFile { path: path.into(), text: text.to_owned() }
    }

    fn urls(places: &[IndexUrl]) -> Vec<&str> {
        places.iter().map(|place| place.url.as_str()).collect()
    }

    fn check(pairs: &[(&str, &str)], uv: &str, pip: &str, indexes: &[&str], find_links: &[&str]) {
        let found = discover(&vars(pairs), &[file("/etc/uv/uv.toml", uv)], &[file("/etc/pip.conf", pip)]).unwrap();
        assert_eq!(urls(&found.indexes), indexes, "{pairs:?} {uv} {pip}");
        assert_eq!(urls(&found.find_links), find_links, "{pairs:?} {uv} {pip}");
    }

    #[test]
    fn without_settings_the_default_is_used() {
        check(&[], "", "", &[PYPI_URL.as_str()], &[]);
    }

    #[test]
    fn the_source_with_the_highest_precedence_is_used_alone() {
        let uv = "index-url = 'http://u.example.invalid/simple'";
        let pip = "[global]\nindex-url = http://p.example.invalid/simple\n";
        let (uv_var, pip_var) =
            (("UV_INDEX_URL", "http://1.example.invalid"), ("PIP_INDEX_URL", "http://2.example.invalid"));
        check(&[], "", pip, &["http://p.example.invalid/simple"], &[]);
        check(&[], uv, pip, &["http://u.example.invalid/simple"], &[]);
        check(&[pip_var], uv, pip, &["http://2.example.invalid"], &[]);
        check(&[uv_var, pip_var], uv, pip, &["http://1.example.invalid"], &[]);
    }

    #[test]
    fn links_are_combined_and_paths_become_urls() {
        let pip = "[global]\nfind-links =\n    /opt/a b\n    https://l.example.invalid/x\n";
        let expected = ["file:///opt/wheels", "file:///opt/a", "b", "https://l.example.invalid/x"];
        check(&[("PIP_FIND_LINKS", "/opt/wheels")], "", pip, &[PYPI_URL.as_str()], &expected);
        check(&[("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "/w")], "", "", &[], &["file:///w"]);
    }

    #[test]
    fn extra_indexes_have_the_same_order_as_in_each_program() {
        let (first, more) = ("http://1.example.invalid", "http://2.example.invalid");
        check(&[("PIP_INDEX_URL", first), ("PIP_EXTRA_INDEX_URL", more)], "", "", &[first, more], &[]);
        check(
            &[("UV_DEFAULT_INDEX", first), ("UV_INDEX", "mine=http://2.example.invalid")],
            "",
            "",
            &[more, first],
            &[],
        );
        let uv = "[[index]]\nurl = 'http://1.example.invalid'\ndefault = true\n[[index]]\nurl = 'http://2.example.invalid'\n\
                  [[index]]\nurl = 'http://3.example.invalid'\nexplicit = true\n";
        check(&[], uv, "", &[more, first], &[]);
    }

    #[test]
    fn later_files_and_specific_sections_override_values() {
        let files = [
            file(
                "/etc/pip.conf",
                "[install]\nindex-url: http://1.example.invalid\n[global]\nindex_url=http://0.example.invalid",
            ),
            file("/home/pip.conf", "# mine\n[global]\nindex-url = http://2.example.invalid\n"),
        ];
        let found = discover(&Variables::default(), &[], &files).unwrap();
        assert_eq!(urls(&found.indexes), ["http://1.example.invalid"]);
        assert_eq!(found.indexes[0].named_by, "`index-url` in `/etc/pip.conf`");
    }

    #[test]
    fn syntax_errors_are_reported_with_file_and_line() {
        for text in ["x = 1", "[global\n", "[global]\nnonsense\n"] {
            let error = discover(&Variables::default(), &[], &[file("/etc/pip.conf", text)]).unwrap_err();
            assert!(error.to_string().starts_with("`/etc/pip.conf`: line "), "{error}");
        }
        assert!(discover(&Variables::default(), &[file("/etc/uv/uv.toml", "= 1")], &[]).is_err());
    }

    #[test]
    fn proxy_variables_are_read_like_in_other_programs() {
        let found =
            network(&vars(&[("https_proxy", "http://p.example.invalid"), ("ALL_PROXY", "a"), ("NO_PROXY", "x, .y,")]));
        assert_eq!(found.https_proxy.as_deref(), Some("http://p.example.invalid"));
        assert_eq!(found.http_proxy.as_deref(), Some("a"));
        assert_eq!(found.no_proxy, ["x", ".y"]);
    }

    #[test]
    fn the_same_files_are_read_as_in_each_program() {
        let home = Path::new("/home/joe");
        assert_eq!(pip_files(&vars(&[("PIP_CONFIG_FILE", "/dev/null")]), home), Vec::<PathBuf>::new());
        assert!(pip_files(&vars(&[("XDG_CONFIG_HOME", "/c")]), home).contains(&PathBuf::from("/c/pip/pip.conf")));
        assert_eq!(uv_files(&vars(&[("UV_CONFIG_FILE", "/x.toml")]), home), [PathBuf::from("/x.toml")]);
        assert_eq!(ca_bundle(&vars(&[("SSL_CERT_FILE", ""), ("PIP_CERT", "/c.pem")])), Some("/c.pem".into()));
    }
}
