"""The documentation: true fields, true examples, and a service that keeps what it says."""

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck

from my_project import workloads
from my_project.runs import Run

if TYPE_CHECKING:
    from .conftest import Server

Records = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def schema(server: "Server") -> Any:
    return schemathesis.openapi.from_url(f"{server.client.base_url}/openapi.json")


promised = schemathesis.pytest.from_fixture("schema")


@promised.parametrize()
@hypothesis.settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_schemathesis_finds_nothing(case: Any) -> None:
    case.call_and_validate()


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


def test_metadata_tell_where_each_model_comes_from(
    server: "Server", trained: dict[str, Run]
) -> None:
    cards = server.client.get("/metadata").json()
    assert set(cards) == set(workloads.NAMES)
    for name, run in trained.items():
        assert cards[name]["run"] == run.folder.name
        assert cards[name]["model_sha256"] == run.metadata["model_sha256"]
        assert cards[name]["metrics"] == run.metrics


def test_metrics_count_paths_that_exist_only(server: "Server") -> None:
    for path in ("/health/live", "/invented/1", "/invented/2"):
        server.client.get(path)
    text = server.client.get("/metrics").text
    assert 'http_requests_total{method="GET",path="/health/live",status="200"}' in text
    assert 'path="other"' in text
    assert "invented" not in text
    assert "http_request_duration_seconds_bucket" in text
    assert "http_requests_in_flight 1.0" in text  # this one
