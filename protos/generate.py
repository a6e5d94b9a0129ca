"""Python code from the protos: protoc, the gRPC plugin and mypy's stubs, without any network.

Promises: the same protos and the same generators give the same bytes; a file of a proto that is gone is
removed; `--check` writes nothing and fails when what is committed differs. The well-known types come from
the grpcio-tools wheel. Source: grpcio-tools, mypy-protobuf.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

from grpc_tools import protoc

PROTOS: Final = Path(__file__).resolve().parent
REPOSITORY: Final = PROTOS.parent
PACKAGE: Final = Path("exchange") / "v1"
GENERATED: Final = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class GenerationFailed(Exception):
    """A generator refused the protos; its own words went to stderr."""


def proto_files() -> list[str]:
    """Return the protos relative to their root, sorted: protoc's output follows the order of its input."""
    return sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / PACKAGE).glob("*.proto"))


def well_known_protos() -> Path:
    """Return the folder of google/protobuf/*.proto inside the grpcio-tools wheel."""
    return Path(str(resources.files("grpc_tools") / "_proto"))


def generate(target: Path) -> list[Path]:
    """Write the code of every proto under `target`; return what was written, sorted, relative to it."""
    files = proto_files()
    if not files:
        raise GenerationFailed(f"no protos in {PACKAGE}")
    # The plugins of mypy-protobuf are console scripts beside this interpreter, on nobody's PATH.
    scripts = Path(sys.executable).parent
    arguments = [
        "protoc",
        f"--proto_path={PROTOS}",
        f"--proto_path={well_known_protos()}",
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *files,
    ]
    if protoc.main(arguments) != 0:
        raise GenerationFailed("protoc refused the protos")
    return generated_files(target)


def generated_files(root: Path) -> list[Path]:
    """Return the generated files under `root`, sorted, relative to it."""
    found = {path for pattern in GENERATED for path in (root / PACKAGE).glob(pattern)}
    return sorted(path.relative_to(root) for path in found)


def stale_files(fresh_root: Path, committed_root: Path) -> list[str]:
    """Return what differs between a fresh run and the tree: absent, left over or other bytes."""
    fresh, committed = set(generated_files(fresh_root)), set(generated_files(committed_root))
    stale = [f"{path} is not generated yet" for path in sorted(fresh - committed)]
    stale += [f"{path} has no proto any more" for path in sorted(committed - fresh)]
    stale += [
        f"{path} differs from its proto"
        for path in sorted(fresh & committed)
        if (fresh_root / path).read_bytes() != (committed_root / path).read_bytes()
    ]
    return stale


def install(fresh_root: Path, committed_root: Path) -> None:
    """Replace the generated files of the tree by the fresh ones, and drop those left over."""
    (committed_root / PACKAGE).mkdir(parents=True, exist_ok=True)
    package = committed_root / PACKAGE / "__init__.py"
    if not package.exists():
        package.write_text('"""Generated from `protos/exchange/v1`: run `make generate`, never edit."""\n')
    fresh = generated_files(fresh_root)
    for left_over in set(generated_files(committed_root)) - set(fresh):
        (committed_root / left_over).unlink()
    for path in fresh:
        # Untouched files keep their time, so that nothing is rebuilt for nothing.
        if not same_bytes(fresh_root / path, committed_root / path):
            shutil.copyfile(fresh_root / path, committed_root / path)


def same_bytes(left: Path, right: Path) -> bool:
    """Tell whether both exist with the same content."""
    return left.exists() and right.exists() and left.read_bytes() == right.read_bytes()


def main(arguments: list[str] | None = None) -> int:
    """Generate, or with `--check` compare; 0 good, 1 stale, 2 the protos do not compile."""
    parser = argparse.ArgumentParser(description="Python code from the protos")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the tree differs")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        fresh_root = Path(folder)
        try:
            written = generate(fresh_root)
        except GenerationFailed as failure:
            sys.stderr.write(f"{failure}\n")
            return 2
        if not options.check:
            install(fresh_root, REPOSITORY)
            sys.stdout.write(f"{len(written)} files in {PACKAGE}\n")
            return 0
        stale = stale_files(fresh_root, REPOSITORY)
    for line in stale:
        sys.stderr.write(f"{line}: run `make generate`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
