"""What can be told of an uploaded file from its first bytes: its format and, for pictures, its size."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG markers of frames, which hold the size


def image_format(content: bytes) -> str | None:
    """Which of png, jpeg; None for anything else."""
    if content.startswith(_PNG):
        return "png"
    return "jpeg" if content.startswith(_JPEG) else None


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None when the file does not say."""
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    at = 2
    while content.startswith(_JPEG) and at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _SIZES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None


def video_format(content: bytes) -> str | None:
    """Which of mp4, mov, mpeg, avi; None for anything else."""
    if content[4:8] == b"ftyp":
        return "mov" if content[8:10] == b"qt" else "mp4"
    if content.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return "mpeg"
    return "avi" if content.startswith(b"RIFF") and content[8:12] == b"AVI " else None
