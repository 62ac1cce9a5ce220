"""An MP4 file (ISO/IEC 14496-12) with one H.264 track, its header in front of its pictures.

The header comes first because a reader can then judge the file by its first
kilobytes. Knows nothing of what the pictures show.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The transformation that changes nothing."""

UNDETERMINED_LANGUAGE = 0x55C4
FULL_RATE = 0x10000
NAL_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Track:
    """What the header says of the pictures, each of which stands for itself."""

    width: int
    height: int
    frames_per_second: int
    sequence_parameters: bytes
    picture_parameters: bytes
    picture_bytes: Sequence[int]


def header(track: Track) -> bytes:
    """Everything in front of the first picture; the pictures follow one after the other."""
    kind = _box("ftyp", b"isom", _u32(0x200), b"isomiso2avc1mp41")
    mdat_bytes = 8 + sum(NAL_LENGTH_BYTES + size for size in track.picture_bytes)
    moov_bytes = len(_moov(track, 0))
    first_picture = len(kind) + moov_bytes + 8
    return kind + _moov(track, first_picture) + _u32(mdat_bytes) + b"mdat"


def sample(nal: bytes) -> bytes:
    """A picture as the file holds it: behind its length."""
    return _u32(len(nal)) + nal


def _moov(track: Track, first_picture: int) -> bytes:
    length = len(track.picture_bytes)
    movie = _full_box(
        "mvhd",
        0,
        struct.pack(">4I", 0, 0, track.frames_per_second, length),
        struct.pack(">IHHQ", FULL_RATE, 0x100, 0, 0),
        IDENTITY,
        bytes(24),
        _u32(2),
    )
    track_header = _full_box(
        "tkhd",
        3,  # enabled, in the movie
        struct.pack(">5I", 0, 0, 1, 0, length),
        bytes(16),
        IDENTITY,
        struct.pack(">2I", track.width << 16, track.height << 16),
    )
    media_header = _full_box(
        "mdhd",
        0,
        struct.pack(">4I", 0, 0, track.frames_per_second, length),
        struct.pack(">HH", UNDETERMINED_LANGUAGE, 0),
    )
    handler = _full_box("hdlr", 0, bytes(4), b"vide", bytes(12), b"Dropcast\0")
    here = _full_box("url ", 1)
    media = _box(
        "minf",
        _full_box("vmhd", 1, bytes(8)),
        _box("dinf", _full_box("dref", 0, _u32(1), here)),
        _sample_table(track, first_picture),
    )
    return _box("moov", movie, _box("trak", track_header, _box("mdia", media_header, handler, media)))


def _sample_table(track: Track, first_picture: int) -> bytes:
    """Where the pictures are. Without `stss` every one may be started from."""
    count = len(track.picture_bytes)
    sizes = [NAL_LENGTH_BYTES + size for size in track.picture_bytes]
    return _box(
        "stbl",
        _full_box("stsd", 0, _u32(1), _sample_entry(track)),
        _full_box("stts", 0, struct.pack(">3I", 1, count, 1)),
        _full_box("stsc", 0, struct.pack(">4I", 1, 1, count, 1)),
        _full_box("stsz", 0, struct.pack(">2I", 0, count), struct.pack(f">{count}I", *sizes)),
        _full_box("stco", 0, struct.pack(">2I", 1, first_picture)),
    )


def _sample_entry(track: Track) -> bytes:
    sps, pps = track.sequence_parameters, track.picture_parameters
    configuration = _box(
        "avcC",
        bytes([1]) + sps[1:4] + bytes([0xFC | (NAL_LENGTH_BYTES - 1)]),
        bytes([0xE0 | 1]) + struct.pack(">H", len(sps)) + sps,
        bytes([1]) + struct.pack(">H", len(pps)) + pps,
    )
    return _box(
        "avc1",
        bytes(6) + struct.pack(">H", 1),
        bytes(16) + struct.pack(">HH", track.width, track.height),
        struct.pack(">3IH", 0x480000, 0x480000, 0, 1),  # 72 dpi, one frame a sample
        bytes(32) + struct.pack(">Hh", 24, -1),
        configuration,
    )


def _full_box(kind: str, flags: int, *content: bytes) -> bytes:
    return _box(kind, _u32(flags), *content)


def _box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return _u32(8 + len(body)) + kind.encode() + body


def _u32(value: int) -> bytes:
    return struct.pack(">I", value)
