"""Checks what `waders attest` wrote with the programs of others. Run by hand; docs/attest.md has the results.

    pip install in-toto-attestation "securesystemslib[crypto]" "cyclonedx-python-lib[json-validation]" sigstore-models packageurl-python
    python tests/attest/validate.py dist/attestations key.pub
"""

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from packageurl import PackageURL
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from sigstore_models.bundle.v1 import Bundle

PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


def check_statement(statement):
    """The protocol buffers of in-toto and SLSA accept every field, and the rules of in-toto's library hold."""
    parsed = Statement(
        subjects=[ParseDict(subject, ResourceDescriptor().pb) for subject in statement["subject"]],
        predicate_type=statement["predicateType"],
        predicate=statement["predicate"],
    )
    parsed.validate()
    assert statement["_type"] == "https://in-toto.io/Statement/v1", statement["_type"]
    if statement["predicateType"] == PROVENANCE:
        predicate = ParseDict(statement["predicate"], Provenance())
        for dependency in predicate.build_definition.resolved_dependencies:
            descriptor = ResourceDescriptor()
            descriptor.pb.CopyFrom(dependency)
            descriptor.validate()
            if dependency.uri.startswith("pkg:"):
                url = PackageURL.from_string(dependency.uri)
                assert url.to_string() == dependency.uri, f"{dependency.uri} is {url.to_string()} in canonical form"
    else:
        assert statement["predicateType"] == TEST_RESULT, statement["predicateType"]
        ParseDict(statement["predicate"], TestResult())


def check_envelope(document, key):
    """The signature is that of the key, and of this payload alone."""
    envelope = Envelope.from_dict(document)
    envelope.verify([key], 1)
    changed = Envelope(envelope.payload + b" ", envelope.payload_type, envelope.signatures)
    try:
        changed.verify([key], 1)
    except VerificationError:
        return json.loads(envelope.payload)
    raise AssertionError("a changed payload verifies")


def check_bundle(document, key):
    """Sigstore's models accept the bundle, and its envelope verifies."""
    bundle = Bundle.from_dict(document)
    assert bundle.verification_material.public_key.hint == key.keyid
    envelope = dict(document["dsseEnvelope"])
    envelope["signatures"] = [{"keyid": key.keyid, "sig": one["sig"]} for one in envelope["signatures"]]
    return check_envelope(envelope, key)


def check_bill_of_materials(text):
    """The document is valid CycloneDX 1.6, strictly, and CycloneDX's library reads it."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    bom = Bom.from_json(json.loads(text))
    assert bom.validate()
    return len(bom.components)


def main(directory, key_file):
    public = load_pem_public_key(Path(key_file).read_bytes())
    counts = {"envelopes": 0, "bundles": 0, "bills of materials": 0, "components": 0}
    for path in sorted(Path(directory).rglob("*.json")):
        document = json.loads(path.read_text())
        if path.name.endswith(".cdx.json"):
            counts["bills of materials"] += 1
            counts["components"] += check_bill_of_materials(path.read_text())
        elif "payload" in document:
            key = SSlibKey.from_crypto(public, document["signatures"][0]["keyid"])
            check_statement(check_envelope(document, key))
            counts["envelopes"] += 1
        elif "dsseEnvelope" in document:
            key = SSlibKey.from_crypto(public, document["verificationMaterial"]["publicKey"]["hint"])
            check_statement(check_bundle(document, key))
            counts["bundles"] += 1
    print(", ".join(f"{count} {name}" for name, count in counts.items()), "are valid")


if __name__ == "__main__":
    main(*sys.argv[1:])
