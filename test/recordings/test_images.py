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

"""Images and camera information become records, or get their sentence."""

from types import SimpleNamespace as Values

import numpy as np
import pytest

from mm_fusion.errors import MessageError
from mm_fusion.recordings.images import BYTES_PER_PIXEL, camera_image, camera_of, compressed_image

EYE = np.eye(4)


def image(header, encoding="rgb8", width=4, height=2, **changes):
    step = width * BYTES_PER_PIXEL.get(encoding, 3)
    values = {"encoding": encoding, "width": width, "height": height, "step": step}
    values |= {"is_bigendian": 0, "data": bytes(range(step * height))}
    return Values(header=header, **{**values, **changes})


@pytest.mark.parametrize("encoding", list(BYTES_PER_PIXEL))
def test_every_encoding_keeps_its_bytes(header_at, encoding):
    message = image(header_at(), encoding)
    record = camera_image(message)
    assert (record.width, record.height, record.step) == (4, 2, message.step)
    assert record.data.tobytes() == message.data
    again = camera_image(image(header_at(), record.encoding))
    assert again.encoding == record.encoding  # the name it is given is one it is known by


def test_padded_rows_and_their_last(header_at):
    record = camera_image(image(header_at(), step=16, data=bytes(16 + 12)))
    assert record.step == 16
    with pytest.raises(MessageError, match="4 x 2 rgb8 needs 28 bytes, has 27"):
        camera_image(image(header_at(), step=16, data=bytes(27)))


def test_broken_images_say_what_is_wrong(header_at):
    with pytest.raises(MessageError, match="encoding '32FC1' is unknown; known: rgb8"):
        camera_image(image(header_at(), "32FC1"))
    with pytest.raises(MessageError, match="0 x 2 pixels has no content"):
        camera_image(image(header_at(), width=0))
    with pytest.raises(MessageError, match="4 x 0 pixels has no content"):
        camera_image(image(header_at(), height=0))
    with pytest.raises(MessageError, match="step 11 is less than the 12 bytes of 4 pixels"):
        camera_image(image(header_at(), step=11))
    with pytest.raises(MessageError, match="stamp is zero"):
        camera_image(image(header_at(0)))


@pytest.mark.parametrize(
    ("start", "encoding"), [(b"\xff\xd8\xff\xe0", "jpeg"), (b"\x89PNG\r\n", "png")]
)
def test_compressed_images_are_known_by_their_bytes(header_at, start, encoding):
    record = compressed_image(Values(header=header_at(), format="anything", data=start))
    assert (record.encoding, record.data.tobytes()) == (encoding, start)


def test_broken_compressed_images(header_at):
    with pytest.raises(MessageError, match=r"\('jpeg'\) is empty"):
        compressed_image(Values(header=header_at(), format="jpeg", data=b""))
    with pytest.raises(MessageError, match="'h264' is neither JPEG nor PNG; it starts with 00 00"):
        compressed_image(Values(header=header_at(), format="h264", data=b"\0\0\0\1"))


def info(**changes):
    values = {"width": 640, "height": 480, "binning_x": 0, "binning_y": 0}
    values |= {"k": [700.0, 0, 320, 0, 710, 240, 0, 0, 1], "distortion_model": "plumb_bob"}
    values |= {
        "d": [0.1, -0.05, 0, 0, 0.01],
        "roi": Values(x_offset=0, y_offset=0, width=0, height=0),
    }
    return Values(**{**values, **changes})


@pytest.mark.parametrize(
    ("model", "count"), [("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4)]
)
def test_lenses(model, count):
    lens = [0.1] * count
    camera = camera_of("front", info(distortion_model=model, d=lens), EYE)
    assert (camera.distortion_model, camera.distortion) == (model, tuple(lens))
    assert camera.size_px == (640, 480)


def test_a_lens_of_zeros_is_rectified():
    camera = camera_of("front", info(d=[0.0] * 5), EYE)
    assert (camera.distortion_model, camera.distortion) == ("", ())


def test_region_and_binning_move_and_scale():
    region = Values(x_offset=20, y_offset=40, width=600, height=400)
    camera = camera_of("front", info(roi=region, binning_x=2, binning_y=4), EYE)
    # x: 700 / 2, (320 - 20) / 2; y: 710 / 4, (240 - 40) / 4
    wanted = [[350, 0, 150], [0, 177.5, 50], [0, 0, 1]]
    np.testing.assert_allclose(camera.image_from_camera, wanted)
    assert camera.size_px == (300, 100)


def test_broken_infos_say_what_is_wrong():
    with pytest.raises(MessageError, match=r"CameraInfo: .*zeros means the camera is not calib"):
        camera_of("front", info(k=[0.0] * 9), EYE)
    with pytest.raises(MessageError, match="distortion model 'fisheye' is unknown"):
        camera_of("front", info(distortion_model="fisheye"), EYE)
    with pytest.raises(MessageError, match="plumb_bob takes"):
        camera_of("front", info(d=[0.1] * 3), EYE)
