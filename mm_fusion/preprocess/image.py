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

"""Pixels: every encoding to RGB.

Source: sensor_msgs/image_encodings.hpp. OpenCV names Bayer patterns by the second row's second and
third pixel, ROS by the first row's first two: RGGB there is BG here.
"""

from __future__ import annotations

import cv2
import numpy as np

from mm_fusion.errors import MessageError
from mm_fusion.records import CameraImage, UInt8

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuv422": 2, "yuv422_yuy2": 2}
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono": cv2.COLOR_GRAY2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUYV,
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}


def decode(image: CameraImage) -> UInt8:
    """Return the pixels as (H, W, 3) RGB.

    Raises:
        MessageError: the bytes are no picture of that encoding.
    """
    if image.encoding in ("jpeg", "png"):
        return _decompress(image)
    name = image.encoding.removesuffix("16").removesuffix("8") if _is_single(image) else ""
    if image.encoding not in ("rgb8", *_CHANNELS) and name not in _TO_RGB:
        raise MessageError(f"image encoding {image.encoding!r} cannot be decoded")
    pixels = _eight_bits(image)
    if image.encoding == "rgb8":
        return pixels
    try:
        return np.asarray(cv2.cvtColor(pixels, _TO_RGB[name or image.encoding]), np.uint8)
    except cv2.error as error:  # pairs of pixels or of rows that are none
        raise MessageError(
            f"image of {image.width} x {image.height} {image.encoding} cannot be decoded: "
            "its pixels come in pairs"
        ) from error


def _is_single(image: CameraImage) -> bool:
    return image.encoding.startswith(("mono", "bayer_"))


def _eight_bits(image: CameraImage) -> UInt8:
    """View raw rows as (H, W) or (H, W, C); of sixteen bits the upper eight."""
    depth = 2 if image.encoding.endswith("16") else 1
    channels = _CHANNELS.get(image.encoding, 1)
    row = image.width * channels * depth
    needed = image.step * (image.height - 1) + row
    if image.width < 1 or image.height < 1 or image.step < row or len(image.data) < needed:
        raise MessageError(
            f"image of {image.width} x {image.height} {image.encoding} with step {image.step} "
            f"needs {needed} bytes, has {len(image.data)}"
        )
    strides = (image.step, 1)
    rows = np.lib.stride_tricks.as_strided(image.data, (image.height, row), strides)
    if depth == 2:
        upper = 0 if image.is_bigendian else 1
        return np.ascontiguousarray(rows[:, upper::2])
    shape = (image.height, image.width, channels)[: 2 if channels == 1 else 3]
    return np.ascontiguousarray(rows).reshape(shape)


def _decompress(image: CameraImage) -> UInt8:
    try:
        bgr = cv2.imdecode(image.data, cv2.IMREAD_COLOR) if len(image.data) else None
    except cv2.error:  # a header that promises more than memory holds
        bgr = None
    if bgr is None:
        raise MessageError(f"{image.encoding} image of {len(image.data)} bytes cannot be decoded")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
