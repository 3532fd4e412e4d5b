"""Response whose sending completes a reply acknowledgement."""

from aiohttp import web

from flows.engine.reply_acknowledgement import ReplyAcknowledgement


class AcknowledgedResponse(web.Response):
    """A response that says when it was written to the connection; the caller may be gone by then.

    aiohttp writes a response after its handler has returned, and raises a ConnectionResetError when the
    connection was closed meanwhile: the reply then counts as not sent.
    """

    def __init__(self, response: web.Response, acknowledgement: ReplyAcknowledgement) -> None:
        super().__init__(body=response.body, headers=response.headers)
        self._acknowledgement = acknowledgement

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the body, then complete the acknowledgement."""
        if self._eof_sent:
            return
        async with self._acknowledgement:
            await super().write_eof(data)
