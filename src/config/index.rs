//! Where packages come from: pip's and uv's own settings, read as those programs read them, so that a machine set up for
//! them is set up for us. Pure: the environment and the files' contents are arguments. Hosts are never named here; the
//! default is the one that uv's crates carry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uv_distribution_types::PYPI_URL;

use crate::tracked::Variables;

/// Indexes in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Indexes {
    pub indexes: Vec<Place>,
    /// Directories, or pages of links, that are asked besides the indexes.
    pub find_links: Vec<Place>,
}

/// An address and the setting that names it, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// May hold credentials: not for display.
    pub url: String,
    pub named_by: String,
}

/// A settings file that exists.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    pub path: PathBuf,
    pub text: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{}`: {why}", path.display())]
pub struct Error {
    pub path: PathBuf,
    pub why: String,
}

/// The files that pip reads, weakest first: global, user, site of the environment. `PIP_CONFIG_FILE` comes last; where it
/// is `/dev/null`, none is read.
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

/// The files that uv reads for a user, weakest first.
pub fn uv_files(vars: &Variables, home: &Path) -> Vec<PathBuf> {
    if let Some(named) = vars.get("UV_CONFIG_FILE").filter(|path| !path.is_empty()) {
        return vec![PathBuf::from(named)];
    }
    let config_home = vars.get("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
    let config_home = config_home.map_or_else(|| home.join(".config"), PathBuf::from);
    vec![PathBuf::from("/etc/uv/uv.toml"), config_home.join("uv/uv.toml")]
}

/// The indexes that are meant. The first source that names any wins as a whole: uv's environment, pip's environment, uv's
/// files, pip's files, the default. Files are given weakest first, as the functions above list them. Links to look in
/// (`find-links`) add up, since they only add to what is on offer.
pub fn discover(vars: &Variables, uv: &[SettingsFile], pip: &[SettingsFile]) -> Result<Indexes, Error> {
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

/// The index that uv's crates name.
pub fn default_index() -> Place {
    Place {
        url: PYPI_URL.as_str().to_owned(),
        named_by: "the built-in default (`PIP_INDEX_URL` changes it)".to_owned(),
    }
}

/// The file of certificates to trust, by whichever name the user knows it: the most specific first.
pub fn ca_bundle(vars: &Variables) -> Option<PathBuf> {
    let names = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    names.iter().find_map(|name| vars.get(*name).filter(|path| !path.is_empty())).map(PathBuf::from)
}

/// How to reach the outside.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Network {
    pub ca_bundle: Option<PathBuf>,
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    pub no_proxy: Vec<String>,
}

/// The variables that curl, pip and uv agree on; lower case first, since `HTTP_PROXY` alone can be set by a web server.
pub fn network(vars: &Variables) -> Network {
    let var = |names: &[&str]| names.iter().find_map(|name| vars.get(*name)).filter(|value| !value.is_empty()).cloned();
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
    for place in &mut indexes {
        // `name=https://…` gives an index a name, which is nothing to us.
        if let Some((name, url)) = place.url.split_once('=')
            && !name.contains([':', '/'])
        {
            place.url = url.to_owned();
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

/// The values of the variables, which both programs split at white space (uv also at commas).
fn words(vars: &Variables, names: &[&str]) -> Vec<Place> {
    let mut places = Vec::new();
    for name in names {
        let value = vars.get(*name).map(String::as_str).unwrap_or_default();
        let separates = |c: char| c.is_whitespace() || (c == ',' && name.starts_with("UV_"));
        for word in value.split(separates).filter(|word| !word.is_empty()) {
            places.push(Place { url: address(word, None), named_by: format!("`{name}`") });
        }
    }
    places
}

/// Only the keys that matter here are looked at, so that a newer uv's settings are no error.
fn from_uv_toml(file: &SettingsFile) -> Result<Indexes, Error> {
    let refuse = |why: String| Error { path: file.path.clone(), why };
    let table: toml::Table = file.text.parse().map_err(|error: toml::de::Error| refuse(error.message().to_owned()))?;
    let base = file.path.parent();
    let place = |url: &str, key: &str| Place {
        url: address(url, base),
        named_by: format!("`{key}` in `{}`", file.path.display()),
    };
    let texts = |scope: &toml::Table, key: &str| -> Vec<Place> {
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
            // An explicit index serves only packages that ask for it by name.
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

/// A later file's value replaces an earlier one's, key by key, and `[install]` or `[download]` do so for `[global]`.
fn from_pip_confs(files: &[SettingsFile]) -> Result<Indexes, Error> {
    let mut values: BTreeMap<(usize, String), Vec<Place>> = BTreeMap::new();
    const SECTIONS: [&str; 2] = ["global", "install"];
    for file in files {
        for (section, key, value) in ini(file)? {
            let Some(rank) = SECTIONS.iter().position(|name| *name == section) else { continue };
            let named_by = format!("`{key}` in `{}`", file.path.display());
            let place = |word: &str| Place { url: address(word, None), named_by: named_by.clone() };
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

/// Python's `configparser` as far as pip's files use it: sections, `key = value` or `key: value`, indented continuation,
/// `#` and `;` comments. Keys come out in lower case with dashes.
fn ini(file: &SettingsFile) -> Result<Vec<(String, String, String)>, Error> {
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

/// Paths become `file:` urls; everything that has a scheme stays.
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

    fn file(path: &str, text: &str) -> SettingsFile {
        SettingsFile { path: path.into(), text: text.to_owned() }
    }

    fn urls(places: &[Place]) -> Vec<&str> {
        places.iter().map(|place| place.url.as_str()).collect()
    }

    fn check(pairs: &[(&str, &str)], uv: &str, pip: &str, indexes: &[&str], find_links: &[&str]) {
        let found = discover(&vars(pairs), &[file("/etc/uv/uv.toml", uv)], &[file("/etc/pip.conf", pip)]).unwrap();
        assert_eq!(urls(&found.indexes), indexes, "{pairs:?} {uv} {pip}");
        assert_eq!(urls(&found.find_links), find_links, "{pairs:?} {uv} {pip}");
    }

    #[test]
    fn without_settings_there_is_the_default() {
        check(&[], "", "", &[PYPI_URL.as_str()], &[]);
    }

    #[test]
    fn the_strongest_source_that_names_an_index_wins() {
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
    fn links_add_up_and_paths_become_urls() {
        let pip = "[global]\nfind-links =\n    /opt/a b\n    https://l.example.invalid/x\n";
        let expected = ["file:///opt/wheels", "file:///opt/a", "b", "https://l.example.invalid/x"];
        check(&[("PIP_FIND_LINKS", "/opt/wheels")], "", pip, &[PYPI_URL.as_str()], &expected);
        check(&[("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "/w")], "", "", &[], &["file:///w"]);
    }

    #[test]
    fn extra_indexes_stand_where_each_program_puts_them() {
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
    fn a_stronger_section_or_file_replaces_a_value() {
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
    fn broken_files_are_named_with_the_line() {
        for text in ["x = 1", "[global\n", "[global]\nnonsense\n"] {
            let error = discover(&Variables::default(), &[], &[file("/etc/pip.conf", text)]).unwrap_err();
            assert!(error.to_string().starts_with("`/etc/pip.conf`: line "), "{error}");
        }
        assert!(discover(&Variables::default(), &[file("/etc/uv/uv.toml", "= 1")], &[]).is_err());
    }

    #[test]
    fn proxies_are_read_as_other_programs_read_them() {
        let found =
            network(&vars(&[("https_proxy", "http://p.example.invalid"), ("ALL_PROXY", "a"), ("NO_PROXY", "x, .y,")]));
        assert_eq!(found.https_proxy.as_deref(), Some("http://p.example.invalid"));
        assert_eq!(found.http_proxy.as_deref(), Some("a"));
        assert_eq!(found.no_proxy, ["x", ".y"]);
    }

    #[test]
    fn the_files_are_those_that_the_programs_read() {
        let home = Path::new("/home/joe");
        assert_eq!(pip_files(&vars(&[("PIP_CONFIG_FILE", "/dev/null")]), home), Vec::<PathBuf>::new());
        assert!(pip_files(&vars(&[("XDG_CONFIG_HOME", "/c")]), home).contains(&PathBuf::from("/c/pip/pip.conf")));
        assert_eq!(uv_files(&vars(&[("UV_CONFIG_FILE", "/x.toml")]), home), [PathBuf::from("/x.toml")]);
        assert_eq!(ca_bundle(&vars(&[("SSL_CERT_FILE", ""), ("PIP_CERT", "/c.pem")])), Some("/c.pem".into()));
    }
}
