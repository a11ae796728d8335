"""What comes in: real examples are answered, anything else is refused without a trace of it."""

import asyncio
import http.client
import json
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from my_project import workloads
from my_project.runs import Run

if TYPE_CHECKING:
    from .conftest import Server

FIRST = workloads.NAMES[0]
HOST = "127.0.0.1"
SECRET = "do-not-echo"
LIMIT = 4_000_000  # bytes, as the fixture `server` sets it
JSON = {"Content-Type": "application/json"}
VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000, "true", "false"),
    *('"1.5"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', f'"{SECRET}"', "{}", "[[]]"),
    *("[" * 150 + "]" * 150, "[" * 100_000, '"' + "[" * 100_000 + '"', '{"a": ' * 1000),
]
# Bodies that no workload accepts; VALUE stands in the place of a field's value.
BODIES = {
    "empty": "",
    "half": "{",
    "no JSON": SECRET,
    "text": f'"{SECRET}"',
    "number": "1",
    "null": "null",
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "empty batch": "[]",
    "batch of nothing": "[null]",
    "batch of batches": "[[]]",
    "two bodies": "{} {}",
    "no field": "{}",
    "unknown field": json.dumps({SECRET: SECRET}),
} | {f"field {value[:20]}": f"VALUE{value}" for value in VALUES}
Records = dict[str, list[dict[str, Any]]]
only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process's peak of memory"
)
only_posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no httptools, and h11 has limits of its own"
)
every_workload = pytest.mark.parametrize("name", workloads.NAMES)


def check_answer(answer: dict[str, Any], wanted: dict[str, Any], version: str) -> None:
    """Compare with the offline prediction; a batch of another size may round differently."""
    assert set(answer) == {*wanted, "model_version", "request_id"}
    assert answer["model_version"] == version
    for key, value in wanted.items():
        assert answer[key] == (pytest.approx(value, abs=1e-6) if value is not None else None)


def check_refusal(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error", "request_id"}
    assert response.json()["error"]
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    assert len(response.text) < 3000


@every_workload
def test_an_answer_is_the_offline_prediction(
    server: "Server", trained: Mapping[str, Run], records: Records, offline: Records, name: str
) -> None:
    version = trained[name].metadata["model_sha256"][:12]
    for record, wanted in zip(records[name], offline[name], strict=True):
        response = server.client.post(f"/predict/{name}", json=record)
        check_answer(response.json(), wanted, version)
        assert response.json()["request_id"] == response.headers["x-request-id"]
    answers = server.client.post(f"/predict/{name}", json=records[name]).json()
    for answer, wanted in zip(answers, offline[name], strict=True):
        check_answer(answer, wanted, version)


def test_the_first_workload_needs_no_name(
    server: "Server", trained: Mapping[str, Run], records: Records, offline: Records
) -> None:
    answer = server.client.post("/predict", json=records[FIRST][0]).json()
    check_answer(answer, offline[FIRST][0], trained[FIRST].metadata["model_sha256"][:12])


@every_workload
@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_refused(server: "Server", records: Records, name: str, case: str) -> None:
    body = BODIES[case]
    if body.startswith("VALUE"):
        field = next(iter(records[name][0]))
        marked = json.dumps({**records[name][0], field: "VALUE"})
        body = marked.replace('"VALUE"', body.removeprefix("VALUE"))
    for content in (body, f"[{body}]"):
        response = server.client.post(f"/predict/{name}", content=content, headers=JSON)
        check_refusal(response, 422)


@every_workload
def test_a_batch_is_refused_as_a_whole(server: "Server", records: Records, name: str) -> None:
    url, [first, second, *_] = f"/predict/{name}", records[name]
    check_refusal(server.client.post(url, json=[first, second | {SECRET: 1}]), 422)
    check_refusal(server.client.post(url, json=[first, {}]), 422)
    check_refusal(server.client.post(url, json={**first, SECRET: SECRET}), 422)
    check_refusal(server.client.post(url, json=[{}] * 101), 422)
    many = server.client.post(url, json=[{**first, **{f"{SECRET}{k}": k for k in range(1000)}}])
    check_refusal(many, 422)
    missing = dict(list(first.items())[1:])
    check_refusal(server.client.post(url, json=missing), 422)


@every_workload
def test_bytes_that_are_no_text_are_refused(server: "Server", records: Records, name: str) -> None:
    text = json.dumps(records[name][0])
    for content in (text.encode("utf-16"), b"\xff\xfe", text.encode()[:-1] + b"\xff}", b"\0"):
        response = server.client.post(f"/predict/{name}", content=content, headers=JSON)
        check_refusal(response, 422)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", SECRET])
def test_another_content_type_is_refused(server: "Server", kind: str) -> None:
    response = server.client.post("/predict", content="{}", headers={"Content-Type": kind})
    check_refusal(response, 415)


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity", 200)])
def test_a_compressed_body_is_refused(
    server: "Server", records: Records, encoding: str, status: int
) -> None:
    headers = {"Content-Encoding": encoding}
    assert server.client.post("/predict", json=records[FIRST][0], headers=headers).status_code == (
        status
    )


def test_paths_and_methods_that_are_not_there(server: "Server") -> None:
    for path in ("/predict/nothing", f"/{SECRET}", "/predict/", "/predict/a/b", "/%ff%00"):
        check_refusal(server.client.post(path, json={}), 404)
    for method, path in (("GET", "/predict"), ("DELETE", "/metrics"), ("POST", "/health/live")):
        response = server.client.request(method, path)
        check_refusal(response, 405)
        assert response.headers["allow"]


@every_workload
def test_an_unknown_field_is_answered_with_those_there_are(
    server: "Server", records: Records, name: str
) -> None:
    first, second = records[name][:2]
    body = [first, second | {SECRET: 1, f"{SECRET}-too": 2}]
    error = server.client.post(f"/predict/{name}", json=body).json()["error"]
    assert error.startswith("1: unknown field; there is " + ", ".join(first)[:900])
    assert error.count("unknown field") == 1


def test_head_is_answered_as_get_without_a_body(server: "Server") -> None:
    for path in ("/health/live", "/health/ready", "/metrics", "/metadata", "/docs"):
        response = server.client.head(path)
        assert (response.status_code, response.content) == (200, b"")


def test_a_request_id_is_kept_if_it_is_harmless(server: "Server") -> None:
    for given in ("abc-1.2_3", "a b", "x" * 65, "\u00e9", '{"a": 1}'):
        headers = {b"X-Request-ID": given.encode()}
        answered = server.client.get("/health/live", headers=headers).headers["x-request-id"]
        assert (answered == given) is (given == "abc-1.2_3")
        assert re.fullmatch(r"[\w.-]{1,64}", answered, re.ASCII)


def test_too_large_is_refused_whatever_length_is_announced(server: "Server") -> None:
    check_refusal(server.client.post("/predict", content=b" " * (LIMIT + 1), headers=JSON), 413)
    check_refusal(server.client.post("/predict", content=chunks(2 * LIMIT), headers=JSON), 413)
    at_limit = server.client.post("/predict", content=b"[]".ljust(LIMIT), headers=JSON)
    check_refusal(at_limit, 422)


@every_workload
@only_linux
def test_many_unknown_fields_take_little_memory(server: "Server", name: str) -> None:
    fields = json.dumps({f"{SECRET}{number}": 1 for number in range(43_000)})

    def send(content: str, place: str) -> None:
        response = server.client.post(f"/predict/{name}", content=content, headers=JSON)
        check_refusal(response, 422)
        assert response.json()["error"].startswith(f"{place}unknown field; there is ")

    for content, place in ((fields, ""), (f"[{fields}]", "0: ")):
        assert memory(server, partial(send, content, place)) < 30 * len(content)


@pytest.mark.parametrize("length", ["0" * 5000 + "2", "0" * 21])
def test_a_length_of_too_many_digits_is_refused(server: "Server", length: str) -> None:
    address = server.client.base_url.netloc.decode()
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("POST", "/predict", headers={**JSON, "Content-Length": length})
        response = connection.getresponse()
        assert response.status == 400
        assert json.load(response)["error"] == "Content-Length: must be a number of bytes"


@only_posix
def test_headers_without_an_end_are_given_up(server: "Server") -> None:
    def send() -> None:
        begun = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        starts = [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"\r\n"]
        for start in [*starts, begun + b"1;", begun + b"0\r\nX: "]:
            with socket.create_connection(address, timeout=60) as connection:
                with suppress(ConnectionError):  # it hangs up in the middle
                    connection.sendall(start)
                    for _ in range(1000):
                        connection.sendall(b"a" * 10_000)
                with suppress(ConnectionError):
                    while received := connection.recv(1000):
                        last = received
                    assert b" 400 " in last or b"too large" in last

    url = server.client.base_url
    address = (url.host, url.port)
    send()
    if sys.platform == "linux":
        assert memory(server, send) < 2_000_000
    assert server.client.get("/health/live").status_code == 200


@only_posix
def test_a_connection_that_asks_for_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from my_project.serving import protocol

    async def answers(*sent: bytes) -> bytes:
        """What comes until the service hangs up."""
        config = uvicorn.Config(app, http=protocol.Protocol, ws="none", log_config=None)
        config.load()
        loop, state = asyncio.get_running_loop(), ServerState()
        listening = await loop.create_server(lambda: protocol.Protocol(config, state, {}), HOST, 0)
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        for part in sent:
            writer.write(part)
            await asyncio.sleep(0.01)
        received = await reader.read()
        writer.close()
        listening.close()
        return received

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n"
    assert asyncio.run(answers()) == b""
    assert asyncio.run(answers(b"GET ", b"/")) == b""
    assert asyncio.run(answers(request)) == b""
    received = asyncio.run(answers(request + b"\r\n", request, b"\r\n" + request))
    assert received.count(b"HTTP/1.1 204") == 2


def test_a_body_that_an_upgrade_would_lose_is_refused(server: "Server", records: Records) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    asked = server.client.post("/predict", json=records[FIRST][0], headers=upgrade)
    check_refusal(asked, 400)
    assert "no upgrade" in asked.json()["error"]
    assert server.client.get("/health/live", headers=upgrade).status_code == 200


def test_an_announced_length_is_refused_before_it_is_sent(server: "Server") -> None:
    connection = http.client.HTTPConnection(server.client.base_url.netloc.decode(), timeout=60)
    connection.putrequest("POST", "/predict")
    for name, value in {**JSON, "Content-Length": "1000000000000"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def chunks(size: int) -> Iterator[bytes]:
    """A body that is sent without Content-Length."""
    return (b" " * 65_536 for _ in range(0, size, 65_536))


def memory(server: "Server", send: Callable[[], None]) -> int:
    """How many bytes the server takes at the peak of what is sent, beyond what it had."""

    def peak() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak so far is forgotten
    before = peak()
    send()
    return peak() - before


@only_linux
def test_a_body_over_the_limit_takes_little_memory(server: "Server") -> None:
    def send() -> None:
        for _ in range(3):  # which may not add up
            response = server.client.post("/predict", content=chunks(5 * LIMIT), headers=JSON)
            check_refusal(response, 413)

    server.client.post("/predict", content=b"[]", headers=JSON)  # what a first request imports
    assert memory(server, send) <= 2 * LIMIT


@every_workload
def test_a_file_can_be_uploaded_where_the_example_is_one(
    server: "Server", records: Records, offline: Records, name: str
) -> None:
    import base64

    content = server.client.get("/openapi.json").json()["paths"][f"/predict/{name}"]["post"]
    form = content["requestBody"]["content"].get("multipart/form-data")
    url = f"/predict/{name}"
    if form is None:
        check_refusal(server.client.post(url, files={"image": b"1"}), 415)
        return
    [field] = form["schema"]["required"]
    upload = base64.b64decode(records[name][0][field])
    answer = server.client.post(url, files={field: upload}).json()
    assert answer["prediction"] == offline[name][0]["prediction"]
    check_refusal(server.client.post(url, files={field: SECRET.encode()}), 422)
    check_refusal(server.client.post(url, files={"other": upload}), 422)
    check_refusal(server.client.post(url, files=[(field, upload), (field, upload)]), 422)
    check_refusal(server.client.post(url, files={field: (None, "text")}), 422)
    kind = "multipart/form-data"
    for header in (kind, f"{kind}; boundary=x", f"{kind}; boundary=x; charset=none"):
        for body in (b"", b"--x", b"--x\r\nbad\r\n\r\n", b"--x\r\n: \r\n", b"\xff" * 100):
            headers = {"Content-Type": header}
            check_refusal(server.client.post(url, content=body, headers=headers), 422)
