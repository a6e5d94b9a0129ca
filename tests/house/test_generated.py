"""What is generated from the protos is fresh, and the script that does it says where it is not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from protos import generate
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    assert generate.generate(folder)
    return folder


def test_generated_code_is_fresh(fresh: Path) -> None:
    assert generate.stale_files(fresh, REPOSITORY) == []


def test_stale_code_is_seen_and_replaced(fresh: Path, tmp_path: Path) -> None:
    shutil.copytree(fresh, tmp_path, dirs_exist_ok=True)
    assert generate.stale_files(fresh, tmp_path) == []
    first, second, *_ = generate.generated_files(tmp_path)
    (tmp_path / first).write_text("# edited by hand\n")
    (tmp_path / second).unlink()
    (tmp_path / generate.PACKAGE / "gone_pb2.py").write_text("")
    assert generate.stale_files(fresh, tmp_path) == [
        f"{second} is not generated yet",
        f"{generate.PACKAGE / 'gone_pb2.py'} has no proto any more",
        f"{first} differs from its proto",
    ]
    generate.install(fresh, tmp_path)
    assert generate.stale_files(fresh, tmp_path) == []
    assert (tmp_path / generate.PACKAGE / "__init__.py").is_file()


def test_protos_that_do_not_compile_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "PROTOS", tmp_path)
    with pytest.raises(generate.GenerationFailed, match="no protos"):
        generate.generate(tmp_path)
    (tmp_path / generate.PACKAGE).mkdir(parents=True)
    (tmp_path / generate.PACKAGE / "bad.proto").write_text("this is no proto")
    with pytest.raises(generate.GenerationFailed, match="refused"):
        generate.generate(tmp_path)


def test_the_script_compares_and_then_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "REPOSITORY", tmp_path)
    assert generate.main(["--check"]) == 1
    assert generate.generated_files(tmp_path) == []
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    monkeypatch.setattr(generate, "PROTOS", tmp_path / "nowhere")
    assert generate.main(["--check"]) == 2
