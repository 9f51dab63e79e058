"""Files that appear whole or not at all: written beside under a temporary name, synced, then renamed.

A killed writer leaves at most a temporary file, which no reader looks at and `sweep` removes.
"""

import contextlib
import hashlib
import os
import secrets
from io import BytesIO
from pathlib import Path

import polars as pl

from stakazo_pipelines.errors import LakeError

_PREFIX, _SUFFIX = ".writing-", ".tmp"
_MAGIC = b"PAR1"


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` in one step; after return it survives a power cut. Raises LakeError."""
    beside = path.parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise LakeError(f"{path}: cannot be written ({error.strerror}); check free space and permissions") from error


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """`write_atomic` of a frame as Parquet."""
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())


def content_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of what a frame says: the same rows in another order, or written by another library, hash alike."""
    ordered = frame.sort(frame.columns, nulls_last=True)
    text = ordered.write_csv(None, null_value="\\N", quote_style="non_numeric")
    schema = ",".join(f"{name}:{dtype}" for name, dtype in frame.schema.items())
    return hashlib.sha256(f"{schema}\n{text}".encode()).hexdigest()


def torn_reason(path: Path) -> str | None:
    """Why a Parquet file cannot be whole, judged by its first and last bytes; None when it looks whole."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 8, 0))
            tail = file.read(8)
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    if size < 12 or head != _MAGIC or tail[4:] != _MAGIC:
        return f"is torn or not Parquet ({size} bytes)"
    if int.from_bytes(tail[:4], "little") > size - 12:
        return "is torn: its footer is longer than the file"
    return None


def sweep_folder(root: Path, *, before: float) -> int:
    """Remove temporary files under `root` last touched before the POSIX time `before`; returns how many."""
    removed = 0
    for leftover in root.rglob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # its writer may be renaming it right now
            if leftover.stat().st_mtime < before:
                leftover.unlink()
                removed += 1
    return removed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
