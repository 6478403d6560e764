//! Waders: a hermetic build tool for Python monorepos. Two wings and a hinge:
//!
//! ```text
//! WHAT to build (knows Pants and Python)                      HOW to run it (knows neither)
//! cli -> goals -> prepare -> session -------- the hinge ----------+
//!                    |                                            |
//!                  plan -> tools, packaging, inference -> targets +-> engine -> waders-sandbox
//!                                                   |             |      |
//!                                         build_file, config      |  action, store, net
//!                                                   +-> tracked, base <--+
//! ```
//!
//! The rooms, and what each may use. `tests/it/tidy.rs` enforces this table. The right-hand side is the crate `waders-core` in
//! `src/core`, so that the compiler rejects what it may not use.
//!
//! | room | lives there | may use |
//! |---|---|---|
//! | `base` | digest, relative path, glob, positions in text | - |
//! | `tracked` | the files and variables that a plan read, each read recorded | base |
//! | `store` | blobs, trees, images, archives, the index; the recorded state of one checkout | base tracked |
//! | `net` | HTTP with the user's TLS, proxy and index settings; file listings | base |
//! | `signing` | keys, signatures and signed envelopes | base |
//! | `action` | command, policy, graph, key, outcome, event | base |
//! | `audit` | read set, where its files come from, what was not declared | base action |
//! | `engine` | executor, action cache, runner, fetch, cancellation | base store net signing action audit |
//! | `config` | option table, loading, precedence, interpolation, typed settings | base tracked |
//! | `build_file` | parsing and evaluation of BUILD files, pure | base |
//! | `targets` | address, spec, kind, field, graph, selection | base tracked config build_file |
//! | `inference` | imports, owners, module map, closure | base tracked store config targets |
//! | `packaging` | requirement, lockfile, resolve, wheel, venv, unpackers and recipes | base tracked store config targets |
//! | `toolchain` | lock, debian, standalone, host, system tree | base tracked store net config |
//! | `tools` | the tools as data | base config |
//! | `services` | the services for tests as data | base config |
//! | `attest` | attestations and bills of materials: statements, and how they are checked; pure | base signing |
//! | `plan` | partitions and inputs: targets and tools to actions | base tracked store action config targets inference packaging toolchain services tools |
//! | `difference` | two versions of a file: what kind of bytes differ, and a readable diff | base |
//! | `report` | diagnostics, console, json, junit, sarif, summary | base action audit |
//! | `session` | the repository, the services and the user interface of one run | base tracked store net signing action audit engine config build_file targets inference packaging toolchain tools plan report |
//! | `prepare` | one pipeline for each family of goals, from targets to actions | base tracked store net action audit engine config build_file targets inference packaging toolchain services tools attest plan report session |
//! | `goals` | one small file for each goal | base tracked store signing action audit engine config build_file targets inference packaging services tools attest plan difference report session prepare |
//! | `cli` | arguments, dispatch, exit codes, completions | base tracked config targets report session goals |

#![warn(unreachable_pub)]
#![cfg_attr(not(test), warn(missing_docs))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod attest;
pub mod build_file;
pub mod cli;
pub mod config;
pub mod difference;
pub mod goals;
pub mod inference;
pub mod packaging;
pub mod plan;
pub mod prepare;
pub mod report;
pub mod services;
pub mod session;
pub mod targets;
pub mod toolchain;
pub mod tools;

pub use waders_core::{action, audit, base, engine, net, signing, store, tracked};
