"""Writes an H.264 stream without an encoder: the samples of each macroblock are stored uncompressed.

ITU-T H.264 (https://www.itu.int/rec/T-REC-H.264) allows uncompressed macroblocks (I_PCM,
7.3.5), so only headers must be computed. The terms here are the standard's. The profile is
Baseline, and every picture is an IDR picture (a key frame). Callers must not use the sample
values 0 to 3: these could form a start code, and this module escapes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

MACROBLOCK = 16
"""Width and height of a macroblock in luma samples. Chroma has half of each."""

BASELINE_PROFILE = 66
BASELINE_CONSTRAINTS = 0xC0
LEVEL_5_1 = 51
"""Uncompressed samples exceed the bit rates of lower levels by far."""

SPS, PPS, IDR_SLICE = 0x67, 0x68, 0x65
I_PCM = 25
I_SLICE_ONLY = 7
MACROBLOCK_HEADER = b"\x0d\x00"
"""From a byte boundary: mb_type I_PCM, then zero bits up to the next byte boundary."""

STOP_BIT = b"\x80"


class Bits:
    """A bit string under construction, most significant bit first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def fixed(self, value: int, width: int) -> Bits:
        """Appends an unsigned integer of `width` bits: u(width) in the standard."""
        self._bits.append(format(value, f"0{width}b"))
        return self

    def golomb(self, *values: int) -> Bits:
        """Appends each value as an exponential Golomb code: ue(v) in the standard."""
        for value in values:
            digits = format(value + 1, "b")
            self._bits.append("0" * (len(digits) - 1) + digits)
        return self

    def aligned(self) -> bytes:
        """Returns the bits, padded with zero bits to a byte boundary."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")

    def terminated(self) -> bytes:
        """Returns the bits with the stop bit that ends a NAL unit, padded to a byte boundary."""
        self.fixed(1, 1)
        return self.aligned()


def sequence_parameters(width: int, height: int) -> bytes:
    """Returns the SPS for pictures of this size in pixels. Whole macroblocks are cropped to it."""
    columns, rows = macroblocks(width), macroblocks(height)
    crop_right = (columns * MACROBLOCK - width) // 2
    crop_bottom = (rows * MACROBLOCK - height) // 2
    bits = Bits().golomb(
        0,  # seq_parameter_set_id
        0,  # log2_max_frame_num_minus4
        2,  # pic_order_cnt_type: output order is decoding order
        0,  # max_num_ref_frames
    )
    bits.fixed(0, 1).golomb(columns - 1, rows - 1)
    bits.fixed(1, 1)  # frame_mbs_only_flag
    bits.fixed(1, 1)  # direct_8x8_inference_flag
    bits.fixed(1, 1).golomb(0, crop_right, 0, crop_bottom)
    bits.fixed(0, 1)  # vui_parameters_present_flag
    profile = bytes([SPS, BASELINE_PROFILE, BASELINE_CONSTRAINTS, LEVEL_5_1])
    return profile + bits.terminated()


def picture_parameters() -> bytes:
    """Returns the PPS: CAVLC, one slice group, deblocking filter controlled by each slice."""
    bits = Bits().golomb(0, 0)
    bits.fixed(0, 2).golomb(0, 0, 0)  # CAVLC, one slice group, default reference counts
    bits.fixed(0, 3).golomb(0, 0, 0)  # no weighted prediction, default quantisers
    bits.fixed(1, 1)  # deblocking_filter_control_present_flag
    bits.fixed(0, 2)
    return bytes([PPS]) + bits.terminated()


def picture(number: int, samples: Iterable[bytes]) -> bytes:
    """Returns an IDR picture. Macroblocks are in raster order, each with 384 samples: luma, Cb, Cr."""
    bits = Bits().golomb(0, I_SLICE_ONLY, 0)
    bits.fixed(0, 4)  # frame_num
    bits.golomb(number % 2)  # idr_pic_id: must differ between consecutive IDR pictures
    bits.fixed(0, 2)  # dec_ref_pic_marking
    bits.golomb(0, 1)  # slice_qp_delta; disable_deblocking_filter_idc: no filter
    bits.golomb(I_PCM)
    return bytes([IDR_SLICE]) + bits.aligned() + MACROBLOCK_HEADER.join(samples) + STOP_BIT


def macroblocks(pixels: int) -> int:
    """Returns the number of macroblocks that cover a width or height in pixels."""
    return -(-pixels // MACROBLOCK)
