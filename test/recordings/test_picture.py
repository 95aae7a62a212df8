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

"""Sizes are read from the headers of image files, whatever wrote them."""

import cv2
import numpy as np
import pytest

from mm_fusion.errors import RecordingError
from mm_fusion.recordings.picture import picture_size, read_picture


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_says_its_size(tmp_path, progressive):
    path = tmp_path / "image.jpg"
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    cv2.imwrite(str(path), np.zeros((37, 91, 3), np.uint8), flags)
    assert picture_size(path) == (91, 37)
    assert read_picture(path, 5).encoding == "jpeg"


def test_a_png_says_its_size_and_keeps_its_bytes(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.zeros((37, 91), np.uint8))
    assert picture_size(path) == (91, 37)
    image = read_picture(path, 5)
    assert (image.encoding, image.stamp_ns) == ("png", 5)
    assert image.data.tobytes() == path.read_bytes()


def test_a_jpeg_that_ends_within_its_header_is_refused(tmp_path):
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), np.zeros((37, 91, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RecordingError, match="ends within its header"):
        picture_size(path)


def test_what_is_no_image_is_refused(tmp_path):
    path = tmp_path / "image.jpg"
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"neither a JPEG nor a PNG file \(0 bytes\)"):
        picture_size(path)
