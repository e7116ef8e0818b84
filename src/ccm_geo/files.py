"""Writing a file whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import CcmGeoError, SourceError


@contextmanager
def replace_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put it in the place of `path` when the block ends well.

    A reader of `path` sees the old file or the new one, never half of it; when anything fails inside the
    block, the old file stays and the temporary one is removed. Missing folders are made.

    Parameters
    ----------
    path
        The file to write. The temporary name keeps its ending, by which many writers choose the format.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    SourceError
        If the folder cannot be made, the block cannot write, or the old file is held open elsewhere.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replace_atomically(Path(folder, "new", "plan.txt")) as draft:
    ...         _ = draft.write_text("whole", encoding="utf-8")
    ...     Path(folder, "new", "plan.txt").read_text(encoding="utf-8")
    'whole'
    """
    target = Path(path)
    if target.is_dir():
        raise SourceError(f"{target}: this is a folder; give the name of a file in it")
    draft = target.with_name(f".{target.stem[:100]}-{secrets.token_hex(6)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _keep(draft)
        draft.replace(target)
    except CcmGeoError:
        raise
    except PermissionError as reason:
        raise SourceError(
            f"{target}: no permission to write it ({reason.strerror}); if it is open in another program, "
            "close it there and try again"
        ) from reason
    except OSError as reason:
        raise SourceError(f"{target}: cannot be written ({reason.strerror or reason})") from reason
    finally:
        with suppress(OSError):
            draft.unlink()


def _keep(draft: Path) -> None:
    """Have the disk hold the bytes before the name changes, or a power cut leaves an empty file."""
    with draft.open("rb+") as written:
        os.fsync(written.fileno())
