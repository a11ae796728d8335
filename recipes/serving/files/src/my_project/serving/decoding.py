"""From a request to examples: JSON, one example or a list of them, or an uploaded file.

What is wrong is told by position and name of the field; the input itself is never echoed.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import HTTPException, Request
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from .models import Loaded
from .settings import Settings

LARGE = 50_000  # bytes, which JSON takes a millisecond for
MAX_FINDINGS = 20


async def decode(request: Request, loaded: Loaded, settings: Settings) -> tuple[list[Any], bool]:
    """Return the examples of a request, and whether they came as a list; an HTTPException else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    upload = loaded.upload if kind == "multipart/form-data" else None
    if kind != "application/json" and not upload:
        raise HTTPException(415, "the body must be application/json, or a file where /docs says so")
    try:
        async with asyncio.timeout(settings.body_seconds):
            body = await read_body(request, settings.max_body_bytes)
    except TimeoutError:
        raise HTTPException(408, f"the body took over {settings.body_seconds:g} seconds") from None
    if upload:
        body = await read_upload(request.headers, body, upload)
    try:
        if loaded.upload or len(body) > LARGE:  # a picture, say, takes long to check
            return await asyncio.to_thread(loaded.check, body)
        return loaded.check(body)
    except ValidationError as error:
        raise HTTPException(422, explain(error)) from None
    except RecursionError:
        raise HTTPException(422, "the input is nested too deeply") from None


async def read_body(request: Request, limit: int) -> bytearray:
    """Read up to `limit` bytes, and stop there, whatever length was announced."""
    announced = request.headers.get("content-length", "0")
    body = bytearray()
    if int(announced) <= limit:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
        else:
            return body
    raise HTTPException(413, f"the body has more than {limit} bytes")


async def read_upload(headers: Headers, body: bytearray, field: str) -> bytearray:
    """Return the JSON that an uploaded file stands for: its bytes as base64 in `field`."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield bytes(body)

    try:
        form = await MultiPartParser(headers, stream(), max_files=1, max_fields=0).parse()
        file = form[field]
        if isinstance(file, str):
            raise ValueError
        return bytearray(to_json({field: base64.b64encode(await file.read()).decode()}))
    except (MultiPartException, LookupError, ValueError):
        raise HTTPException(422, f"the form must hold one file, named {field}") from None


def explain(error: ValidationError) -> str:
    """Put pydantic's findings into one line, without what the client sent."""
    if error.error_count() > MAX_FINDINGS:
        return f"{error.error_count()} values are wrong; /docs shows what is expected"
    findings = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place, text = problem["loc"], problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "unexpected_keyword_argument":
            place, text = place[:-1], "unknown field; /docs shows those there are"
        name = ".".join(map(str, place))
        findings.append(f"{name}: {text[:1].lower()}{text[1:]}" if name else text)
    return "; ".join(findings)
