# Copyright 2026 The mm_fusion authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Pixels of every encoding, worked by hand."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mm_fusion.errors import MessageError
from mm_fusion.preprocess.image import decode
from mm_fusion.records import CameraImage


def image(rows, encoding, width, padding=0, **settings):
    rows = np.asarray(rows, np.uint8)
    rows = np.hstack([rows, np.full((len(rows), padding), 99, np.uint8)])
    return CameraImage(
        stamp_ns=1,
        data=rows.ravel(),
        encoding=encoding,
        width=width,
        height=len(rows),
        step=rows.shape[1],
        **settings,
    )


def huge_png():
    """The header of a picture of 2^20 x 2^20 pixels, and no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    data += struct.pack(">I", zlib.crc32(header)) + bytes(8)
    return CameraImage(stamp_ns=1, data=np.frombuffer(data, np.uint8), encoding="png")


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "row"),
    [
        ("rgb8", [10, 20, 30, 40, 50, 60]),
        ("bgr8", [30, 20, 10, 60, 50, 40]),
        ("rgba8", [10, 20, 30, 255, 40, 50, 60, 0]),
        ("bgra8", [30, 20, 10, 255, 60, 50, 40, 0]),
    ],
)
def test_colours_come_in_the_order_red_green_blue(encoding, row, padding):
    assert_array_equal(decode(image([row], encoding, 2, padding)), [[[10, 20, 30], [40, 50, 60]]])


def test_grey_is_the_same_in_three_channels():
    assert_array_equal(decode(image([[7, 200]], "mono8", 2)), [[[7] * 3, [200] * 3]])


@pytest.mark.parametrize(("big", "row"), [(False, [1, 200, 2, 7]), (True, [200, 1, 7, 2])])
def test_of_sixteen_bits_the_upper_eight_are_kept(big, row):
    pixels = decode(image([row], "mono16", 2, is_bigendian=big))
    assert_array_equal(pixels, [[[200] * 3, [7] * 3]])


@pytest.mark.parametrize(
    ("encoding", "row"), [("yuv422", [128, 180, 128, 80]), ("yuv422_yuy2", [180, 128, 80, 128])]
)
def test_grey_yuv_is_grey(encoding, row):
    # U = V = 128 is no colour; luma 180 and 80 in studio swing: (Y - 16) * 255 / 219
    pixels = decode(image([row], encoding, 2))
    assert_allclose(pixels[0, :, 1], [(180 - 16) * 255 / 219, (80 - 16) * 255 / 219], atol=1.5)
    assert_allclose(pixels[..., 0], pixels[..., 2], atol=1)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("order", "red_at"), [("rggb", (0, 0)), ("grbg", (0, 1)), ("gbrg", (1, 0)), ("bggr", (1, 1))]
)
def test_a_red_scene_is_red_through_any_bayer_pattern(order, red_at, depth):
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[red_at[0] :: 2, red_at[1] :: 2] = 200
    if depth == 16:
        mosaic = np.stack([np.zeros_like(mosaic), mosaic], axis=-1).reshape(8, 16)
    pixels = decode(image(mosaic, f"bayer_{order}{depth}", 8))
    inner = pixels[2:6, 2:6].reshape(-1, 3)
    assert (inner[:, 0] > 150).all()
    assert (inner[:, 1:] < 30).all()


@pytest.mark.parametrize(("suffix", "encoding"), [(".jpg", "jpeg"), (".png", "png")])
def test_compressed_pictures_come_back(suffix, encoding):
    rgb = np.zeros((16, 24, 3), np.uint8)
    rgb[:, :12] = (200, 30, 60)
    _, data = cv2.imencode(suffix, rgb[..., ::-1])
    pixels = decode(CameraImage(stamp_ns=1, data=data.ravel(), encoding=encoding))
    assert pixels.shape == (16, 24, 3)
    assert_allclose(pixels[8, 4], (200, 30, 60), atol=6)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (image([[1, 2, 3]], "rgb8", 2), "needs 6 bytes, has 3"),
        (image([[1, 2]], "hsv8", 2), "'hsv8' cannot be decoded"),
        (image(np.zeros((0, 4)), "mono8", 4), "image of 4 x 0 mono8"),
        (image(np.zeros((2, 6)), "yuv422", 3), "3 x 2 yuv422 cannot be decoded: its pixels come"),
        (huge_png(), "png image of 41 bytes cannot be decoded"),
        (CameraImage(stamp_ns=1, data=np.zeros(9, np.uint8), encoding="jpeg"), "9 bytes cannot be"),
        (CameraImage(stamp_ns=1, data=np.zeros(0, np.uint8), encoding="png"), "of 0 bytes cannot"),
    ],
)
def test_what_is_no_picture_gets_its_sentence(broken, sentence):
    with pytest.raises(MessageError, match=sentence):
        decode(broken)
