"""The application: decode, predict, encode."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ..utils.errors import UserError
from .batching import Batcher, Overdue
from .decoding import Receiver, decode
from .models import Models, is_finite
from .monitoring import NON_FINITE, Monitor, count_predictions, failure, metrics
from .openapi import FAILURE, document
from .settings import Settings, load_settings

FIRST_LOAD_SECONDS = 60


class Service:
    """What the endpoints share: the models, a thread for each, and slots for requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.models, self.receiver = settings, Models(settings), Receiver(settings)
        self.slots, self.draining = asyncio.Semaphore(settings.max_concurrency), False
        options = settings.batch_size, settings.predict_seconds
        self.batchers = {name: Batcher(*options) for name in settings.workloads}

    async def predict(self, request: Request) -> Response:
        """Answer POST /predict and POST /predict/{workload}."""
        names, request_id = self.settings.workloads, request.scope["request_id"]
        name = request.path_params.get("workload", names[0])
        if name not in names:
            raise HTTPException(404, f"no such workload; there is {', '.join(names)}")
        if not (loaded := self.models.loaded.get(name)):
            raise HTTPException(503, f"{name}: no model is loaded", {"Retry-After": "5"})
        body = await self.receiver.receive(request)  # which may take long: it needs no slot
        if self.slots.locked():  # an answer now is better than one too late
            raise HTTPException(503, "too many requests at a time", {"Retry-After": "1"})
        async with self.slots:
            try:
                examples, many = await decode(request.headers, body, loaded)
                predictions = await self.batchers[name].predict(loaded.model, examples)
            except UserError as error:
                raise HTTPException(422, str(error)) from None
            except Overdue:
                detail = f"no prediction within {self.settings.predict_seconds:g} seconds"
                raise HTTPException(503, detail, {"Retry-After": "5"}) from None
        if not all(map(is_finite, predictions)):
            NON_FINITE.labels(name).inc()
            raise ArithmeticError(f"{name}: the model gave a number that is not finite")
        count_predictions(name, predictions)
        facts = {"model_version": loaded.version, "request_id": request_id}
        answers: list[dict[str, Any]] = [vars(one) | facts for one in predictions]
        return Response(to_json(answers if many else answers[0]), media_type="application/json")

    async def live(self) -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "live"}

    async def ready(self) -> dict[str, str]:
        """Tell that every workload has a model that answers, and that the end is not near."""
        if self.draining:
            raise HTTPException(503, "the process is about to end")
        if missing := set(self.settings.workloads) - set(self.models.loaded):
            raise HTTPException(503, f"no model is loaded for {', '.join(sorted(missing))}")
        if overdue := [name for name, one in self.batchers.items() if one.overdue()]:
            raise HTTPException(503, f"the model may be stuck: {', '.join(overdue)}")
        return {"status": "ready"}

    def _drain_on_sigterm(self) -> None:
        """Be unready at once and end later, so that a load balancer has stopped asking by then."""
        loop, delay = asyncio.get_running_loop(), self.settings.drain_seconds

        def drain(number: int, frame: Any) -> None:
            self.draining = True
            signal.signal(number, end)  # a second signal ends it at once
            loop.call_soon_threadsafe(loop.call_later, delay, signal.raise_signal, number)

        end = signal.signal(signal.SIGTERM, drain)

    async def metadata(self) -> dict[str, Any]:
        """Tell where the models in use come from, and what was measured."""
        return {name: loaded.card for name, loaded in dict(self.models.loaded).items()}

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Load models, then accept requests; and watch for promotions as long as that lasts."""
        watcher = threading.Thread(target=self.models.watch, name="watch", daemon=True)
        watcher.start()
        # Without a model it accepts them too, so that it is live: what loads may wait for others.
        await asyncio.to_thread(self.models.looked.wait, FIRST_LOAD_SECONDS)
        if self.settings.drain_seconds:
            self._drain_on_sigterm()
        yield
        self.models.stopped.set()
        watcher.join(timeout=5)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; a UserError where the environment holds wrong settings."""
    service = Service(settings or load_settings())
    title = __name__.partition(".")[0]
    app = FastAPIOffline(title=title, lifespan=service.lifespan, redirect_slashes=False)
    app.add_route("/predict", service.predict, ["POST"], include_in_schema=False)
    app.add_route("/predict/{workload}", service.predict, ["POST"], include_in_schema=False)
    app.add_route("/metrics", metrics, ["GET"], include_in_schema=False)
    app.get("/health/live")(service.live)
    app.get("/health/ready", responses={503: FAILURE})(service.ready)
    app.get("/metadata")(service.metadata)
    app.openapi = lambda: document(app, service.models)  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> JSONResponse:
        unknown, headers = error.detail == "Not Found", error.headers or {}
        detail = "no such path; /docs shows those there are" if unknown else str(error.detail)
        return failure(error.status_code, detail, request.scope["request_id"], **headers)

    known = {route.path for route in app.routes if isinstance(route, Route)}
    known |= {f"/predict/{name}" for name in service.settings.workloads}
    app.add_middleware(Monitor, known=known)
    return app
