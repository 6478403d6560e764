//! Target types of executable Python packages: `pex_binary` and its generator. Other Python types are in `python`.

use super::core::{ENVIRONMENT, OUTPUT_PATH};
use super::field::{
    Field, Shape, addresses, empty_string_list, field, flag_off, flag_on, optional_flag, string, string_dict,
    string_list,
};
use super::python::{CONSTRAINTS, RESOLVE, RESTARTABLE};
use super::{GenerateFrom, Kind, plain};

const BACKEND: &str = "pants.backend.python";

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        generates_from: GenerateFrom::EntryPoint,
        generates: "pex_binary",
        ..plain("pex_binaries", "A `pex_binary` for each entry point.", &[&[ENTRY_POINTS]])
    }
    .without_dependencies()
    .in_backend(BACKEND),
    plain("pex_binary", "A Python program packaged as a PEX file.", &[PROGRAM, PEX, SCIE]).in_backend(BACKEND),
];

const ENTRY_POINTS: Field = string_list("entry_points", "The entry point of each program.");

const PROGRAM: &[Field] = &[
    string_list("args", "Arguments that the program always gets."),
    string("entry_point", "The entry point: `file.py`, `file.py:function` or `module:function`."),
    string_dict("env", "Environment variables that the program always gets."),
    string("executable", "The first-party script to run.").since(20),
    string("script", "The script of a requirement to run."),
];

const PEX: &[Field] = &[
    choice("check", &["none", "warn", "error"], "\"warn\"", "How to check that other interpreters can run the file.")
        .since(20),
    addresses("complete_platforms", "Files that describe the target platforms."),
    flag_on("compress", "Compress the PEX file.").since(32),
    optional_flag("emit_warnings", "Print warnings of Pex at startup."),
    ENVIRONMENT,
    choice("execution_mode", &["zipapp", "venv"], "\"zipapp\"", "How the program is unpacked to run."),
    empty_string_list("extra_build_args", "More command line arguments for Pex.").since(21),
    flag_off("ignore_errors", "Ignore errors in resolving requirements."),
    flag_on("include_requirements", "Include third-party requirements."),
    flag_on("include_sources", "Include first-party sources."),
    flag_off("include_tools", "Include the tools of Pex."),
    choice(
        "inherit_path",
        &["false", "fallback", "prefer"],
        "null",
        "Whether the program can import packages of the interpreter.",
    ),
    CONSTRAINTS,
    choice(
        "layout",
        &["zipapp", "packed", "loose"],
        "\"zipapp\"",
        "The layout of the output: one file, or a directory.",
    ),
    OUTPUT_PATH,
    string_list("platforms", "The target platforms.").until(21),
    RESOLVE,
    optional_flag("resolve_local_platforms", "Search a local interpreter for each platform.").until(23),
    RESTARTABLE,
    addresses("runtime_package_dependencies", "Packages to build and to place next to the program.").hidden(),
    flag_off("sh_boot", "Start with a shell script, which finds the interpreter.").since(20),
    string("shebang", "The shebang line."),
    flag_on("strip_pex_env", "Remove variables of Pex from the environment of the program."),
    addresses("uv_platforms", "Files that describe the target platforms.").hidden(),
    flag_off("validate_entry_point", "Check that the entry point can be imported.").since(33),
    flag_on("venv_hermetic_scripts", "Isolate scripts from packages outside the venv."),
    flag_off("venv_site_packages_copies", "Copy files into the venv instead of linking them."),
];

/// Fields of newer Pants versions, whose defaults are not verified. They are shown only if they are set.
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
    field(name, Shape::Any, "null", "An option of the interpreter that is bundled with the program.").hidden()
}

const fn choice(
    name: &'static str,
    choices: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Field {
    field(name, Shape::OneOf(choices), default, help)
}
