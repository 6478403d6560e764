"""Checks what `waders audit` wrote with the programs of others. Run by hand; docs/audit.md has the results.

    pip install in-toto-attestation jsonschema html5lib
    waders audit --html=audit/page.html --sarif=audit/findings.sarif --links=audit/links ::
    python tests/audit/validate.py audit sarif-schema-2.1.0.json

The schema is that of the OASIS specification SARIF 2.1.0.
"""

import json
import sys
from pathlib import Path

import html5lib
import jsonschema
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.link.v0.link_pb2 import Link
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement


def check_sarif(path, schema):
    """The schema accepts the document. Returns the number of results."""
    document = json.loads(path.read_text())
    checker = jsonschema.FormatChecker()
    jsonschema.Draft7Validator(json.loads(schema.read_text()), format_checker=checker).validate(document)
    return sum(len(run["results"]) for run in document["runs"])


def check_link(path):
    """The protocol buffers of in-toto accept every field, and the rules of in-toto's library hold."""
    statement = json.loads(path.read_text())
    Statement(
        subjects=[ParseDict(subject, ResourceDescriptor().pb) for subject in statement["subject"]],
        predicate_type=statement["predicateType"],
        predicate=statement["predicate"],
    ).validate()
    for material in ParseDict(statement["predicate"], Link()).materials:
        descriptor = ResourceDescriptor()
        descriptor.pb.CopyFrom(material)
        descriptor.validate()


def check_page(path):
    """The page is HTML without errors."""
    html5lib.HTMLParser(strict=True).parse(path.read_text())


def main():
    directory, schema = Path(sys.argv[1]), Path(sys.argv[2])
    results = check_sarif(directory / "findings.sarif", schema)
    links = sorted((directory / "links").glob("*.json"))
    for link in links:
        check_link(link)
    check_page(directory / "page.html")
    print(f"{results} results in SARIF, {len(links)} statements and the page are valid")


main()
