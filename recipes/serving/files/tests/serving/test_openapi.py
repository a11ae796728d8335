"""The documentation: true fields, true examples, and a service that keeps what it says."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from my_project import workloads
from my_project.runs import Run

if TYPE_CHECKING:
    from .conftest import Server

Records = dict[str, list[dict[str, Any]]]


def test_schemathesis_finds_nothing(server: "Server", tmp_path: Path) -> None:
    url = f"{server.client.base_url}/openapi.json"
    options = ["--max-examples=10", "--generation-deterministic", "--no-color"]
    options.append("--exclude-path=/predict")  # the same as the first workload's own
    if "contentEncoding" in server.client.get(url).text:
        # No schema can say which files are images, so not all that it allows is accepted.
        options.append("--exclude-checks=positive_data_acceptance")
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No issues found" in result.stdout


@pytest.mark.parametrize("name", workloads.NAMES)
def test_the_documented_example_is_real_and_answered(
    server: "Server", records: Records, name: str
) -> None:
    document = server.client.get("/openapi.json").json()
    operation = document["paths"][f"/predict/{name}"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["examples"]["one"]["value"] == records[name][0]
    fields = document["components"]["schemas"][f"{name.title()}Example"]["properties"]
    assert set(fields) == set(records[name][0])
    for example in content["examples"].values():
        response = server.client.post(f"/predict/{name}", json=example["value"])
        assert response.status_code == 200


@pytest.mark.skipif(not (which("bash") and which("curl")), reason="needs bash and curl")
def test_the_request_in_the_readme_works_as_pasted(server: "Server", offline: Records) -> None:
    readme = Path(__file__).parents[2] / "README.md"
    lines = [line for line in readme.read_text("utf-8").splitlines() if "| curl" in line]
    if not lines:
        pytest.skip("the README shows no request")
    for line in lines:
        command = line.replace("http://127.0.0.1:8000", str(server.client.base_url).rstrip("/"))
        printed = subprocess.check_output(["bash", "-c", command], cwd=server.folder)
        assert json.loads(printed)["prediction"] == offline[workloads.NAMES[0]][0]["prediction"]


def test_metadata_tell_where_each_model_comes_from(
    server: "Server", trained: Mapping[str, Run]
) -> None:
    cards = server.client.get("/metadata").json()
    assert set(cards) == set(workloads.NAMES)
    for name, run in trained.items():
        assert cards[name]["run"] == run.folder.name
        assert cards[name]["model_sha256"] == run.metadata["model_sha256"]
        assert cards[name]["metrics"] == run.metrics


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_need_no_other_server(server: "Server", page: str) -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', server.client.get(page).text)
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert link.startswith("/")
        assert server.client.get(link).status_code == 200


def test_metrics_count_paths_that_exist_only(server: "Server") -> None:
    for path in ("/health/live", "/invented/1", "/invented/2"):
        server.client.get(path)
    text = server.client.get("/metrics").text
    assert 'http_requests_total{method="GET",path="/health/live",status="200"}' in text
    assert 'path="other"' in text
    assert "invented" not in text
    assert "http_request_duration_seconds_bucket" in text
    assert "http_requests_in_flight 1.0" in text  # this one
