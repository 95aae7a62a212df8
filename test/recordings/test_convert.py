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

"""Every kind of record survives a bag, in both storages, and stock tools read it."""

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.open import open_recording
from mm_fusion.records import CameraImage

STORAGES = ["mcap", "sqlite3"]


def records_of(recording):
    return {
        (stream, record.stamp_ns): record
        for frame in recording.frames()
        for stream, record in (*frame.motion, *frame.records.items())
    }


def assert_same(a, b, passing_over=()):
    assert type(a) is type(b)
    for name in a.__slots__:
        if name not in passing_over:
            x, y = getattr(a, name), getattr(b, name)
            if isinstance(x, (np.ndarray, float)):
                np.testing.assert_allclose(y, x, atol=1e-9, err_msg=name)
            else:
                assert x == y, name


def assert_same_truth(a, b):
    assert a.azimuth_limit_rad == b.azimuth_limit_rad
    np.testing.assert_array_equal(a.occlusion, b.occlusion)
    for x, y in ((a.objects, b.objects), (a.ignored, b.ignored)):
        np.testing.assert_allclose(x.boxes, y.boxes, atol=1e-9)
        np.testing.assert_array_equal(x.labels, y.labels)
        np.testing.assert_array_equal(x.ids, y.ids)


@pytest.mark.parametrize("storage", STORAGES)
def test_every_kind_survives(drive, tmp_path, storage):
    told = []
    convert(drive, tmp_path / "bag", storage=storage, progress=lambda: told.append(1))
    assert len(told) == 3
    bag = BagRecording(tmp_path / "bag")
    assert len(bag) == 3
    assert {s.name: s.kind for s in bag.sensors} == {s.name: s.kind for s in drive.sensors}
    wanted, found = records_of(drive), list(bag.records())
    assert not bag.errors
    stamps = [record.stamp_ns for _, record in found]
    assert stamps == sorted(stamps)
    assert {(stream, r.stamp_ns) for stream, r in found} == set(wanted)
    for stream, record in found:
        assert_same(wanted[stream, record.stamp_ns], record)
    truths = dict(bag.truths())
    for frame in drive.frames():
        assert_same_truth(frame.truth, truths[frame.stamp_ns])


@pytest.mark.parametrize("storage", STORAGES)
def test_calibration_follows_the_stream(drive, tmp_path, storage):
    convert(drive, tmp_path / "bag", storage=storage)
    bag = BagRecording(tmp_path / "bag")
    first, *_, last = [frame.calibration for frame in drive.frames()]
    assert bag.calibration.ego_from.keys() == first.ego_from.keys()
    for stream, matrix in first.ego_from.items():
        np.testing.assert_allclose(bag.calibration.ego_from[stream], matrix, atol=1e-7)
    radar_x_m = [bag.calibration.ego_from["radar"][0, 3] for s, _ in bag.records() if s == "radar"]
    assert radar_x_m == [3.5, 3.6, 3.6]
    camera, wanted = bag.calibration.cameras["camera"], last.cameras["camera"]
    np.testing.assert_allclose(camera.ego_from_camera, wanted.ego_from_camera, atol=1e-9)
    np.testing.assert_array_equal(camera.image_from_camera, wanted.image_from_camera)
    assert (camera.size_px, camera.distortion) == (wanted.size_px, wanted.distortion)
    assert bag.topics["/tf_static"].count == 2  # at the start, and where the radar was moved


def test_a_bag_of_a_bag_is_the_same(drive, tmp_path):
    convert(drive, tmp_path / "one", storage="mcap")
    told = []
    one = BagRecording(tmp_path / "one")
    convert(one, tmp_path / "two", storage="sqlite3", progress=lambda: told.append(1))
    two = BagRecording(tmp_path / "two")
    assert len(told) == len(one) == len(two)
    assert two.sensors == one.sensors
    assert {t: i.count for t, i in two.topics.items()} == {
        t: i.count for t, i in one.topics.items()
    }
    for (stream, a), (other, b) in zip(one.records(), two.records(), strict=True):
        assert stream == other
        assert_same(a, b)
    assert list(dict(one.truths())) == list(dict(two.truths()))


def test_stock_mcap_tools_read_it(drive, tmp_path):
    convert(drive, tmp_path / "bag")
    with (tmp_path / "bag" / "bag.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        messages = [(c.topic, s.name, m) for s, c, _, m in reader.iter_decoded_messages()]
    clouds = [m for topic, _, m in messages if topic == "/lidar/points"]
    wanted = next(drive.frames()).records["lidar"]
    fields = [(f.name, f.offset, f.datatype) for f in clouds[0].fields]
    assert fields == [
        *[("x", 0, 7), ("y", 4, 7), ("z", 8, 7)],
        *[("intensity", 12, 7), ("ring", 16, 4), ("time", 18, 7)],
    ]
    first_x_m = np.frombuffer(bytes(clouds[0].data)[:4], "<f4")[0]
    assert first_x_m == wanted.points_lidar[0, 0]
    kinds = {topic: name for topic, name, _ in messages}
    assert kinds == {
        "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
        "/camera/image/compressed": "sensor_msgs/msg/CompressedImage",
        "/gps/fix": "sensor_msgs/msg/NavSatFix",
        "/ground_truth": "vision_msgs/msg/Detection3DArray",
        "/imu": "sensor_msgs/msg/Imu",
        "/lidar/points": "sensor_msgs/msg/PointCloud2",
        "/radar/points": "sensor_msgs/msg/PointCloud2",
        "/tf_static": "tf2_msgs/msg/TFMessage",
        "/twist": "geometry_msgs/msg/TwistStamped",
    }
    (labels, *_) = [m for topic, _, m in messages if topic == "/ground_truth"]
    assert labels.header.frame_id == "base_link"
    names = [d.results[0].hypothesis.class_id for d in labels.detections]
    assert names == ["car", "pedestrian", "unknown"]
    assert messages[0][0] == "/tf_static"


def test_quality_of_service_is_offered(drive, tmp_path):
    convert(drive, tmp_path / "bag")
    topics = BagRecording(tmp_path / "bag").topics
    offered = {t: (i.qos[0].reliability.name, i.qos[0].durability.name) for t, i in topics.items()}
    assert offered.pop("/tf_static") == ("RELIABLE", "TRANSIENT_LOCAL")
    assert set(offered.values()) == {("RELIABLE", "VOLATILE")}


def test_raw_images_go_on_a_raw_topic(make_drive, tmp_path):
    def gray(stamp_ns):
        pixels = np.arange(8, dtype=np.uint8)
        return CameraImage(
            stamp_ns=stamp_ns, data=pixels, encoding="mono8", width=4, height=2, step=4
        )

    drive = make_drive(image=gray)
    convert(drive, tmp_path / "bag")
    bag = BagRecording(tmp_path / "bag")
    assert bag.topics["/camera/image"].msgtype == "sensor_msgs/msg/Image"
    wanted = records_of(drive)
    images = [r for stream, r in bag.records() if stream == "camera"]
    assert len(images) == 3
    for image in images:
        assert_same(wanted["camera", image.stamp_ns], image)


def test_what_exists_is_not_touched(drive, tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(RecordingError, match="bag exists already; remove it or choose another"):
        convert(drive, tmp_path / "bag")
    with pytest.raises(ConfigError, match="storage 'rosbag1' is unknown; known: mcap, sqlite3"):
        convert(drive, tmp_path / "other", storage="rosbag1")
    assert [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_no_half_bag_is_left(drive, tmp_path):
    def give_up():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(drive, tmp_path / "bag", progress=give_up)
    assert list(tmp_path.iterdir()) == []


def test_nothing_makes_no_bag(make_drive, tmp_path):
    with pytest.raises(RecordingError, match="the recording holds no record"):
        convert(make_drive(count=0), tmp_path / "bag")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("source", ["kitti_raw", "astyx"])
def test_real_recordings_survive(request, tmp_path, source, storage):
    recording = open_recording(request.getfixturevalue(source))
    convert(recording, tmp_path / "bag", storage=storage)
    bag = open_recording(tmp_path / "bag")
    wanted = records_of(recording)
    found = list(bag.records())
    assert not bag.errors
    assert len(found) == len(wanted)
    for stream, record in found:  # TwistStamped states no standard deviation
        assert_same(wanted[stream, record.stamp_ns], record, passing_over=("linear_std_mps",))
    settings = {s.name: (s.kind, s.range_rate_period_mps) for s in recording.sensors}
    assert {s.name: (s.kind, s.range_rate_period_mps) for s in bag.sensors} == settings
    truths = dict(bag.truths())
    for frame in recording.frames():
        if frame.truth is not None:
            assert_same_truth(frame.truth, truths[frame.stamp_ns])
