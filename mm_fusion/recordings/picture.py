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

"""Image files as they lie on disk: kept encoded, only their headers are read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.records import CameraImage

SUFFIXES = (".jpg", ".jpeg", ".png")
_MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
_NO_SIZE = {0xC4, 0xC8, 0xCC}  # JPEG markers among C0..CF that start no frame
_BARE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a length


def read_picture(path: Path, stamp_ns: int) -> CameraImage:
    """Read an image file without decoding it.

    Raises:
        RecordingError: the file cannot be read or is neither JPEG nor PNG.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    for magic, encoding in _MAGIC.items():
        if data.startswith(magic):
            return CameraImage(
                stamp_ns=stamp_ns, data=np.frombuffer(data, np.uint8), encoding=encoding
            )
    raise RecordingError(f"{path}: neither a JPEG nor a PNG file ({len(data)} bytes)")


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height (px) of an image file, from its header alone.

    Raises:
        RecordingError: the file is no image, or ends within its header.
    """
    image = read_picture(path, 0)
    data = image.data.tobytes()
    try:
        if image.encoding == "png":
            width, height = struct.unpack_from(">II", data, 16)  # the IHDR chunk comes first
        else:
            height, width = struct.unpack_from(">HH", data, _jpeg_frame(data) + 5)
    except struct.error as error:
        raise RecordingError(f"{path}: the {image.encoding} ends within its header") from error
    return int(width), int(height)


def _jpeg_frame(data: bytes) -> int:
    """Return where the marker lies that states the size (SOF; ITU T.81, B.2.2)."""
    at = 2
    while True:
        fill, marker = struct.unpack_from(">BB", data, at)
        if fill != 0xFF:
            raise struct.error
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            return at
        if marker == 0xFF:  # padding before a marker
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
