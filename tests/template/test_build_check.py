"""The check of what was packed refuses what Lambda could not load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import build_check

ELF_HEADER = b"\x7fELF\x02\x01" + bytes(12)
"""A 64-bit little-endian ELF header up to the field that names the machine."""

ARM64, X86_64 = 183, 62


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build folder as `sam build` leaves it: one function, the shared package, one compiled dependency."""
    (tmp_path / "template.yaml").write_text(
        "Resources:\n"
        "  ApiStockFunction: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: api}}\n"
        "  OmsLayer: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: oms}}\n"
        "  DepsLayer: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: deps}}\n"
        "  Table: {Type: 'AWS::DynamoDB::Table'}\n"
    )
    (tmp_path / "api").mkdir()
    (tmp_path / "api/app.py").write_text("")
    (tmp_path / "oms/python/oms").mkdir(parents=True)
    (tmp_path / "oms/python/oms/__init__.py").write_text("")
    pack(tmp_path, "fast_thing", "1.2.0", "cp313-cp313-manylinux2014_aarch64", ARM64)
    (tmp_path / "lock.txt").write_text("fast-thing==1.2.0 \\\n    --hash=sha256:00\n")
    return tmp_path


def pack(built: Path, name: str, version: str, tag: str, machine: int, python: str = "313") -> None:
    """Put a compiled package into the dependencies' layer."""
    package = built / "deps/python" / name
    package.mkdir(parents=True, exist_ok=True)
    (package / f"_core.cpython-{python}-linux-gnu.so").write_bytes(ELF_HEADER + machine.to_bytes(2, "little"))
    info = built / "deps/python" / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")


def problems(built: Path) -> list[str]:
    """What the check finds wrong."""
    return build_check.find_problems(build_check.read_packages(built), built / "lock.txt")


def test_a_build_for_lambda_is_accepted(built: Path) -> None:
    assert problems(built) == []


@pytest.mark.parametrize(
    "tag",
    [
        "cp313-cp313-manylinux2014_x86_64",
        "cp312-cp312-manylinux2014_aarch64",
        "cp313-cp313t-manylinux2014_aarch64",
        "cp313-cp313-manylinux_2_38_aarch64",
        "cp313-cp313-musllinux_1_2_aarch64",
        "cp313-cp313-macosx_11_0_arm64",
    ],
)
def test_a_wheel_for_another_platform_is_refused(built: Path, tag: str) -> None:
    pack(built, "fast_thing", "1.2.0", tag, ARM64)
    assert problems(built) == [f"fast_thing-1.2.0.dist-info is for {tag}: not for arm64 and Python 3.13"]


@pytest.mark.parametrize("tag", ["py3-none-any", "cp38-abi3-manylinux_2_28_aarch64", "py2.py3-none-any"])
def test_a_wheel_for_any_platform_or_the_stable_interface_is_accepted(built: Path, tag: str) -> None:
    pack(built, "fast_thing", "1.2.0", tag, ARM64)
    assert problems(built) == []


def test_a_file_compiled_for_another_processor_is_refused(built: Path) -> None:
    pack(built, "fast_thing", "1.2.0", "cp313-cp313-manylinux2014_aarch64", X86_64)
    assert problems(built) == ["python/fast_thing/_core.cpython-313-linux-gnu.so is not compiled for arm64"]


def test_a_file_compiled_for_another_python_is_refused(built: Path) -> None:
    pack(built, "fast_thing", "1.2.0", "cp313-cp313-manylinux2014_aarch64", ARM64, python="312")
    assert problems(built) == ["python/fast_thing/_core.cpython-312-linux-gnu.so is not compiled for Python 3.13"]


def test_a_package_of_the_lock_file_that_is_not_packed_is_named(built: Path) -> None:
    (built / "lock.txt").write_text("fast-thing==1.3.0 \\\n")
    assert problems(built) == [f"fast-thing==1.3.0 of {built / 'lock.txt'} is not packed"]


def test_a_function_over_the_limit_with_its_layers_is_refused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_check, "UNPACKED_LIMIT_BYTES", 10)
    assert problems(built) == ["ApiStockFunction is over 0.0 KB unpacked with its layers"]


def test_a_layer_without_its_package_is_refused(built: Path) -> None:
    (built / "oms/python/oms/__init__.py").unlink()
    assert problems(built) == ["OmsLayer holds no package under python/"]


def test_without_a_build_the_check_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_check.main([str(tmp_path)]) == 2
    assert "run `make build` first" in capsys.readouterr().err


def test_a_folder_that_the_template_names_but_is_gone_is_reported(built: Path) -> None:
    (built / "api/app.py").unlink()
    (built / "api").rmdir()
    with pytest.raises(FileNotFoundError, match="ApiStockFunction"):
        build_check.read_packages(built)
