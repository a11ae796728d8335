"""One Prefect server for all tests of the flows: it takes seconds to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from my_project.flows import SETTINGS


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with its database in a temporary folder."""
    own = {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (SETTINGS | own).items():
            patch.setenv(name, value)
        from prefect.logging.configuration import setup_logging
        from prefect.settings import PREFECT_API_URL
        from prefect.testing.utilities import prefect_test_harness

        setup_logging()  # else the first flow does it, and takes pytest's handler away
        with prefect_test_harness(server_startup_timeout=120):
            yield str(PREFECT_API_URL.value())


@pytest.fixture
def flow_project(server: str, project: Path) -> Iterator[Path]:
    """A project with that server, and with no result cached yet."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: project / "storage"}):
        yield project
