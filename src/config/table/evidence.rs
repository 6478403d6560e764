//! The options of the goals that show what results are made of and whether they can be repeated.

use super::entry::{Entry, choice, off, text, text_or, texts};
use super::goals::RESULTS;

/// The options of `attest`.
pub(super) const ATTEST: &[Entry] = &[
    choice(
        "operation",
        &["attest", "keygen", "verify"],
        "\"attest\"",
        "What to do: attest results, create a key pair (`attest keygen FILE`), or check an attestation (`attest verify FILE`).",
    ),
    texts(
        "goals",
        "The goals whose results are attested: `check`, `lint`, `package` and `test`. `attest package ::` is short for \
         `attest --goals=package ::`. By default, `package` for packages and `test` for tests.",
    ),
    text_or("output_dir", "\"{distdir}/attestations\"", "The directory for attestations."),
    text(
        "sign_with",
        "The file with the private key that signs, as `attest keygen` writes it. It must be outside of the repository and \
         accessible to its owner only.",
    ),
    text("sign_with_env", "The environment variable with the text of the private key, if it is set."),
    choice(
        "format",
        &["dsse", "sigstore"],
        "\"dsse\"",
        "The form of signed attestations: DSSE envelopes, or Sigstore bundles that contain them.",
    ),
    text_or(
        "builder_id",
        "\"urn:waders:builder:unspecified\"",
        "The URI of the system that is responsible for the build, such as a CI system.",
    ),
    text("repository", "The URI of the repository, such as `git+https://git.example.invalid/team/app`."),
    texts("key", "For `attest verify`: files with the public keys that may have signed the attestation."),
    texts("artifact", "For `attest verify`: files that the attestation must be about."),
    text("sources", "For `attest verify`: a directory whose files must be the sources that the attestation names."),
    RESULTS,
];

/// The options of `verify`.
pub(super) const VERIFY: &[Entry] = &[
    texts(
        "goals",
        "The goals whose steps are compared: `lint`, `check`, `test`, `package` or `export`. Goals after `verify` on the command line \
         are added. By default, these are those of `lint`, `check`, `test` and `package` that the targets offer.",
    ),
    texts(
        "vary",
        "Repeat the steps under other conditions: `all`, or names of them, such as `path,user`. The flag without a value means `all`.",
    )
    .with_bare("all"),
    text(
        "against",
        "Instead of repeating the steps, compare their results with this directory: a store, the cache directory that contains one, or a \
         directory with packages, such as `dist`.",
    ),
    off("json", "Print the comparison as JSON."),
];

/// The options of `audit`.
pub(super) const AUDIT: &[Entry] = &[
    texts(
        "goals",
        "The goals whose steps are audited: `check`, `lint`, `package` or `test`. Goals after `audit` on the command line are added. By \
         default, these are all four.",
    ),
    off("json", "Print the report as JSON."),
    text("html", "Write the report to this file as one HTML page, which needs nothing else."),
    text("sarif", "Write the findings to this file as SARIF."),
    text("links", "Write an in-toto statement with a link predicate for each step to this directory."),
    off(
        "always",
        "Record what every step of `check`, `lint`, `package` and `test` reads, in every run. A later audit needs not run these steps again.",
    ),
    off("probe", "Run the leak tests in a sandbox of this machine and report what it isolates."),
];
