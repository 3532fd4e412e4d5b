"""Session codec: session and reply as one byte string, compressed where that is shorter, and sealed.

The first byte of a stored value tells its format. `2`: AES-256-GCM under the session's own key over a body
that begins with `0` (plain) or `1` (compressed). Any other format is not read, bodies that releases before
0.3 stored in clear included: who can write to Redis must not choose what we believe.
"""

import zlib

from storage.crypto import SessionCipher

MAX_PLAIN_BYTES = 700
"""Longest body stored uncompressed. Compressing an ordinary one of 330 bytes would save 130 bytes of Redis's
memory for three minutes, and cost 8 % of a turn."""
MAX_DECODED_BYTES = 1 << 20
"""Longest body accepted after decompression; a longer one is treated as damaged."""

# Compression dictionary: words of screens, then of sessions. Stored sessions need exactly these bytes; to
# change them, use a new mark byte.
_DICTIONARY = (
    b"votre facture par e-mail la factura electronica pe hartie este activa adresa de e-mail Your bill is "
    b"latest Factures Facturi de plata lei Derniere facture Ultima factura Factura \n"
    b"1 Detalii\n0 Inapoi 00 Acasa\n0 Retour 00 Accueil\n0 Back 00 Home "
    b'","ussd","+33","voice","+216","sms","+212","+407","mobile",["line","code","password"],"home","fr",'
    b'"ar","ro","en",[],0,0,0,1,[0,1,3],"",{"ok","invoice.","einvoice.menu","einvoice.confirm"}]'
    b"END CON \n1. \n2. \n3. \n4. \n5. \n9. \n0. "
)
_PLAIN_MARK, _COMPRESSED_MARK, _SEALED_MARK = b"\0", b"\1", b"\2"
# Fixed codes and a small window: a third of the time of zlib's defaults, 8 % longer. Templates, only copied.
_WINDOW_BITS = -11
_COMPRESSOR = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, 2, zlib.Z_FIXED, _DICTIONARY)
_DECOMPRESSOR = zlib.decompressobj(_WINDOW_BITS, _DICTIONARY)


def seal_body(cipher: SessionCipher, name: str, session: bytes | None, reply: bytes) -> bytes:
    """Encode session and reply and encrypt them for the session of this name."""
    return _SEALED_MARK + cipher.encrypt(name, encode_body(session, reply))


def unseal_body(cipher: SessionCipher, name: str, value: bytes) -> tuple[bytes, bytes]:
    """Return session and reply; ValueError when the value has another name or was sealed with another key."""
    if value[:1] != _SEALED_MARK:
        raise ValueError("session value: unknown format")
    return decode_body(cipher.decrypt(name, value[1:]))


def encode_body(session: bytes | None, reply: bytes) -> bytes:
    """Encode session and reply as one body; `decode_body` is the inverse."""
    stored = session or b""
    plain = len(stored).to_bytes(3) + stored + reply
    if len(plain) <= MAX_PLAIN_BYTES:
        return _PLAIN_MARK + plain
    compressor = _COMPRESSOR.copy()
    short = compressor.compress(plain) + compressor.flush()
    return _COMPRESSED_MARK + short if len(short) < len(plain) else _PLAIN_MARK + plain


def decode_body(body: bytes) -> tuple[bytes, bytes]:
    """Return session and reply; ValueError when the bytes are not a valid body."""
    plain = body[1:] if body[:1] == _PLAIN_MARK else _decompress(body)
    end = 3 + int.from_bytes(plain[:3])
    if len(plain) < end:
        raise ValueError("session body: truncated")
    return plain[3:end], plain[end:]


def _decompress(body: bytes) -> bytes:
    decompressor = _DECOMPRESSOR.copy()
    try:
        plain = decompressor.decompress(body[1:], MAX_DECODED_BYTES)
    except zlib.error as error:
        raise ValueError("session body: cannot be decompressed") from error
    if body[:1] != _COMPRESSED_MARK or not decompressor.eof or decompressor.unused_data:
        raise ValueError("session body: unknown mark, incomplete or too long")
    return plain
