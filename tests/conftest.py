"""Where standards and design lie, on which store tests run, how many beside each other and how long each."""

from __future__ import annotations

import gc
import os
import signal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from exchange.databases.place import InPostgres
from tests.softhsm import SoftToken, made_token

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from exchange.databases.place import Place
    from tests.postgres.server import PostgresServer

REPOSITORY = Path(__file__).resolve().parents[1]
# Tests that start services wait for them: one worker more than there are cores fills that time.
WORKERS_MORE = 1
SLOW_TIMEOUT_S = 900
# On which store the stories and the walks run: sqlite, or postgres for a second pass of them.
STORE_VARIABLE = "EXCHANGE_TEST_STORE"
# What a service listens for.
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# How long an example takes says how busy the machine is; a test that hangs is ended by its timeout.
settings.register_profile("exchange", deadline=None)
settings.load_profile("exchange")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return what `-n auto` means."""
    return len(os.sched_getaffinity(0)) + WORKERS_MORE


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector at rest meanwhile, and what is imported and collected out of its way afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        # It stays to the end: every full collection would look through all of it again.
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests more time; what a quick one may take stands in pyproject.toml."""
    for item in items:
        if "slow" in item.keywords and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


def beside(variable: str, name: str) -> Path:
    """Return the folder `variable` names, else `../shared/NAME`; skips where there is neither."""
    named = os.environ.get(variable)
    folder = Path(named) if named else REPOSITORY.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"no {name} beside the repository: set {variable} to its folder")
    return folder


@pytest.fixture(autouse=True)
def _signals_are_heard_as_before() -> Iterator[None]:
    """Fail a test that leaves a handler behind: another one of its process would end by it, or not."""
    before = {number: signal.getsignal(number) for number in HEARD}
    yield
    left = [number for number, handler in before.items() if signal.getsignal(number) != handler]
    for number in left:
        signal.signal(number, before[number])
    assert left == []


@pytest.fixture(scope="session")
def standards_dir() -> Path:
    return beside("EXCHANGE_STANDARDS_DIR", "standards")


@pytest.fixture(scope="session")
def design_dir() -> Path:
    return beside("EXCHANGE_DESIGN_DIR", "design")


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    return made_token(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, one for each process of the tests."""
    from tests.postgres.started import started_server

    with started_server() as server:
        yield server


@pytest.fixture(scope="session")
def fresh_store(request: pytest.FixtureRequest) -> Callable[[], dict[str, str]]:
    """Return what makes an empty store and gives its settings: which store, STORE_VARIABLE says."""
    named = os.environ.get(STORE_VARIABLE, "sqlite")
    assert named in {"sqlite", "postgres"}, f"{STORE_VARIABLE} is sqlite or postgres"
    if named == "sqlite":
        return dict
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.settings


@pytest.fixture(params=["sqlite", "postgres"])
def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Place]:
    """Return what names a small database, empty the first time: a file, or a schema of a server."""
    if request.param == "sqlite":
        return lambda name: tmp_path / name
    server: PostgresServer = request.getfixturevalue("postgres")
    return cache(lambda _: InPostgres(server.schema()))
