//! Parses one interface definition, a `.proto` or `.thrift` file: its imports, and the Python modules generated from it.
//! Works on text alone; `definition_index` knows which targets own the files.

use std::sync::LazyLock;

use regex::Regex;

use crate::targets::Target;
use crate::targets::kind;

/// An interface definition language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Protocol buffers (`.proto`).
    Protobuf,
    /// Apache Thrift (`.thrift`).
    Thrift,
}

/// One parsed interface definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    /// The definitions that it imports, in the order of the file.
    pub imports: Vec<Import>,
    /// The package that Thrift's `namespace py` names.
    namespace: Option<String>,
}

/// An import of another definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The path of the imported file, relative to a source root.
    pub path: String,
    /// The line of the import, from 1.
    pub line: u32,
}

/// A protoc plugin that generates a further module for a protocol buffer with services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcPlugin {
    /// Replaces `.proto` in the name of the generated module.
    pub suffix: &'static str,
    /// The library that the generated module imports.
    pub runtime: &'static str,
}

/// The plugin of the `grpcio` project.
pub(super) const GRPCIO: GrpcPlugin = GrpcPlugin { suffix: "_pb2_grpc", runtime: "grpc" };
/// The plugin of the `grpclib` project.
pub(super) const GRPCLIB: GrpcPlugin = GrpcPlugin { suffix: "_grpc", runtime: "grpclib" };

impl Language {
    /// The language of a target; `None` if the target is not an interface definition.
    pub fn from_target(target: &Target) -> Option<Language> {
        match target.kind.as_str() {
            kind::PROTOBUF_SOURCE => Some(Language::Protobuf),
            kind::THRIFT_SOURCE => Some(Language::Thrift),
            _ => None,
        }
    }

    /// The settings section for Python code generation.
    pub fn scope(self) -> &'static str {
        match self {
            Language::Protobuf => "python-protobuf",
            Language::Thrift => "python-thrift",
        }
    }

    /// The runtime module that all generated code imports.
    pub fn runtime(self) -> &'static str {
        match self {
            Language::Protobuf => "google.protobuf",
            Language::Thrift => "thrift",
        }
    }
}

impl Definition {
    /// Finds imports with regular expressions, as Pants does. An import in a comment is therefore found as well.
    pub(super) fn parse(language: Language, text: &str) -> Definition {
        static PROTOBUF: LazyLock<Regex> = LazyLock::new(|| {
            let import = r#"import\s*(?:\spublic|\sweak)?\s*['"](.+?\.proto)['"]\s*;"#;
            Regex::new(import).expect("a pattern that tests compile")
        });
        static THRIFT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r#"include\s+['"](.+?\.thrift)['"]"#).expect("a pattern that tests compile"));
        static NAMESPACE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"namespace\s+py\s+(\S+)").expect("a pattern that tests compile"));
        match language {
            Language::Protobuf => Definition { imports: imports(&PROTOBUF, text), namespace: None },
            Language::Thrift => {
                let namespace = NAMESPACE.captures_iter(text).last().map(|found| found[1].to_owned());
                Definition { imports: imports(&THRIFT, text), namespace }
            }
        }
    }

    /// The names of the generated Python modules. `path` is relative to the source root; `grpc` are the enabled plugins.
    pub(super) fn modules(&self, language: Language, path: &str, grpc: &[GrpcPlugin]) -> Vec<String> {
        match language {
            Language::Protobuf => {
                let suffixes = std::iter::once("_pb2").chain(grpc.iter().map(|grpc| grpc.suffix));
                suffixes.map(|suffix| path.replace(".proto", suffix).replace('/', ".")).collect()
            }
            Language::Thrift => {
                let name = path.rsplit('/').next().unwrap_or(path);
                let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                let package = self.namespace.as_deref().unwrap_or(stem);
                ["ttypes", "constants"].map(|module| format!("{package}.{module}")).into()
            }
        }
    }
}

fn imports(pattern: &Regex, text: &str) -> Vec<Import> {
    let (mut line, mut counted) = (1, 0);
    let imports = pattern.captures_iter(text).filter_map(|found| {
        let path = found.get(1)?;
        line += text[counted..path.start()].matches('\n').count() as u32;
        counted = path.start();
        Some(Import { path: path.as_str().to_owned(), line })
    });
    imports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, text: &str, imports: &[&str], modules: &[&str]) {
        let definition = Definition::parse(language, text);
        let found: Vec<&str> = definition.imports.iter().map(|import| import.path.as_str()).collect();
        assert_eq!(found, imports, "{text}");
        assert_eq!(definition.modules(language, "a/b.x", &[]), modules, "{text}");
    }

    #[test]
    fn protobuf_imports_are_found() {
        let check = |text, imports: &[&str]| check(Language::Protobuf, text, imports, &["a.b.x"]);
        check("import \"a/b.proto\";\nimport 'c.proto' ;", &["a/b.proto", "c.proto"]);
        check("import public \"a.proto\"; import weak \"b.proto\";", &["a.proto", "b.proto"]);
        check("import\"a.proto\";", &["a.proto"]);
        check("import \"a.txt\";\nimport \"b.proto\"\nimportant(\"c.proto\");", &[]);
    }

    #[test]
    fn imports_have_line_numbers() {
        let definition = Definition::parse(Language::Protobuf, "\nimport 'a.proto';\n\nimport 'b.proto';");
        assert_eq!(definition.imports.iter().map(|import| import.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn thrift_includes_and_namespaces_are_found() {
        let check = |text, imports: &[&str], package: &str| {
            let modules = ["ttypes", "constants"].map(|module| format!("{package}.{module}"));
            check(Language::Thrift, text, imports, &[&modules[0], &modules[1]]);
        };
        check("include \"a/b.thrift\"\ninclude 'c.thrift'\ncpp_include \"d.h\"", &["a/b.thrift", "c.thrift"], "b");
        check("namespace java com.x\nnamespace py old\nnamespace py a.gen  // why\nnamespace pyx z", &[], "a.gen");
    }

    #[test]
    fn protobuf_modules_are_named_after_the_path() {
        let modules = |grpc: &[GrpcPlugin]| Definition::default().modules(Language::Protobuf, "a/b.proto", grpc);
        assert_eq!(modules(&[]), ["a.b_pb2"]);
        assert_eq!(modules(&[GRPCIO, GRPCLIB]), ["a.b_pb2", "a.b_pb2_grpc", "a.b_grpc"]);
    }
}
