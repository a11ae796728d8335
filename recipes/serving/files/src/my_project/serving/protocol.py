"""Reading HTTP with limits to all that is no body: uvicorn has none where httptools reads."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536
HEAD_SECONDS = 30


class Protocol(HttpToolsProtocol):
    """A connection, which ends where a request's headers are large, or slow, or never come."""

    waiting: asyncio.TimerHandle | None = None  # while headers are expected
    received = 0  # bytes since something was complete, or belonged to a body

    def connection_made(self, transport: Any) -> None:
        """Expect a first request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect(nothing=True)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Expect the headers of another request."""
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        """Go on with the body, which has limits of its own."""
        self.received = 0
        self._expect(nothing=True)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self.received = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note of the end of a request."""
        self.received = 0
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read, and give up on headers, trailers and the like that go on and on."""
        self.received += len(data)
        super().data_received(data)
        if self.received > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def _expect(self, nothing: bool = False) -> None:
        if self.waiting:
            self.waiting.cancel()
        self.waiting = None if nothing else self.loop.call_later(HEAD_SECONDS, self.transport.close)
