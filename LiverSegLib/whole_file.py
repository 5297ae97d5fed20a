"""A file that is written completely or not at all."""

import os
import tempfile
from pathlib import Path

from .errors import OutputError
from .sentences import Sentence


def write_whole(path: Path, content: bytes, key: str) -> None:
    """Write beside the place and rename, so that no half file is ever seen.

    Args:
        path: the file; an existing one is replaced only when the new one is complete.
        content: all of it.
        key: identifier of the sentence that says it could not be written; gets ``path``.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise OutputError(Sentence(key, path=str(path)), str(error)) from error
    finally:
        if temporary is not None:
            os.unlink(temporary)
