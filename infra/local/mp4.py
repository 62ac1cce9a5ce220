"""Writes an MP4 file (ISO/IEC 14496-12) with one H.264 track and the movie header before the pictures.

With the header first, `publish` can check the video from its first kilobytes. The names
of boxes are the standard's. demo_video.py makes the pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

IDENTITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
UNDETERMINED_LANGUAGE = 0x55C4
NORMAL_PLAYBACK_RATE = 0x10000
NAL_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Track:
    """The facts about a video track that the header contains. Every picture is a key frame."""

    width: int
    height: int
    frames_per_second: int
    sequence_parameters: bytes
    picture_parameters: bytes
    picture_bytes: Sequence[int]
    """The size of each picture in bytes, without its length prefix."""


def header(track: Track) -> bytes:
    """Returns everything before the first picture. The samples follow it without gaps."""
    ftyp = _box("ftyp", b"isom", _u32(0x200), b"isomiso2avc1mp41")
    mdat_bytes = 8 + sum(NAL_LENGTH_BYTES + size for size in track.picture_bytes)
    moov_bytes = len(_moov(track, 0))
    first_picture = len(ftyp) + moov_bytes + 8
    return ftyp + _moov(track, first_picture) + _u32(mdat_bytes) + b"mdat"


def sample(nal: bytes) -> bytes:
    """Returns a picture in the file's format: the NAL unit after its length."""
    return _u32(len(nal)) + nal


def _moov(track: Track, first_picture: int) -> bytes:
    """Returns the movie header; `first_picture` is the file offset of the first sample."""
    frames = len(track.picture_bytes)
    movie = _full_box(
        "mvhd",
        0,
        struct.pack(">4I", 0, 0, track.frames_per_second, frames),
        struct.pack(">IHHQ", NORMAL_PLAYBACK_RATE, 0x100, 0, 0),
        IDENTITY_MATRIX,
        bytes(24),
        _u32(2),
    )
    track_header = _full_box(
        "tkhd",
        3,  # flags: track enabled, track in movie
        struct.pack(">5I", 0, 0, 1, 0, frames),
        bytes(16),
        IDENTITY_MATRIX,
        struct.pack(">2I", track.width << 16, track.height << 16),
    )
    media_header = _full_box(
        "mdhd",
        0,
        struct.pack(">4I", 0, 0, track.frames_per_second, frames),
        struct.pack(">HH", UNDETERMINED_LANGUAGE, 0),
    )
    handler = _full_box("hdlr", 0, bytes(4), b"vide", bytes(12), b"Dropcast\0")
    data_in_this_file = _full_box("url ", 1)
    media = _box(
        "minf",
        _full_box("vmhd", 1, bytes(8)),
        _box("dinf", _full_box("dref", 0, _u32(1), data_in_this_file)),
        _sample_table(track, first_picture),
    )
    return _box("moov", movie, _box("trak", track_header, _box("mdia", media_header, handler, media)))


def _sample_table(track: Track, first_picture: int) -> bytes:
    """Returns the sizes and offsets of the samples. Without an `stss` box every sample is a key frame."""
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
    """Returns the `avc1` box, which describes the codec."""
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
        struct.pack(">3IH", 0x480000, 0x480000, 0, 1),  # 72 dpi, one frame per sample
        bytes(32) + struct.pack(">Hh", 24, -1),
        configuration,
    )


def _full_box(box_type: str, flags: int, *content: bytes) -> bytes:
    return _box(box_type, _u32(flags), *content)


def _box(box_type: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return _u32(8 + len(body)) + box_type.encode() + body


def _u32(value: int) -> bytes:
    return struct.pack(">I", value)
