"""Check that what `sam build` packed can be loaded by Lambda: `python -m tools.build_check .aws-sam/build`.

A build can succeed and still hold packages for the machine it ran on. So every wheel's tags and every
compiled file's header are read: they must be for arm64 and CPython 3.13 (or the stable ABI). Prints the
sizes; exits 1 with what is wrong and what to do about it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import yaml

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024
"""Function and layers together, unpacked (AWS Lambda quotas: deployment package size)."""

EM_AARCH64 = 183
"""ELF header field e_machine of 64-bit ARM (ELF for the Arm 64-bit Architecture, 5.1)."""

GLIBC_OF_RUNTIME = (2, 34)
"""Amazon Linux 2023, under python3.13, has glibc 2.34; a wheel that asks for a newer one cannot load."""

PURE_TAG = re.compile(r"(py3|py2\.py3|py2|cp313|py313)-none-any")
COMPILED_TAG = re.compile(r"(?:cp313-cp313|cp3\d+-abi3|py3-none)-(?P<platform>\w+)")
PLATFORM = re.compile(r"manylinux_(\d+)_(\d+)_aarch64|manylinux(2014)_aarch64")


@dataclass(frozen=True, slots=True)
class Package:
    """One thing that Lambda unpacks: a function's folder or a layer."""

    logical_id: str
    kind: str
    folder: Path

    def size_bytes(self) -> int:
        """What it takes unpacked."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def read_packages(build_folder: Path) -> list[Package]:
    """The functions and layers of a built template, layers first.

    Raises FileNotFoundError when there is no built template or one of its folders is missing.
    """
    template_path = build_folder / "template.yaml"
    if not template_path.is_file():
        raise FileNotFoundError(f"{template_path} is missing: run `make build` first")
    resources: dict[str, Any] = yaml.safe_load(template_path.read_text("utf-8"))["Resources"]
    packages = []
    for logical_id, resource in resources.items():
        kind, uri = _kind_and_uri(resource)
        if uri:
            folder = (build_folder / uri).resolve()
            if not folder.is_dir():
                raise FileNotFoundError(f"{logical_id}: {folder} is missing; run `make build` again")
            packages.append(Package(logical_id, kind, folder))
    return sorted(packages, key=lambda package: (package.kind != "layer", package.logical_id))


def _kind_and_uri(resource: dict[str, Any]) -> tuple[str, str]:
    properties = resource.get("Properties", {})
    if resource["Type"] == "AWS::Serverless::Function":
        return "function", properties["CodeUri"]
    if resource["Type"] == "AWS::Serverless::LayerVersion":
        return "layer", properties["ContentUri"]
    return "", ""


def is_loadable_tag(tag: str) -> bool:
    """Whether a wheel with this tag (PEP 425) loads on CPython 3.13, arm64, glibc 2.34."""
    if PURE_TAG.fullmatch(tag):
        return True
    compiled = COMPILED_TAG.fullmatch(tag)
    if not compiled:
        return False
    return any(_is_loadable_platform(name) for name in compiled["platform"].split("."))


def _is_loadable_platform(name: str) -> bool:
    match = PLATFORM.fullmatch(name)
    return bool(match and (match[3] or (int(match[1]), int(match[2])) <= GLIBC_OF_RUNTIME))


def wheel_problems(folder: Path) -> list[str]:
    """Wheels of which no tag fits the runtime."""
    problems = []
    for path in sorted(folder.rglob("*.dist-info/WHEEL")):
        tags = HeaderParser().parsestr(path.read_text("utf-8")).get_all("Tag", [])
        if not any(is_loadable_tag(tag) for tag in tags):
            problems.append(f"{path.parent.name} is for {', '.join(tags)}: not for arm64 and Python 3.13")
    return problems


def machine_of(path: Path) -> int | None:
    """The e_machine field of an ELF file, or None where it is no ELF file."""
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        return None
    return int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")


def compiled_problems(folder: Path) -> list[str]:
    """Compiled files for another processor or another Python."""
    problems = []
    for path in sorted(folder.rglob("*.so*")):
        if machine_of(path) != EM_AARCH64:
            problems.append(f"{path.relative_to(folder)} is not compiled for arm64")
        elif ".cpython-" in path.name and ".cpython-313-" not in path.name:
            problems.append(f"{path.relative_to(folder)} is not compiled for Python 3.13")
    return problems


def lock_problems(folder: Path, lock: Path) -> list[str]:
    """Packages of the lock file that are not packed in exactly that version.

    Raises FileNotFoundError without a lock file.
    """
    wanted = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", lock.read_text("utf-8"), re.MULTILINE)
    packed = {_normalised(path.name.removesuffix(".dist-info")) for path in folder.rglob("*.dist-info")}
    return [
        f"{name}=={version} of {lock} is not packed"
        for name, version in wanted
        if _normalised(f"{name}-{version}") not in packed
    ]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def size_problems(packages: list[Package]) -> list[str]:
    """Functions that are over the limit together with all layers."""
    layers = sum(package.size_bytes() for package in packages if package.kind == "layer")
    return [
        f"{package.logical_id} is over {_readable(UNPACKED_LIMIT_BYTES)} unpacked with its layers"
        for package in packages
        if package.kind == "function" and layers + package.size_bytes() > UNPACKED_LIMIT_BYTES
    ]


def _readable(size_bytes: int) -> str:
    kilobytes = size_bytes / 1024
    return f"{kilobytes:.1f} KB" if kilobytes < 1024 else f"{kilobytes / 1024:.1f} MB"


def print_sizes(packages: list[Package]) -> None:
    """A table of what Lambda unpacks, layers first."""
    print("\nPacked for Lambda (unpacked sizes)\n")
    for package in packages:
        print(f"  {package.kind:<9} {package.logical_id:<28} {_readable(package.size_bytes()):>10}")
    layers = sum(package.size_bytes() for package in packages if package.kind == "layer")
    largest = max((package.size_bytes() for package in packages if package.kind == "function"), default=0)
    total, limit = _readable(layers + largest), _readable(UNPACKED_LIMIT_BYTES)
    print(f"\n  largest function with its layers: {total} of {limit}\n")


def find_problems(packages: list[Package], lock: Path) -> list[str]:
    """Everything that would keep a package from loading on Lambda."""
    problems = size_problems(packages)
    for package in packages:
        problems += wheel_problems(package.folder) + compiled_problems(package.folder)
        if package.logical_id == "DepsLayer":
            problems += lock_problems(package.folder, lock)
        elif package.kind == "layer" and not any((package.folder / "python").glob("*/__init__.py")):
            problems.append(f"{package.logical_id} holds no package under python/")
        elif package.kind == "function" and not (package.folder / "app.py").is_file():
            problems.append(f"{package.logical_id} has no app.py")
    return problems


def main(arguments: list[str]) -> int:
    """Print sizes and problems of a build folder; 0 if it can be deployed, 1 if not, 2 if none is built."""
    if len(arguments) != 1:
        print("Say which folder: python -m tools.build_check .aws-sam/build", file=sys.stderr)
        return 2
    try:
        packages = read_packages(Path(arguments[0]))
        problems = find_problems(packages, Path("layers/deps/requirements.txt"))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    print_sizes(packages)
    for problem in problems:
        print(f"  wrong: {problem}", file=sys.stderr)
    if problems:
        print("\nRun `make clean build`; if it stays, look at layers/deps/Makefile.", file=sys.stderr)
        return 1
    print("Every wheel and compiled file is for arm64 and Python 3.13.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
