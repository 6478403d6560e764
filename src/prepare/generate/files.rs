//! Plans files that are not made but passed on: outputs of other targets under another type, moved files, and downloads.

use crate::action::{Derive, Fetch, Location, Source, Step};
use crate::base::glob::Globs;
use crate::inference::generated::originals;
use crate::prepare::generate::Error;
use crate::prepare::generate::inputs::addresses_in_field;
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::{Object, Target, TargetGraph};

/// The platform of all steps, as `per_platform` names it.
const PLATFORM: &str = "linux_x86_64";

impl Planner<'_> {
    /// The files of the targets in `inputs` that the globs in `outputs` select; by default all Python files, or all files.
    pub(super) fn plan_wrapped(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        let tree = self.files_of_field(graph, target, "inputs")?;
        let outputs = target.strings("outputs");
        let mut parameters: Vec<String> = outputs.iter().map(|glob| (*glob).to_owned()).collect();
        if outputs.is_empty() {
            if target.kind != "experimental_wrap_as_python_sources" {
                return Ok(tree);
            }
            // A question mark marks globs that may match nothing.
            parameters = ["?**/*.py", "?**/*.pyi"].map(str::to_owned).to_vec();
        }
        Globs::compile(outputs.iter().copied()).map_err(|error| Error::Invalid {
            target: target.address.clone(),
            field: "outputs",
            written: error.glob.clone(),
            why: error.why.clone(),
        })?;
        Ok(self.derive(&format!("files of {}", target.address), "select-1", parameters, vec![tree]))
    }

    /// The files of the targets in `files_targets`, with `src` replaced by `dest` in their paths. Only generated files among them:
    /// files of the repository are moved without a step.
    pub(super) fn plan_relocated(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        let originals = originals(graph, target, "files_targets");
        let trees = self.generated_trees(originals.iter().map(|original| &original.address), |_| true)?;
        let tree = self.overlay("files to move", trees);
        let parameters = ["src", "dest"].map(|field| target.text(field).unwrap_or_default().to_owned());
        Ok(self.derive(&format!("files of {}", target.address), "move-1", parameters.to_vec(), vec![tree]))
    }

    /// A file that is downloaded, beside the BUILD file.
    pub(super) fn plan_download(&mut self, target: &Target) -> Result<Source, PrepareError> {
        let download = Download::parse(target)?;
        let file = self.actions.add(Step::Fetch(Fetch {
            label: format!("{} of {}", download.file_name, target.address),
            file_name: download.file_name,
            locations: vec![Location::Url(download.url)],
            sha256: download.sha256,
            size_bytes: Some(download.size_bytes),
            unpack: "file-1",
        }));
        let dir = target.address.dir.as_str().to_owned();
        Ok(self.derive(&format!("files of {}", target.address), "overlay-1", vec![dir], vec![Source::Output(file)]))
    }

    /// The files of the targets that a field names: those of the repository, and generated ones.
    fn files_of_field(
        &mut self,
        graph: &TargetGraph,
        target: &Target,
        field: &'static str,
    ) -> Result<Source, PrepareError> {
        let addresses = addresses_in_field(graph, target, field)?;
        let own = addresses.iter().filter_map(|address| graph.get(address)).flat_map(|original| &original.sources);
        let own = self.session.services.open_sources()?.tree(own)?;
        self.with_generated(Source::Tree(own), &addresses, |_| true)
    }

    fn derive(&mut self, label: &str, recipe: &'static str, parameters: Vec<String>, parts: Vec<Source>) -> Source {
        let label = label.to_owned();
        Source::Output(self.actions.add(Step::Derive(Derive { label, recipe, parameters, parts })))
    }
}

/// The arguments of `http_source(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Download {
    url: String,
    file_name: String,
    sha256: String,
    size_bytes: u64,
}

impl Download {
    fn parse(target: &Target) -> Result<Download, Error> {
        let invalid = |written: &str, why: String| Error::Invalid {
            target: target.address.clone(),
            field: "source",
            written: written.to_owned(),
            why,
        };
        let written = target.object("source").ok_or_else(|| invalid("", "expected `http_source(…)`".to_owned()))?;
        let source = match written.kind.as_str() {
            "per_platform" => {
                let source = written.argument(PLATFORM).and_then(|source| source.as_object());
                source.ok_or_else(|| invalid("per_platform(…)", format!("it has no source for `{PLATFORM}`")))?
            }
            _ => written,
        };
        if source.kind != "http_source" {
            return Err(invalid(&source.kind, "expected `http_source(…)`".to_owned()));
        }
        let text = |name: &str| argument(source, name).map(str::to_owned);
        let missing = |name: &str| invalid("http_source(…)", format!("the argument `{name}` is missing"));
        let url = source.positional.first().and_then(|url| url.as_str()).map(str::to_owned).or_else(|| text("url"));
        let url = url.ok_or_else(|| missing("url"))?;
        let last = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let file_name = text("filename").filter(|name| !name.is_empty()).unwrap_or_else(|| last.to_owned());
        if file_name.is_empty() || file_name.contains(['/', '\\']) || [".", ".."].contains(&file_name.as_str()) {
            return Err(invalid(&file_name, "the argument `filename` must be the name of a file".to_owned()));
        }
        let sha256 = text("sha256").ok_or_else(|| missing("sha256"))?.to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(invalid(
                &sha256,
                "the argument `sha256` must be a SHA-256 in 64 hexadecimal digits".to_owned(),
            ));
        }
        let size_bytes = source.argument("len").and_then(|len| u64::try_from(len.as_int()?).ok());
        Ok(Download { url, file_name, sha256, size_bytes: size_bytes.ok_or_else(|| missing("len"))? })
    }
}

fn argument<'o>(object: &'o Object, name: &str) -> Option<&'o str> {
    object.argument(name).and_then(|value| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::base::text::Place;
    use crate::targets::{Address, Value};

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn source(named: &[(&str, Value)]) -> Value {
        let named = named.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Value::Object(Box::new(Object { kind: "http_source".to_owned(), positional: Vec::new(), named }))
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn parse(source: Value) -> Result<Download, String> {
        let dir = RelPath::parse("data").unwrap();
        let target = Target {
            address: Address::new(&dir, "it"),
            kind: "file".to_owned(),
            fields: [("source".to_owned(), source)].into_iter().collect(),
            sources: Vec::new(),
            generator: None,
            build_file: RelPath::parse("data/BUILD").unwrap(),
            place: Place::default(),
        };
        Download::parse(&target).map_err(|error| error.to_string())
    }

    #[test]
    fn the_name_of_a_download_follows_from_its_url_unless_it_is_set() {
        let download = |extra: &[(&str, Value)]| {
            let url = ("url", text("https://example.invalid/a/b.zip?x=/y"));
            let all = [&[url, ("sha256", text(HASH)), ("len", Value::Int(7))], extra].concat();
            parse(source(&all)).unwrap()
        };
        assert_eq!((download(&[]).file_name.as_str(), download(&[]).size_bytes), ("b.zip", 7));
        assert_eq!(download(&[("filename", text("c.zip"))]).file_name, "c.zip");
    }

    #[test]
    fn a_download_needs_its_hash_and_its_length_and_a_source_for_this_platform() {
        let refused = |source: Value, why: &str| {
            let error = parse(source).unwrap_err();
            assert!(error.ends_with(why), "{error}");
        };
        let url = ("url", text("https://example.invalid/b.zip"));
        refused(source(std::slice::from_ref(&url)), "the argument `sha256` is missing");
        refused(source(&[url.clone(), ("sha256", text(HASH))]), "the argument `len` is missing");
        refused(source(&[url.clone(), ("sha256", text("ab"))]), "must be a SHA-256 in 64 hexadecimal digits");
        refused(source(&[url, ("filename", text("../b"))]), "the argument `filename` must be the name of a file");
        let other = Value::Object(Box::new(Object {
            kind: "per_platform".to_owned(),
            positional: Vec::new(),
            named: vec![("macos_arm64".to_owned(), source(&[]))],
        }));
        refused(other, "it has no source for `linux_x86_64`");
    }
}
