"""Around every request: an id, a log line, metrics, and one generic answer to what went wrong."""

import logging
import os
import random
import re
import time
from collections import Counter as Count
from collections.abc import Collection, Sequence
from typing import Any

import prometheus_client as prometheus
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)
BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
DECADES = [-1e6, -1e4, -1e3, -100, -10, -1, -0.1, 0, 0.1, 1, 10, 100, 1e3, 1e4, 1e6]
MODEL = ["workload", "model_version"]
IDS = random.Random()  # unlike uuid4 it asks the system once only, where other threads cut in

REQUESTS = Counter("http_requests", "Requests answered", ["path", "method", "status"])
LATENCY = Histogram("http_request_duration_seconds", "Time to answer", ["path"], buckets=BUCKETS)
IN_FLIGHT = Gauge("http_requests_in_flight", "Not answered yet", multiprocess_mode="livesum")
CLASSES = Counter("model_predictions", "Predictions by class", ["workload", "prediction"])
NUMBERS = Histogram("model_predicted_value", "Predicted numbers", ["workload"], buckets=DECADES)
IN_USE = Gauge("model_in_use", "Processes that answer with it", MODEL, multiprocess_mode="livesum")
REFUSED = Counter("model_refused", "Models not put into use, by reason once", ["workload"])
NON_FINITE = Counter("model_non_finite_predictions", "Predictions withheld", ["workload"])


class Monitor:
    """ASGI middleware. Paths that are not `known` are counted as one: anybody can invent them."""

    def __init__(self, app: ASGIApp, known: Collection[str]) -> None:
        self.app, self.known = app, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell how it went."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id = scope["request_id"] = _request_id(scope)
        status, started = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        IN_FLIGHT.inc()
        # HEAD is answered as GET is; the server sends no body then.
        routed = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self.app(routed, receive, send_with_id)
        except ClientDisconnect:
            status = 499  # as nginx says: the client has gone
        except Exception:
            logger.exception("request failed", extra={"fields": {"request_id": request_id}})
            if not status:
                await failure(500, "internal error", request_id)(scope, receive, send_with_id)
        finally:
            IN_FLIGHT.dec()
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in self.known else "other"
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
            REQUESTS.labels(path, method, status).inc()
            LATENCY.labels(path).observe(seconds)
            fields = {"request_id": request_id, "method": method, "path": path, "status": status}
            fields["milliseconds"] = round(seconds * 1000, 2)
            logger.info("request", extra={"fields": fields})


def _request_id(scope: Scope) -> str:
    """Return the client's X-Request-ID if it is harmless, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    harmless = re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII)
    return given if harmless else f"{IDS.getrandbits(128):032x}"


def failure(status: int, error: str, request_id: str, **headers: str) -> JSONResponse:
    """Return the one form that every refusal and every failure has."""
    return JSONResponse({"error": error, "request_id": request_id}, status, headers)


def count_predictions(workload: str, predictions: Sequence[Any]) -> None:
    """Add to the distribution of predictions, from which a drift can be seen."""
    for answer, times in Count(one.prediction for one in predictions).items():
        if isinstance(answer, str):
            CLASSES.labels(workload, answer).inc(times)
        else:
            for _ in range(times):
                NUMBERS.labels(workload).observe(answer)


def metrics(request: Request) -> Response:
    """Return all metrics, of all worker processes, in Prometheus' format."""
    registry = prometheus.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = prometheus.CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(prometheus.generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
