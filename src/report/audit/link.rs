//! The inputs and outputs of a step as an in-toto Statement (version 1) with a Link predicate (version 0.3). Not signed.

use serde_json::{Value, json};

use crate::report::audit::{SourceUse, StepReport};

/// The statement of a step that ran. Materials are the sources that it read and all of its images; subjects are its outputs.
pub fn statement(step: &StepReport) -> Value {
    let subject = |(name, blake3): (&String, &String)| json!({ "name": name, "digest": { "blake3": blake3 } });
    let read = step.sources.iter().filter(|source| source.read);
    let source = |source: &SourceUse| json!({ "name": source.path, "digest": { "blake3": source.blake3 } });
    let image = |(at, image): (&String, &crate::report::audit::ImageUse)| {
        let hash = image.digest.split('/').next().unwrap_or_default();
        json!({ "name": at, "digest": { "blake3": hash }, "mediaType": "application/x-reapi-directory" })
    };
    let package = |package: &crate::report::audit::PackageUse| json!({ "name": package.name, "uri": format!("pkg:pypi/{}@{}", package.name, package.version) });
    let packages = step.packages.iter().filter(|package| package.files_read > 0).map(package);
    let materials: Vec<Value> = read.map(source).chain(step.images.iter().map(image)).collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": step.outputs.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": "https://in-toto.io/attestation/link/v0.3",
        "predicate": {
            "name": format!("{} {}", step.goal, step.name),
            "command": step.command,
            "materials": materials,
            "byproducts": {
                "result": step.result,
                "packages": packages.collect::<Vec<_>>(),
                "programs": step.programs,
                "sockets": step.sockets,
            },
            "environment": step.environment,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::audit::tests::sample;

    #[test]
    fn materials_are_what_was_read_and_subjects_what_was_produced() {
        let statement = statement(&sample().steps[0]);
        assert_eq!(statement["subject"][0]["name"], "report.xml");
        let materials = statement["predicate"]["materials"].as_array().unwrap();
        let names: Vec<_> = materials.iter().map(|material| material["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["src/a_test.py", "/usr"]);
        assert_eq!(materials[1]["digest"]["blake3"], "x");
    }
}
