//! The sections that only Waders has, usually in `waders.toml`.

use super::entry::{Entry, Scope, choice, global, integer, off, size, subsystem, text, texts, texts_or};

pub const SCOPES: &[Scope] = &[
    subsystem("system", "The system tree that every sandbox has as `/usr`.", SYSTEM),
    subsystem(
        "toolchain",
        "The pinned interpreters.",
        &[
            texts_or(
                "providers",
                r#"["debian", "standalone", "host"]"#,
                "Who may provide an interpreter, the first that can.",
            ),
            text(
                "standalone_url_template",
                "Where standalone builds are, with `{version}`, `{build}` and `{arch}` to fill in.",
            ),
            texts(
                "standalone_versions",
                "The standalone builds to choose from, as `3.12.7+20241016` or without the build.",
            ),
        ],
    ),
    subsystem("sandbox", "The walls around every step.", SANDBOX),
    subsystem(
        "reading",
        "What becomes of BUILD and settings files that are not wholly understood.",
        &[
            choice(
                "broken_files",
                &["report", "stop"],
                "\"report\"",
                "After a mistake in a BUILD file: go on with what does not touch its directory, or stop every goal.",
            ),
            choice(
                "unknown",
                &["warn", "error"],
                "\"warn\"",
                "Sections, options, backends, plugins, target types and fields that nobody here knows.",
            ),
        ],
    ),
    subsystem(
        "store",
        "Where results are kept.",
        &[text("dir", "The directory; by default `waders` in the user's cache directory.")],
    ),
    global("", &[off("frozen", "Refuse to change `waders.lock`; always so where `CI` is set.")]),
];

const SYSTEM: &[Entry] = &[
    texts("packages", "Packages of the system tree, in place of the small default."),
    text("mirror", "The package mirror; by default the one of this machine's apt sources."),
    text("snapshot_mirror", "A mirror that keeps packages which left the archive."),
    text("suite", "The release, as `bookworm`; by default the one that has the interpreter."),
    text("keyring", "Keys that may sign the index; by default those of this machine."),
];

const SANDBOX: &[Entry] = &[
    choice("isolation", &["full", "no-landlock"], "\"full\"", "The weakest walls that will do."),
    size("scratch_size", "2147483648", "How large `/tmp` may grow."),
    integer("scratch_inodes", "200000", "How many files `/tmp` may hold."),
    size("memory", "null", "Memory of one step, where the kernel lets us limit it."),
    integer("processes", "4096", "Processes and threads of one step."),
    integer("open_files", "65536", "Open files of one process."),
    size("file_size", "17179869184", "The largest file that a step may write."),
    integer("grace", "30", "Seconds that a test gets to clean up after an interrupt or a timeout."),
    off("allow_network", "Let targets tagged `requires-network` use the network."),
];
