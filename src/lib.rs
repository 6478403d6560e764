//! Waders: a hermetic build tool for Python monorepos. Two wings and a hinge:
//!
//! ```text
//! WHAT to build (knows Pants and Python)          HOW to run it (knows neither)
//! cli -> goals --------------- the hinge --------------+
//!          |                                           |
//!        plan -> tools, python -> target               +-> engine -> waders-sandbox
//!                                   |                  |      |
//!                         build_file, config           |  action, store, net
//!                                   +--> look, base <--+------+
//! ```
//!
//! The rooms, and what each may use. `tests/it/tidy.rs` reads this table: the map is the rule.
//!
//! | room | lives there | may use |
//! |---|---|---|
//! | `base` | digest, relative path, glob, text | - |
//! | `look` | files outside the store as plans see them, every look noted | base |
//! | `store` | blobs, trees, capture, materialize, archives, durable writes, index | base look |
//! | `net` | HTTP with the user's own TLS and index settings, listings of files, retries | base |
//! | `action` | action, graph, key, outcome, event | base |
//! | `engine` | executor, cache, one action's run, fetch | base store net action |
//! | `config` | option table, load, precedence, interpolation, flags | base |
//! | `build_file` | parse and evaluate declarative BUILD files | base |
//! | `target` | address, spec, kinds, fields, graph, selection | base look config build_file |
//! | `python` | imports, owners, inference, lockfiles, resolve, wheels | base look store config target |
//! | `toolchain` | lock, debian, standalone, host, system tree | base look store net config |
//! | `tools` | the tools as data | base config |
//! | `plan` | partitions and inputs: targets and tools to actions | base look store action config target python toolchain tools |
//! | `report` | console, json, junit, summary | base action |
//! | `goals` | one small file a goal, and the session they share | base look store net action engine config build_file target python toolchain tools plan report |
//! | `cli` | arguments, dispatch, exit codes, errors | base config target goals report |

pub mod action;
pub mod base;
pub mod build_file;
pub mod cli;
pub mod config;
pub mod engine;
pub mod goals;
pub mod look;
pub mod net;
pub mod plan;
pub mod python;
pub mod report;
pub mod store;
pub mod target;
pub mod toolchain;
pub mod tools;
