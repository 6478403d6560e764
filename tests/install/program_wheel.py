"""A build backend (PEP 517) that packs an existing program as a wheel, as maturin does with `bindings = "bin"`.

The step that builds the wheel imports it, in a directory with the program `waders`, `Cargo.toml`, `README.md` and
`LICENSE`. The platform tag is that of the newest version of glibc whose symbols the program needs (PEP 600), or for a
program without shared libraries that of the oldest. The program itself writes its manual pages and completion scripts.
Waders gives fixed times and a fixed order to the files.
"""

import base64
import hashlib
import struct
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

PROGRAM = "waders"

# For the metadata, besides what is in Cargo.toml.
CLASSIFIERS = [
    "Environment :: Console",
    "Operating System :: POSIX :: Linux",
    "Programming Language :: Rust",
    "Topic :: Software Development :: Build Tools",
]

# Where shells look for the completions of a program, below the prefix that it is installed to.
COMPLETIONS = {
    "bash": "share/bash-completion/completions/waders",
    "fish": "share/fish/vendor_completions.d/waders.fish",
    "zsh": "share/zsh/site-functions/_waders",
}

SHT_GNU_VERNEED = 0x6FFFFFFE
EM_X86_64, EM_AARCH64 = 62, 183
OLDEST_GLIBC = (2, 17)


def sections(elf):
    """The sections of a 64-bit little-endian ELF file (elf(5)): type, index of the linked section, content."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"`{PROGRAM}` is not a 64-bit ELF program")
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    for index in range(count):
        _, kind, _, _, offset, length, link = struct.unpack_from("<IIQQQQI", elf, table + index * size)
        yield kind, link, elf[offset : offset + length]


def needed_versions(elf):
    """The names of the symbol versions that a program needs of its libraries, such as `GLIBC_2.34`."""
    table = list(sections(elf))
    for kind, link, content in table:
        if kind != SHT_GNU_VERNEED:
            continue
        names, file = table[link][2], 0
        while True:
            _, count, _, first, next_file = struct.unpack_from("<HHIII", content, file)
            entry = file + first
            for _ in range(count):
                _, _, _, name, next_entry = struct.unpack_from("<IHHII", content, entry)
                yield names[name : names.index(b"\0", name)].decode()
                entry += next_entry
            if next_file == 0:
                break
            file += next_file


def platform_tag(elf):
    """The tag of the machines on which a program runs."""
    machine = {EM_X86_64: "x86_64", EM_AARCH64: "aarch64"}[struct.unpack_from("<H", elf, 0x12)[0]]
    versions = [name.removeprefix("GLIBC_") for name in needed_versions(elf) if name.startswith("GLIBC_2.")]
    newest = max([tuple(map(int, version.split("."))) for version in versions] + [OLDEST_GLIBC])
    return f"manylinux_{newest[0]}_{newest[1]}_{machine}"


def metadata(cargo, readme):
    """The file `METADATA`."""
    package, workspace = cargo["package"], cargo["workspace"]["package"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {package['name']}",
        f"Version: {workspace['version']}",
        f"Summary: {package['description']}",
        f"License-Expression: {workspace['license']}",
        "License-File: LICENSE",
        *(f"Classifier: {classifier}" for classifier in CLASSIFIERS),
        "Requires-Python: >=3.8",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + readme


def shared_files(program):
    """The manual pages and completion scripts, by their paths below the prefix."""
    with tempfile.TemporaryDirectory() as pages:
        subprocess.run([program, "man-pages", pages], check=True)
        files = {f"share/man/man1/{page.name}": page.read_bytes() for page in Path(pages).iterdir()}
    for shell, path in COMPLETIONS.items():
        files[path] = subprocess.check_output([program, "completions", shell])
    return files


def wheel_files(root):
    """The name of the wheel, and its files without RECORD."""
    elf = (root / PROGRAM).read_bytes()
    cargo = tomllib.loads((root / "Cargo.toml").read_text())
    version, tag = cargo["workspace"]["package"]["version"], f"py3-none-{platform_tag(elf)}"
    base = f"{PROGRAM}-{version}"
    info = f"Wheel-Version: 1.0\nGenerator: waders\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files = {
        f"{base}.data/scripts/{PROGRAM}": elf,
        f"{base}.dist-info/METADATA": metadata(cargo, (root / "README.md").read_text()).encode(),
        f"{base}.dist-info/WHEEL": info.encode(),
        f"{base}.dist-info/licenses/LICENSE": (root / "LICENSE").read_bytes(),
    }
    shared = shared_files(root / PROGRAM)
    files |= {f"{base}.data/data/{path}": content for path, content in sorted(shared.items())}
    return f"{base}-{tag}.whl", files


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes the wheel and returns its name."""
    name, files = wheel_files(Path.cwd())
    info = next(file for file in files if file.endswith(".dist-info/WHEEL")).removesuffix("WHEEL")
    rows = []
    for file, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{file},sha256={digest},{len(content)}\n")
    files[info + "RECORD"] = "".join([*rows, f"{info}RECORD,,\n"]).encode()
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = (0o100755 if "/scripts/" in file else 0o100644) << 16
            archive.writestr(entry, content)
    return name


if __name__ == "__main__":
    print(platform_tag(Path(sys.argv[1]).read_bytes()))
