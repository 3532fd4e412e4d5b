"""Session and reply as one short string of bytes, compressed only where that makes it fit."""

import zlib

PLAIN_BYTES = 220
"""At most so many go plain: with the head, a hop's hash and a byte of ours, Redis's 256 byte block is full."""
MOST_BYTES = 1 << 20
"""No body is longer once unpacked; what claims to be is not ours."""

# Stored sessions need these very bytes to be read again: for other ones take a new first byte.
_WORDS = (
    b'","ussd","+33","voice","+216","sms","+212","+407","mobile",["line","code","password"],"home","fr",'
    b'"ar","ro","en",[],0,0,0,1,[0,1,3],"",{"ok","invoice.","einvoice.menu","einvoice.confirm"}]'
    b"END CON \n1. \n2. \n3. \n4. \n5. \n9. \n0. "
)
_PLAIN, _PACKED = b"\0", b"\1"
# Fixed codes and a small window: a third of the time of zlib's defaults, 8 % longer. Copied, never used.
_WINDOW = -11
_PACK = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, 2, zlib.Z_FIXED, _WORDS)
_UNPACK = zlib.decompressobj(_WINDOW, _WORDS)


def packed(session: bytes | None, reply: bytes) -> bytes:
    """Both in one; `unpacked` takes them apart."""
    kept = session or b""
    plain = len(kept).to_bytes(3) + kept + reply
    if len(plain) <= PLAIN_BYTES:
        return _PLAIN + plain
    pack = _PACK.copy()
    short = pack.compress(plain) + pack.flush()
    return _PACKED + short if len(short) < len(plain) else _PLAIN + plain


def unpacked(body: bytes) -> tuple[bytes, bytes]:
    """Session and reply; ValueError when these bytes are no body."""
    plain = body[1:] if body[:1] == _PLAIN else _decompressed(body)
    end = 3 + int.from_bytes(plain[:3])
    if len(plain) < end:
        raise ValueError("a body ends too early")
    return plain[3:end], plain[end:]


def _decompressed(body: bytes) -> bytes:
    unpack = _UNPACK.copy()
    try:
        plain = unpack.decompress(body[1:], MOST_BYTES)
    except zlib.error as error:
        raise ValueError("a body cannot be unpacked") from error
    if body[:1] != _PACKED or not unpack.eof or unpack.unused_data:
        raise ValueError("these bytes are no body")
    return plain
