//! Executable packages of Python code: `pex_binary` and what generates it. Their fields are many, so they stand apart.

use super::core::{ENVIRONMENT, OUTPUT_PATH};
use super::field::{Field, Shape, addresses, dict, either, field, no_texts, off, on, text, texts};
use super::python::{CONSTRAINTS, RESOLVE, RESTARTABLE};
use super::{Each, Kind, plain};

const BACKEND: &str = "pants.backend.python";

pub const KINDS: &[Kind] = &[
    Kind {
        each: Each::EntryPoint,
        generates: "pex_binary",
        ..plain("pex_binaries", "A `pex_binary` for each entry point.", &[&[ENTRY_POINTS]])
    }
    .alone()
    .of_backend(BACKEND),
    plain("pex_binary", "A Python program as one file.", &[PROGRAM, PEX, SCIE]).of_backend(BACKEND),
];

const ENTRY_POINTS: Field = texts("entry_points", "What each program starts.");

const PROGRAM: &[Field] = &[
    texts("args", "Arguments that it always gets."),
    text("entry_point", "What it starts: `file.py`, `file.py:function`, `module:function`."),
    dict("env", "Variables that it always has."),
    text("executable", "The script that it starts.").since(20),
    text("script", "The script of a requirement that it starts."),
];

const PEX: &[Field] = &[
    choice("check", &["none", "warn", "error"], "\"warn\"", "Whether other interpreters may read it.").since(20),
    addresses("complete_platforms", "Files that describe the platforms it is for."),
    on("compress", "Compress it.").since(32),
    either("emit_warnings", "It warns when it starts."),
    ENVIRONMENT,
    choice("execution_mode", &["zipapp", "venv"], "\"zipapp\"", "How it unpacks itself."),
    no_texts("extra_build_args", "More arguments for pex.").since(21),
    off("ignore_errors", "Go on in spite of requirements that do not fit."),
    on("include_requirements", "Put its requirements in."),
    on("include_sources", "Put its sources in."),
    off("include_tools", "Put pex's tools in."),
    choice("inherit_path", &["false", "fallback", "prefer"], "null", "Whether it sees the interpreter's packages."),
    CONSTRAINTS,
    choice("layout", &["zipapp", "packed", "loose"], "\"zipapp\"", "One file, or a directory."),
    OUTPUT_PATH,
    texts("platforms", "The platforms it is for.").until(21),
    RESOLVE,
    either("resolve_local_platforms", "Look for an interpreter for each platform.").until(23),
    RESTARTABLE,
    addresses("runtime_package_dependencies", "What is built and put beside it.").rare(),
    off("sh_boot", "A shell script finds the interpreter.").since(20),
    text("shebang", "Its first line."),
    on("strip_pex_env", "What it starts does not see pex's variables."),
    addresses("uv_platforms", "Files that describe the platforms it is for.").rare(),
    off("validate_entry_point", "See that the entry point can be imported.").since(33),
    on("venv_hermetic_scripts", "Scripts see no other packages."),
    off("venv_site_packages_copies", "Copy files rather than link them."),
];

/// Of versions that were not looked at: shown where they are set.
const SCIE: &[Field] = &[
    scie("scie"),
    scie("scie_args"),
    scie("scie_argv0"),
    scie("scie_assets_base_url"),
    scie("scie_base"),
    scie("scie_bind_resource_path"),
    scie("scie_busybox"),
    scie("scie_busybox_pex_entrypoint_env_passthrough"),
    scie("scie_desktop_file"),
    scie("scie_env"),
    scie("scie_exe"),
    scie("scie_hash_alg"),
    scie("scie_icon"),
    scie("scie_load_dotenv"),
    scie("scie_name_style"),
    scie("scie_only"),
    scie("scie_pbs_debug"),
    scie("scie_pbs_free_threaded"),
    scie("scie_pbs_release"),
    scie("scie_pbs_stripped"),
    scie("scie_pex_entrypoint_env_passthrough"),
    scie("scie_platform"),
    scie("scie_pypy_release"),
    scie("scie_python_version"),
];

const fn scie(name: &'static str) -> Field {
    field(name, Shape::Any, "null", "About the interpreter that comes with it.").rare()
}

const fn choice(
    name: &'static str,
    choices: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Field {
    field(name, Shape::OneOf(choices), default, help)
}
