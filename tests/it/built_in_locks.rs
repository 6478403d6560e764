//! The locks that Waders brings hold what their definitions ask for, with a wheel for every interpreter they are for.

use waders::python::resolve::{Pick, resolve};
use waders::python::{Environment, Requirement, lockfile, requirement};
use waders::tools;

#[test]
fn built_in_tools_have_a_wheel_for_every_interpreter() {
    for scope in ["pytest", "setuptools"] {
        let tool = tools::built_in(scope).expect(scope);
        let lock = lockfile::parse(&tool.lock_label(), tool.lock, None).expect("readable");
        let requirements: Vec<Requirement> =
            tool.requirements.iter().map(|text| requirement::parse(text).expect("requirement")).collect();
        for python in ["3.8.18", "3.9.2", "3.10.13", "3.11.2", "3.12.1", "3.13.5"] {
            let environment = Environment::linux_x86_64(python, (2, 31)).expect("version");
            let chosen = resolve(&lock, &requirements, &environment).expect(python);
            assert!(!chosen.is_empty());
            for chosen in chosen {
                assert!(matches!(chosen.pick, Pick::Wheel(_)), "{python}: {chosen:?}");
            }
        }
    }
}
