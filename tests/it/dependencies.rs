//! Every dependency has a licence that `.deny.toml` allows, and comes from the default registry. Known vulnerabilities are
//! not checked: their database is not reachable from CI.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The packages that are built on Linux. Others are not downloaded, so that `--offline` could not read them.
fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

fn allowed_licences() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deny.toml");
    let rules: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    rules["licenses"]["allow"].clone().try_into().unwrap()
}

fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    // `MIT/Apache-2.0` is the older spelling of `MIT OR Apache-2.0`.
    let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).unwrap();
    expression.evaluate(|requirement| allowed.contains(&requirement.to_string()))
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_one_registry() {
    let allowed = allowed_licences();
    let packages = packages();
    let mut sources = BTreeSet::new();
    for package in &packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        assert!(is_allowed(licence, &allowed), "{name}: `.deny.toml` does not allow the licence `{licence}`");
        sources.extend(package["source"].as_str());
    }
    assert!(packages.len() > 100, "only {} packages were checked", packages.len());
    assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
}

#[test]
fn licence_expressions_are_evaluated() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for licence in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR ISC", "(GPL-3.0-only OR ISC) AND MIT"] {
        assert!(is_allowed(licence, &allowed), "{licence}");
    }
    for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "Apache-2.0"] {
        assert!(!is_allowed(licence, &allowed), "{licence}");
    }
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allowed));
}
