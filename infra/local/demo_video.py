"""Generates the demo's video: playable, in portrait format, in about a second, without an encoder.

It lasts 5.4 s and has about 46 MB, because its samples are uncompressed. With the local
cloud's chunk size it is uploaded in several chunks. It shows a drifting colour pattern,
the name DROPCAST and a progress bar. Macroblocks (16 x 16 pixels, h264.py) are computed
once when this module is imported, and every picture is composed of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h264
import mp4
from paths import CLOUD, HERE

VIDEO = CLOUD / "demo.mp4"
WIDTH, HEIGHT = 360, 640
FRAMES_PER_SECOND = 24
FRAMES = 130
COLUMNS, ROWS = h264.macroblocks(WIDTH), h264.macroblocks(HEIGHT)

DARK, LIGHT, GREY = 40, 230, 128
PERIOD = 256
"""Period of the colour pattern in luma samples."""

# Positions in macroblocks, from the top left.
NAME_ROWS = range(18, 22)
BAR_ROW = 36
BAR_COLUMNS = range(2, COLUMNS - 3)
# A letter has 3 x 5 dots, and a dot a quarter of a macroblock.
LETTERS = {
    "D": ("##.", "#.#", "#.#", "#.#", "##."),
    "R": ("##.", "#.#", "##.", "#.#", "#.#"),
    "O": ("###", "#.#", "#.#", "#.#", "###"),
    "P": ("##.", "#.#", "##.", "#..", "#.."),
    "C": ("###", "#..", "#..", "#..", "###"),
    "A": ("###", "#.#", "###", "#.#", "#.#"),
    "S": ("###", "#..", "###", "..#", "###"),
    "T": ("###", ".#.", ".#.", ".#.", ".#."),
}


def ensure() -> Path:
    """Generates the video if it is missing or older than these scripts; returns its path."""
    sources = [HERE / name for name in ("demo_video.py", "h264.py", "mp4.py")]
    if not VIDEO.exists() or VIDEO.stat().st_mtime < max(s.stat().st_mtime for s in sources):
        VIDEO.parent.mkdir(parents=True, exist_ok=True)
        draft = VIDEO.with_suffix(".draft")
        make(draft)
        draft.replace(VIDEO)
    return VIDEO


def make(path: Path) -> None:
    """Writes the video to `path`."""
    pictures = [h264.picture(number, _macroblocks(number)) for number in range(FRAMES)]
    track = mp4.Track(
        width=WIDTH,
        height=HEIGHT,
        frames_per_second=FRAMES_PER_SECOND,
        sequence_parameters=h264.sequence_parameters(WIDTH, HEIGHT),
        picture_parameters=h264.picture_parameters(),
        picture_bytes=[len(picture) for picture in pictures],
    )
    with path.open("wb") as file:
        file.write(mp4.header(track))
        for picture in pictures:
            file.write(mp4.sample(picture))


def _wave(position: int, low: int, high: int) -> int:
    """Returns the value of a triangle wave between `low` and `high`."""
    phase = position % PERIOD
    return low + (high - low) * min(phase, PERIOD - phase) * 2 // PERIOD


def _grey_block(size: int) -> bytes:
    """Returns a square of grey samples."""
    return bytes([GREY]) * (size * size)


def _diagonal_block(size: int, value_at: dict[int, int]) -> bytes:
    """Returns a square of samples; a sample's value depends on its diagonal x + y."""
    return bytes(value_at[x + y] for y in range(size) for x in range(size))


def _pattern_blocks(size: int, low: int, high: int) -> list[bytes]:
    """Returns a square of the colour pattern for each phase of the wave."""
    scale = h264.MACROBLOCK // size
    return [
        _diagonal_block(size, {d: _wave(phase + d * scale, low, high) for d in range(2 * size)})
        for phase in range(PERIOD)
    ]


LUMA = _pattern_blocks(16, 60, 190)
BLUE = _pattern_blocks(8, 80, 190)
RED = _pattern_blocks(8, 90, 200)
NEUTRAL_CHROMA = _grey_block(8) * 2


def _quarters(lit: int) -> bytes:
    """Returns a luma square whose quarters are light or dark, one bit of `lit` for each quarter."""
    upper = bytes([LIGHT if lit & 8 else DARK] * 8 + [LIGHT if lit & 4 else DARK] * 8)
    lower = bytes([LIGHT if lit & 2 else DARK] * 8 + [LIGHT if lit & 1 else DARK] * 8)
    return upper * 8 + lower * 8


QUARTERS = [_quarters(lit) for lit in range(16)]
BAR = [(bytes([LIGHT]) * lit + bytes([DARK]) * (16 - lit)) * 16 for lit in range(17)]


def _name() -> dict[tuple[int, int], bytes]:
    """Returns the macroblocks of the name by column and row. Each shows 2 x 2 dots of the letters."""
    lines = [".".join(LETTERS[letter][line] for letter in "DROPCAST") for line in range(5)]
    dots = {(x + 7, y + 1) for y, line in enumerate(lines) for x, dot in enumerate(line) if dot == "#"}
    return {
        (column, row): QUARTERS[
            sum(
                bit
                for bit, (x, y) in {8: (0, 0), 4: (1, 0), 2: (0, 1), 1: (1, 1)}.items()
                if (2 * column + x, 2 * (row - NAME_ROWS.start) + y) in dots
            )
        ]
        for row in NAME_ROWS
        for column in range(2, COLUMNS - 3)
    }


NAME = _name()


def _macroblocks(number: int) -> Iterator[bytes]:
    """Yields the samples of a picture, one macroblock at a time."""
    bar_pixels = len(BAR_COLUMNS) * h264.MACROBLOCK * (number + 1) // FRAMES
    for row in range(ROWS):
        for column in range(COLUMNS):
            if (column, row) in NAME:
                yield NAME[column, row] + NEUTRAL_CHROMA
            elif row == BAR_ROW and column in BAR_COLUMNS:
                left = (column - BAR_COLUMNS.start) * h264.MACROBLOCK
                yield BAR[max(0, min(16, bar_pixels - left))] + NEUTRAL_CHROMA
            else:
                diagonal = (column + row) * h264.MACROBLOCK
                yield (
                    LUMA[(diagonal + 3 * number) % PERIOD]
                    + BLUE[(diagonal + 2 * number) % PERIOD]
                    + RED[(diagonal + PERIOD // 2 - number) % PERIOD]
                )
