import re
import struct
import sys
from pathlib import Path

import pytest
from program_wheel import metadata, needed_versions, platform_tag, sections


def test_the_tag_is_that_of_the_newest_symbol_version():
    elf = Path(sys.executable).resolve().read_bytes()
    versions = {name for name in needed_versions(elf) if name.startswith("GLIBC_2.")}
    newest = max(tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in versions)
    assert re.fullmatch(rf"manylinux_{newest[0]}_{newest[1]}_(x86_64|aarch64)", platform_tag(elf))


def test_a_program_without_libraries_runs_with_the_oldest_glibc():
    # An ELF header without sections, of the machine 62 (x86-64).
    header = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 62) + bytes(44)
    assert platform_tag(header) == "manylinux_2_17_x86_64"


def test_a_file_that_is_no_program_is_refused():
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(60)):
        with pytest.raises(SystemExit):
            list(sections(content))


def test_the_metadata_ends_with_the_readme():
    cargo = {
        "package": {"name": "waders", "description": "A tool"},
        "workspace": {"package": {"version": "1.2", "license": "MIT"}},
    }
    headers, _, readme = metadata(cargo, "# Title\n").partition("\n\n")
    assert "Version: 1.2" in headers.splitlines() and readme == "# Title\n"
