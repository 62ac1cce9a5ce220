"""H.264 without an encoder: pictures whose macroblocks are stored, not compressed.

ITU-T H.264 lets a macroblock carry its samples as they are (I_PCM, 7.3.5), so a
valid Baseline stream needs only headers: https://www.itu.int/rec/T-REC-H.264.
Every picture is an IDR picture. The samples must stay clear of 0 to 3, so that
no start code can arise between them and nothing has to be escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

MACROBLOCK = 16
"""Width and height of a macroblock in luma samples; chroma has half of each."""

BASELINE_PROFILE = 66
BASELINE_CONSTRAINTS = 0xC0
LEVEL_5_1 = 51
"""The bit rate of stored samples is far above what lower levels allow."""

SPS, PPS, IDR_SLICE = 0x67, 0x68, 0x65
I_PCM = 25
I_SLICE_ONLY = 7
MACROBLOCK_HEADER = b"\x0d\x00"
"""mb_type I_PCM and the zero bits up to the samples, from a byte boundary on."""

STOP_BIT = b"\x80"


class Bits:
    """Bits written one after the other, most significant first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def fixed(self, value: int, width: int) -> Bits:
        """Appends u(width)."""
        self._bits.append(format(value, f"0{width}b"))
        return self

    def golomb(self, *values: int) -> Bits:
        """Appends each as ue(v)."""
        for value in values:
            digits = format(value + 1, "b")
            self._bits.append("0" * (len(digits) - 1) + digits)
        return self

    def aligned(self) -> bytes:
        """Everything, with zero bits up to the next byte boundary."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")

    def terminated(self) -> bytes:
        """Everything, with the stop bit that ends a unit."""
        self.fixed(1, 1)
        return self.aligned()


def sequence_parameters(width: int, height: int) -> bytes:
    """Describes pictures of this size in pixels, cropped out of whole macroblocks."""
    columns, rows = macroblocks(width), macroblocks(height)
    crop_right = (columns * MACROBLOCK - width) // 2
    crop_bottom = (rows * MACROBLOCK - height) // 2
    bits = Bits().golomb(
        0,  # seq_parameter_set_id
        0,  # log2_max_frame_num_minus4
        2,  # pic_order_cnt_type: shown in the order of decoding
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
    """Describes how every picture is coded: CAVLC, one slice, filter under our control."""
    bits = Bits().golomb(0, 0)
    bits.fixed(0, 2).golomb(0, 0, 0)  # CAVLC, one slice group, default reference counts
    bits.fixed(0, 3).golomb(0, 0, 0)  # no weighted prediction, quantisers at their middle
    bits.fixed(1, 1)  # deblocking_filter_control_present_flag
    bits.fixed(0, 2)
    return bytes([PPS]) + bits.terminated()


def picture(number: int, samples: Iterable[bytes]) -> bytes:
    """An IDR picture of macroblocks in raster order, 384 samples each: luma, Cb, Cr."""
    bits = Bits().golomb(0, I_SLICE_ONLY, 0)
    bits.fixed(0, 4)  # frame_num
    bits.golomb(number % 2)  # idr_pic_id, which has to differ from its neighbour's
    bits.fixed(0, 2)  # dec_ref_pic_marking
    bits.golomb(0, 1)  # slice_qp_delta; disable_deblocking_filter_idc: no filter
    bits.golomb(I_PCM)
    return bytes([IDR_SLICE]) + bits.aligned() + MACROBLOCK_HEADER.join(samples) + STOP_BIT


def macroblocks(pixels: int) -> int:
    """How many macroblocks cover so many pixels."""
    return -(-pixels // MACROBLOCK)
