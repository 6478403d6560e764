//! Bills of materials in CycloneDX 1.6 (JSON): the packages in a result, and those of the environment in which it was made. The
//! format is <https://cyclonedx.org/docs/1.6/json/>. There is no time in it, and its serial number follows from its content.

use serde_json::{Value, json};

use crate::attest::licence::Licence;
use crate::attest::material::{Material, MaterialKind, Role};
use crate::attest::statement::Subject;
use crate::base::Digest;

/// The document on a result that consists of these files. `materials` are sorted.
pub fn render(name: &str, subjects: &[Subject], materials: &[Material], waders_version: &str) -> Vec<u8> {
    let packages: Vec<(String, &Material)> =
        materials.iter().filter_map(|material| Some((material.purl()?, material))).collect();
    let contained = packages.iter().filter(|(_, material)| material.role == Role::Content);
    let contained: Vec<&String> = contained.map(|(purl, _)| purl).collect();
    let root = "result";
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "waders", "version": waders_version }] },
            "component": result(root, name, subjects),
        },
        "components": packages.iter().map(|(purl, material)| component(purl, material)).collect::<Vec<Value>>(),
        "dependencies": [{ "ref": root, "dependsOn": contained }],
    });
    let digest = Digest::of(document.to_string().as_bytes());
    document["serialNumber"] = json!(format!("urn:uuid:{}", uuid(digest.hash())));
    let mut bytes = serde_json::to_vec_pretty(&document).expect("JSON values always serialize");
    bytes.push(b'\n');
    bytes
}

/// The result: one file, or several as parts.
fn result(reference: &str, name: &str, subjects: &[Subject]) -> Value {
    let mut component = json!({ "type": "application", "bom-ref": reference, "name": name });
    match subjects {
        [one] => component["hashes"] = hashes(one.digest.sha256.as_deref().unwrap_or_default()),
        several => {
            let file = |file: &Subject| {
                let hash = file.digest.sha256.as_deref().unwrap_or_default();
                json!({ "type": "file", "name": file.name, "hashes": hashes(hash) })
            };
            component["components"] = several.iter().map(file).collect();
        }
    }
    component
}

fn component(purl: &str, material: &Material) -> Value {
    let (kind, name, version) = match &material.kind {
        MaterialKind::Distribution { name, version, .. } => ("library", name.as_str(), version),
        MaterialKind::DebianPackage { name, version, .. } => ("library", name.as_str(), version),
        MaterialKind::Download { .. } => ("file", material.name.as_str(), &material.hash),
        MaterialKind::ImageLayer { repository } => ("container", repository.as_str(), &material.hash),
        MaterialKind::Interpreter { version } | MaterialKind::HostInterpreter { version } => {
            ("platform", "cpython", version)
        }
        MaterialKind::Source { .. } | MaterialKind::Settings | MaterialKind::Generated => {
            unreachable!("files have no package URL")
        }
    };
    let scope = match material.role {
        Role::Content => "required",
        Role::Environment => "excluded",
    };
    let mut component =
        json!({ "type": kind, "bom-ref": purl, "name": name, "version": version, "scope": scope, "purl": purl });
    if !matches!(material.kind, MaterialKind::HostInterpreter { .. }) {
        component["hashes"] = hashes(&material.hash);
    }
    if let MaterialKind::Distribution { licences, .. } = &material.kind
        && !licences.is_empty()
    {
        component["licenses"] = licences.iter().map(licence).collect();
    }
    component
}

fn licence(licence: &Licence) -> Value {
    match licence {
        Licence::Expression(expression) => json!({ "expression": expression }),
        Licence::Name(name) => json!({ "license": { "name": name } }),
    }
}

fn hashes(sha256: &str) -> Value {
    json!([{ "alg": "SHA-256", "content": sha256 }])
}

/// The first 16 bytes of a hash as a UUID of version 8 (RFC 9562, section 5.8), which is for such uses.
fn uuid(hash: &[u8; 32]) -> String {
    let mut bytes = hash[..16].to_vec();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::material::tests::{material, wheel};

    fn document(materials: &[Material]) -> Value {
        serde_json::from_slice(&render("bin.pex", &[Subject::new("bin.pex", "11")], materials, "1.0")).unwrap()
    }

    #[test]
    fn only_packages_are_components_and_only_contained_ones_are_dependencies() {
        let licences = vec![Licence::Name("MIT".to_owned())];
        let materials = [
            material(MaterialKind::Source { executable: false }, "src/a.py", Role::Content),
            wheel("contained", "1.0", licences, Role::Content),
            wheel("tool", "2.0", vec![Licence::Expression("MIT".to_owned())], Role::Environment),
        ];
        let document = document(&materials);
        let names: Vec<_> = document["components"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, [json!("contained"), json!("tool")]);
        assert_eq!(document["components"][0]["licenses"], json!([{ "license": { "name": "MIT" } }]));
        assert_eq!(document["components"][1]["licenses"], json!([{ "expression": "MIT" }]));
        assert_eq!(document["components"][1]["scope"], json!("excluded"));
        let contained = "pkg:pypi/contained@1.0?file_name=contained-1.0-py3-none-any.whl";
        assert_eq!(document["dependencies"], json!([{ "ref": "result", "dependsOn": [contained] }]));
    }

    #[test]
    fn the_serial_number_follows_from_the_content() {
        let number = |materials: &[Material]| document(materials)["serialNumber"].as_str().unwrap().to_owned();
        let wheel = wheel("a", "1.0", Vec::new(), Role::Content);
        assert_eq!(number(std::slice::from_ref(&wheel)), number(std::slice::from_ref(&wheel)));
        assert_ne!(number(&[wheel]), number(&[]));
        let pattern =
            regex::Regex::new("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$");
        assert!(pattern.unwrap().is_match(&number(&[])), "{}", number(&[]));
    }
}
