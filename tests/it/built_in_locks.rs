//! The built-in lockfiles contain a wheel for every interpreter that they support.

use waders::packaging::Environment;
use waders::packaging::resolve::{ArtifactChoice, resolve_whole};
use waders::plan::requirements;
use waders::tools;

#[test]
fn built_in_lockfiles_have_a_wheel_for_every_supported_interpreter() {
    check("pex", tools::PEX_LOCK, None);
    check("sdists", tools::SDIST_LOCK, None);
    check("pip", tools::PIP_LOCK, None);
    check("uv", tools::UV_LOCK, None);
    for tool in tools::all().filter(|tool| !tool.lock.is_empty()) {
        check(&tool.scope, tool.lock, tool.python.as_deref());
    }
}

fn check(name: &str, text: &str, pythons: Option<&str>) {
    let lock = requirements::parse_built_in(name, text).unwrap();
    for python in ["3.8.18", "3.9.2", "3.10.13", "3.11.2", "3.12.1", "3.13.5"] {
        let environment = Environment::linux_x86_64(python, (2, 31)).unwrap();
        let admitted: Option<uv_pep440::VersionSpecifiers> = pythons.map(|text| text.parse().unwrap());
        if admitted.is_some_and(|admitted| !admitted.contains(environment.python())) {
            continue;
        }
        let selected = resolve_whole(&lock, &environment).expect(python);
        assert!(!selected.is_empty(), "{name}");
        for package in selected {
            assert!(matches!(package.artifact, ArtifactChoice::Wheel(_)), "{name} for {python}: {package:?}");
        }
    }
}
