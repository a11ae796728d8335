"""From a request to examples: JSON, one example or a list of them, or an uploaded file.

What is wrong is told by position and name of the field; the input itself is never echoed.
"""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from ..utils.errors import UserError
from .models import Loaded
from .settings import Settings

LARGE = 50_000  # bytes, which JSON takes a millisecond for
MAX_FINDINGS = 20


class Receiver:
    """Bodies on their way in: a slow sender holds some memory, which is bounded, and no slot."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pending: dict[asyncio.Timeout, int] = {}  # bytes so far, the oldest body first

    async def receive(self, request: Request) -> bytearray:
        """Read a body, whatever length it announced; an HTTPException if it is large or slow."""
        body, deadline = bytearray(), asyncio.timeout(self.settings.body_seconds)
        limit = self.settings.max_pending_bytes
        announced = request.headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,20}", announced):
            raise HTTPException(400, "Content-Length: must be a number of bytes")
        self._check_size(int(announced))
        if "upgrade" in request.headers.get("connection", "").lower():  # the parser stops there
            detail = "Connection: no upgrade of the protocol, the body is lost"
            raise HTTPException(400, detail, {"Connection": "close"})
        try:
            async with deadline:
                async for chunk in request.stream():
                    body += chunk
                    self._check_size(len(body))
                    self.pending[deadline] = len(body)
                    while len(self.pending) > 1 and sum(self.pending.values()) > limit:
                        oldest = next(iter(self.pending))  # which is the slowest: it gives way
                        oldest.reschedule(0)
                        del self.pending[oldest]
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly", {"Connection": "close"}) from None
        finally:
            self.pending.pop(deadline, None)
        return body

    def _check_size(self, size: int) -> None:
        if size > self.settings.max_body_bytes:
            raise HTTPException(413, f"more than {self.settings.max_body_bytes} bytes")


async def decode(headers: Headers, body: bytearray, loaded: Loaded) -> tuple[list[Any], bool]:
    """Return the examples in a body, and whether they came as a list.

    A UserError tells what is wrong with them; an HTTPException, that it is no such body.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    upload = loaded.upload if kind == "multipart/form-data" else None
    compressed = headers.get("content-encoding", "identity").lower() != "identity"
    if compressed or (kind != "application/json" and not upload):
        raise HTTPException(415, "the body must be plain application/json, or a file (see /docs)")
    if upload:
        body = await read_upload(headers, body, upload)
    try:
        if loaded.upload or len(body) > LARGE:  # between such bodies, others have their turn
            return await asyncio.to_thread(loaded.check, body)
        return loaded.check(body)
    except ValidationError as error:
        raise UserError(explain(error, loaded.unknown)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"invalid JSON: {error}") from None


async def read_upload(headers: Headers, body: bytearray, field: str) -> bytearray:
    """Return the JSON that an uploaded file stands for: its bytes as base64 in `field`."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield bytes(body)

    try:
        form = await MultiPartParser(headers, stream(), max_files=1, max_fields=0).parse()
        file: Any = form[field]  # no text: the form may hold none
        return bytearray(to_json({field: base64.b64encode(await file.read()).decode()}))
    except (MultiPartException, LookupError, ValueError):
        raise UserError(f"the form must hold one file, named {field}") from None


def explain(error: ValidationError, unknown: str) -> str:
    """Put pydantic's findings into one line, without what the client sent."""
    if error.error_count() > MAX_FINDINGS:
        return f"{error.error_count()} values are wrong; /docs shows what is expected"
    findings = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place, text = problem["loc"], problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "unexpected_keyword_argument":
            place, text = place[:-1], unknown
        name = ".".join(map(str, place))
        findings.append(f"{name}: {text[:1].lower()}{text[1:]}" if name else text)
    return "; ".join(dict.fromkeys(findings))
