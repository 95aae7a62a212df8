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

"""Images and camera information become records; pixels are decoded later, and only if needed.

Source: sensor_msgs/image_encodings.hpp, sensor_msgs/CameraInfo and CompressedImage.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.errors import CalibrationError, MessageError
from mm_fusion.recordings.headers import Message, bytes_of, stamp_of
from mm_fusion.records import CameraImage, Float64

_BAYER = tuple(f"bayer_{order}" for order in ("rggb", "bggr", "gbrg", "grbg"))
BYTES_PER_PIXEL = {
    **{"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1, "8UC3": 3},
    **{"mono16": 2, "16UC1": 2, "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2},
    **{f"{order}8": 1 for order in _BAYER},
    **{f"{order}16": 2 for order in _BAYER},
}
SAME_AS = {"8UC1": "mono8", "8UC3": "bgr8", "16UC1": "mono16", "uyvy": "yuv422"}
SAME_AS |= {"yuyv": "yuv422_yuy2"}
MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png"}


def camera_image(image: Message) -> CameraImage:
    """Read sensor_msgs/Image without copying its pixels.

    Raises:
        MessageError: no pixels, an unknown encoding, or fewer bytes than the size needs.
    """
    stamp_ns = stamp_of(image)
    encoding, width, height, step = image.encoding, image.width, image.height, image.step
    if encoding not in BYTES_PER_PIXEL:
        raise MessageError(
            f"image encoding {encoding!r} is unknown; known: {', '.join(BYTES_PER_PIXEL)}"
        )
    if width == 0 or height == 0:
        raise MessageError(f"image of {width} x {height} pixels has no content")
    row = width * BYTES_PER_PIXEL[encoding]
    if step < row:
        raise MessageError(f"image step {step} is less than the {row} bytes of {width} pixels")
    data = bytes_of(image.data)
    needed = step * (height - 1) + row
    if len(data) < needed:
        raise MessageError(
            f"image of {width} x {height} {encoding} needs {needed} bytes, has {len(data)}"
        )
    return CameraImage(
        stamp_ns=stamp_ns,
        data=data,
        encoding=SAME_AS.get(encoding, encoding),
        width=width,
        height=height,
        step=step,
        is_bigendian=bool(image.is_bigendian),
    )


def compressed_image(image: Message) -> CameraImage:
    """Read sensor_msgs/CompressedImage; its first bytes say what it is, whatever `format` says.

    Raises:
        MessageError: it is empty, or neither JPEG nor PNG.
    """
    stamp_ns = stamp_of(image)
    data = bytes_of(image.data)
    if not len(data):
        raise MessageError(f"compressed image ({image.format!r}) is empty")
    start = data[:4].tobytes()
    for magic, encoding in MAGIC.items():
        if start.startswith(magic):
            return CameraImage(stamp_ns=stamp_ns, data=data, encoding=encoding)
    raise MessageError(
        f"compressed image of format {image.format!r} is neither JPEG nor PNG; "
        f"it starts with {start.hex(' ')}"
    )


def camera_of(name: str, info: Message, ego_from_camera: Float64) -> Camera:
    """Read sensor_msgs/CameraInfo into a camera whose images come as they were taken.

    A lens of zeros is a rectified image. Region of interest and binning move and scale K.

    Raises:
        MessageError: it is uncalibrated or of an unknown distortion model.
    """
    scale_x, scale_y = max(info.binning_x, 1), max(info.binning_y, 1)
    matrix = np.array(info.k, np.float64).reshape(3, 3)
    matrix[0, 2] -= info.roi.x_offset
    matrix[1, 2] -= info.roi.y_offset
    matrix[0] /= scale_x
    matrix[1] /= scale_y
    width, height = info.roi.width or info.width, info.roi.height or info.height
    distortion = tuple(float(c) for c in info.d)
    rectified = not any(distortion)
    try:
        return Camera(
            name=name,
            image_from_camera=matrix,
            ego_from_camera=ego_from_camera,
            size_px=(width // scale_x, height // scale_y),
            distortion_model="" if rectified else str(info.distortion_model),
            distortion=() if rectified else distortion,
        )
    except CalibrationError as error:
        raise MessageError(f"CameraInfo: {error}") from error
