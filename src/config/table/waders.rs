//! Sections that are specific to Waders, usually in `waders.toml`.

use super::entry::{
    Entry, Scope, choice, dict, global, goal, integer, named, off, on, size, subsystem, text, text_or, texts, texts_or,
};

/// Sections that are specific to Waders.
pub(super) const SCOPES: &[Scope] = &[
    subsystem("system", "The system tree, which is mounted in every sandbox as `/usr`.", SYSTEM),
    subsystem(
        "toolchain",
        "The pinned interpreters.",
        &[
            texts_or(
                "providers",
                r#"["debian", "standalone", "host"]"#,
                "The providers of interpreters in order of preference.",
            ),
            text(
                "standalone_url_template",
                "The URL of standalone builds, instead of the list of uv. `{version}`, `{build}` and `{arch}` are replaced.",
            ),
            texts(
                "standalone_versions",
                "The builds at `standalone_url_template`, as `3.12.7+20241016` or without the build number.",
            ),
            text_or(
                "service_python",
                "\"CPython>=3.9\"",
                "The interpreter constraint of the program that starts the services of a test. It is independent of the interpreter of the test.",
            ),
        ],
    ),
    named(
        "services",
        "The services that tests can have, such as databases: a table `[services.NAME]` for each. See `docs/services.md`.",
        &[dict("named", "The tables by name. Several settings files can contribute.")],
    ),
    subsystem("sandbox", "The isolation and the limits of every step.", SANDBOX),
    subsystem(
        "reading",
        "The handling of errors and unknown names in BUILD files and settings files.",
        &[
            choice(
                "broken_files",
                &["report", "stop"],
                "\"report\"",
                "The effect of an error in a BUILD file: continue with all other directories (`report`), or stop every goal (`stop`).",
            ),
            choice(
                "unknown",
                &["auto", "warn", "error"],
                "\"auto\"",
                "The severity of unknown sections, options, backends, plugins, target types and fields. With `auto`, unknown target types are errors if `CI` is set, and all others are warnings.",
            ),
            off(
                "implied_targets",
                "Files without an owner have the targets that `tailor` would add, in memory. Always in effect without `pants.toml`.",
            ),
        ],
    ),
    goal(
        "store",
        "Show, verify, repair or shrink the store, which contains cached results. This goal is specific to Waders.",
        STORE,
    ),
    subsystem("cache", "Trust in the entries of the action cache, by signatures.", CACHE),
    global(
        "",
        &[
            off("frozen", "Do not change `waders.lock`. Always in effect if `CI` is set."),
            texts(
                "profile",
                "The profiles whose sections `[profile.NAME.SECTION]` have precedence over all other sections of settings files.",
            ),
        ],
    ),
];

const CACHE: &[Entry] = &[
    text_or("namespace", "\"main\"", "The namespace of the entries that this run stores."),
    text(
        "sign_with",
        "The file with the private key that signs these entries, as `attest keygen` writes it. It must be outside of the \
         repository and accessible to its owner only.",
    ),
    text("sign_with_env", "The environment variable with the text of this key, if it is set."),
    dict(
        "trusted_keys",
        "A mapping from namespaces to files with the public keys that may sign their entries. If it is set, a run uses only \
         entries of its own namespace and of those that feed it, with a signature of such a key.",
    ),
    dict("feeds", "A mapping from namespaces to the namespaces that may use their entries, besides themselves."),
];

const SYSTEM: &[Entry] = &[
    texts("packages", "The packages of the system tree, instead of the small default set."),
    dict(
        "build_packages",
        "More packages for building source distributions: a mapping from distributions, or `*` for all, to packages.",
    ),
    text("mirror", "The URL of the package mirror. The default is taken from the apt sources of this machine."),
    text("snapshot_mirror", "The URL of a mirror with packages that are no longer in the archive."),
    text("suite", "The Debian release, such as `bookworm`. The default is taken from the apt sources of this machine."),
    text(
        "keyring",
        "A file with the keys that can sign the package index, relative to the build root. The default is the keyring of this machine.",
    ),
    texts(
        "key_fingerprints",
        "The fingerprints of the keys that can sign the package index. Without a keyring, they are taken from the archive.",
    ),
];

const STORE: &[Entry] = &[
    text(
        "dir",
        "The directory of the store. It is private to its owner. The default is `waders` in the cache directory of the user.",
    ),
    size(
        "max_size",
        "null",
        "The size to which `store gc` and the automatic removal shrink the store. The default is one fifth of the file system, at least 10 GiB and at most 100 GiB.",
    ),
    on(
        "auto_gc",
        "At the end of a run that wrote to the store, remove what was used least recently if the store exceeds `max_size`.",
    ),
    off("dry_run", "Show what `store gc` would remove, and remove nothing."),
    off("json", "Print the result of `store` as JSON."),
];

const SANDBOX: &[Entry] = &[
    choice("isolation", &["full", "no-landlock"], "\"full\"", "The minimum isolation level."),
    size(
        "scratch_size",
        "2147483648",
        "The size limit of each of `/tmp`, the home directory and `/dev/shm`, and of what a step adds to its sources.",
    ),
    integer("scratch_inodes", "200000", "The maximum number of files in `/tmp`."),
    size(
        "memory",
        "null",
        "The memory limit of all processes of one step. It needs a control group that is delegated to the user; without \
         one, no step runs.",
    ),
    size(
        "process_memory",
        "null",
        "The limit on the private writable memory of one process (`RLIMIT_DATA`), which every machine can enforce.",
    ),
    integer("processes", "4096", "The maximum number of processes and threads of one step."),
    integer("open_files", "65536", "The maximum number of open files of one process."),
    size("file_size", "17179869184", "The size limit of files that a step writes."),
    integer("grace", "30", "The time in seconds for a test to clean up after an interrupt or a timeout."),
    off("allow_network", "Give targets with the tag `requires-network` access to the network."),
];
