"""A pack's files as stored bytes: deflated JSON, read back within the size a pack may have."""

import json
import zlib

from flows.domain.pack_revisions import (
    MAX_FILE_CHARACTERS,
    MAX_FILES,
    PackFiles,
    RevisionError,
    UnreadableRevisionError,
)

MAX_BYTES = 4 * MAX_FILE_CHARACTERS * MAX_FILES
"""Most bytes of unpacked files: what a stored row may make this process allocate."""


def pack_files(files: PackFiles) -> bytes:
    """Return the files as bytes for a column."""
    return zlib.compress(files.encode(), 6)


def unpack_files(packed: bytes) -> PackFiles:
    """Return the files of a column; UnreadableRevisionError for bytes that `pack_files` did not write."""
    inflating = zlib.decompressobj()
    try:
        data = inflating.decompress(packed, MAX_BYTES)
        if not inflating.eof:
            raise UnreadableRevisionError("the stored files are too large or cut off")
        return PackFiles({str(path): str(text) for path, text in json.loads(data).items()})
    except UnreadableRevisionError:
        raise
    except RevisionError as error:
        raise UnreadableRevisionError(f"the stored files cannot be read: {error}") from error
    except (zlib.error, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableRevisionError("the stored files cannot be read: not what was stored") from error
