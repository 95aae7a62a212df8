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

"""Every finding of `check`, on bags of eleven scans and images with one fault each."""

from dataclasses import replace

import numpy as np
import pytest

from mm_fusion.calibration import Camera
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.check import check
from mm_fusion.evaluation.check_findings import duration
from mm_fusion.geometry.rigid import compose
from mm_fusion.recordings.bag import STATIC_TRANSFORMS, TRANSFORMS
from mm_fusion.recordings.bag_writer import BagWriter
from mm_fusion.recordings.encode import info_of, message_of
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.recordings.message_parts import header, part, transform
from mm_fusion.records import CameraImage, LidarScan, RadarScan, TwistSample

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
LIDAR, CAMERA, INFO = "/lidar/points", "/front/image", "/front/camera_info"
RADAR, TWIST = "/radar/points", "/twist"
OPTICAL = compose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0, 1.5]))
FRONT = Camera(
    name="front",
    image_from_camera=np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]),
    ego_from_camera=OPTICAL,
    size_px=(64, 48),
)


def scan(stamp_ns, points=((10.0, 1, 1.5),) * 4):
    count = len(points)
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.array(points, np.float32).reshape(-1, 3),
        intensity=np.full(count, 0.5, np.float32),
        offset_s=np.linspace(0, 0.05, count, dtype=np.float32),
    )


def image(stamp_ns, width=64, height=48):
    pixels = np.full(width * height, 90, np.uint8)
    return CameraImage(
        stamp_ns=stamp_ns, data=pixels, encoding="mono8", width=width, height=height, step=width
    )


def returns(stamp_ns, count=3):
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=np.tile(np.float32([20, 2, 1.5]), (count, 1)),
        range_rate_mps=np.zeros(count, np.float32),
        rcs_dbsm=np.zeros(count, np.float32),
    )


def placed(**places):
    edges = [transform("base_link", frame, at, START_NS) for frame, at in places.items()]
    return TRANSFORMS, part(TRANSFORMS, transforms=edges)


def sound(period_ms=100):
    """Topic -> [log time, message type, message]: eleven moments of a vehicle without a fault."""
    times = [START_NS + k * period_ms * MS for k in range(11)]
    twist = {
        t: TwistSample(stamp_ns=t, linear_ego=np.zeros(3), angular_ego=np.zeros(3)) for t in times
    }
    return {
        STATIC_TRANSFORMS: [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=OPTICAL)]],
        LIDAR: [[t, *message_of(scan(t), "lidar")] for t in times],
        RADAR: [[t, *message_of(returns(t), "radar")] for t in times],
        CAMERA: [[t, *message_of(image(t), "front")] for t in times],
        INFO: [[t, *info_of(FRONT, t, "front")] for t in times],
        TWIST: [[t, *message_of(twist[t], "base_link")] for t in times],
    }


def changed(message, **values):
    """Return a message with some of its fields replaced."""
    return replace(message, **values)


def stamped_at(row, stamp_ns):
    row[2] = changed(row[2], header=header(stamp_ns, row[2].header.frame_id))


class Checked:
    """The report of a bag, and its sentences by severity and by what they are about."""

    def __init__(self, report):
        self.report = report
        self.figures = {f.topic: f for f in report.figures}

    def said(self, severity=None, about=None):
        return [
            f.text
            for f in self.report.findings
            if severity in (None, f.severity) and about in (None, f.about)
        ]


@pytest.fixture
def checked(tmp_path):
    def write_and_check(topics):
        rows = [(row[0], topic, *row[1:]) for topic, rows in topics.items() for row in rows]
        with BagWriter(tmp_path / "bag") as writer:
            for log_ns, topic, kind, message in sorted(rows, key=lambda row: row[0]):
                writer.write(topic, kind, message, log_ns)
        return Checked(check(tmp_path / "bag", tmp_path / "out"))

    return write_and_check


def test_of_a_sound_bag_there_is_nothing_to_say(checked):
    found = checked(sound())
    assert found.report.findings == ()
    assert [path.name for path in found.report.files] == ["front_lidar.png", "front_radar.png"]
    assert found.report.seconds == 1.0
    assert found.report.placed == {CAMERA: True, LIDAR: True, RADAR: True}
    assert found.report.informed == {CAMERA: True}


def test_figures_by_hand(checked):
    topics = sound()
    for row in topics[CAMERA]:
        row[0] += 30 * MS  # logged 30 ms after the stamp
    figures = checked(topics).figures
    lidar, camera = figures[LIDAR], figures[CAMERA]
    assert (lidar.msgtype, lidar.count) == ("sensor_msgs/msg/PointCloud2", 11)
    assert lidar.rate_hz == pytest.approx(10.0)
    assert (lidar.longest_s, lidar.gaps, lidar.back, lidar.repeated) == (0.1, 0, 0, 0)
    assert (lidar.delay_s, camera.delay_s) == (0.0, pytest.approx(0.03))
    assert lidar.frames == ("lidar",)
    # header of 4, stamp 8, frame_id 4 + 6, padding 2, height, width, step 12, encoding 4 + 6,
    # is_bigendian 1, padding, data 4 + 64 * 48: between 3072 and 3172 bytes
    assert camera.mean_mb == pytest.approx(0.00312, abs=5e-5)
    assert np.isnan(figures[STATIC_TRANSFORMS].rate_hz)


def test_a_gap_is_found_where_it_is(checked):
    topics = sound()
    del topics[LIDAR][3:6]  # nothing between 0.2 and 0.6 s
    found = checked(topics)
    lidar = found.figures[LIDAR]
    assert (lidar.gaps, lidar.longest_s, lidar.longest_at_ns) == (1, 0.4, START_NS + 200 * MS)
    assert lidar.rate_hz == pytest.approx(10.0)
    (text,) = found.said("warning", LIDAR)
    assert "1 interval is longer than 2.5 times the usual 100 ms, the longest 400 ms" in text
    assert "200 ms after the start" in text
    assert found.said("error") == []


@pytest.mark.parametrize(("moved_ms", "gaps"), [(49, 0), (51, 1)])
def test_a_gap_begins_at_two_and_a_half_intervals(checked, moved_ms, gaps):
    topics = sound()
    del topics[LIDAR][5]
    for row in topics[LIDAR][5:]:  # 200 ms between 0.4 and 0.6 s, and what is added
        row[0] += moved_ms * MS
        stamped_at(row, row[0])
    assert checked(topics).figures[LIDAR].gaps == gaps


def test_stamps_out_of_order_are_counted(checked):
    topics = sound()
    stamped_at(topics[LIDAR][5], START_NS + 350 * MS)  # 400, 350, 600
    stamped_at(topics[LIDAR][8], START_NS + 700 * MS)  # 700, 700
    found = checked(topics)
    assert (found.figures[LIDAR].back, found.figures[LIDAR].repeated) == (1, 1)
    assert (
        "of 11 stamps 1 goes back and 1 repeats the one before" in found.said("warning", LIDAR)[0]
    )


def test_stamps_of_zero_are_errors(checked):
    topics = sound()
    for row in topics[LIDAR][2:4]:
        stamped_at(row, 0)
    found = checked(topics)
    assert found.figures[LIDAR].unstamped == 2
    assert found.figures[LIDAR].unread == 0
    (text,) = found.said("error")
    assert "header.stamp is zero in 2 of 11 messages" in text


def test_one_wrong_clock_is_told_from_a_replay(checked, tmp_path):
    topics = sound()
    for row in topics[CAMERA]:
        stamped_at(row, row[0] - 3000 * MS)
    (text,) = checked(topics).said("warning", CAMERA)
    assert "its stamps lie 3 s before the log times; synchronise" in text


def test_a_clock_that_is_ahead(checked):
    topics = sound()
    for row in topics[RADAR]:
        stamped_at(row, row[0] + 51 * MS)
    (text,) = checked(topics).said("warning")
    assert "its stamps lie 51 ms after the log times" in text


def test_a_difference_that_all_share_is_one_warning(checked):
    topics = sound()
    for name in (LIDAR, RADAR, CAMERA, TWIST):
        for row in topics[name]:
            stamped_at(row, row[0] - 2 * 86_400_000 * MS)
    found = checked(topics)
    (text,) = found.said()
    assert "the stamps of all sensors lie 2.0 days before the log times" in text


def test_a_stream_that_never_meets_the_reference(checked):
    topics = sound(period_ms=500)
    for row in topics[CAMERA]:
        row[0] += 200 * MS
        stamped_at(row, row[0])
    found = checked(topics)
    (text,) = found.said("warning", "front")
    assert "0% of its records meet one of lidar within 0.06 s" in text
    assert "farther than 200 ms" in text
    assert (
        "not drawn: no image of front lies within 0.06 s of LiDAR points"
        in found.said(about="front_lidar.png")[0]
    )


def test_a_sensor_that_falls_silent(checked):
    topics = sound(period_ms=500)  # 5 s
    del topics[RADAR][6:]  # the last at 2.5 s
    del topics[CAMERA][:4]  # the first at 2 s
    found = checked(topics)
    assert any("it ends 2.5 s before the bag does" in t for t in found.said("warning", RADAR))
    assert any("it begins 2 s after the bag" in t for t in found.said("warning", CAMERA))
    assert found.said(about=LIDAR) == []


def test_a_frame_id_that_changes(checked):
    topics = sound()
    for row in topics[LIDAR][7:]:
        row[2] = changed(row[2], header=header(row[0], "roof"))
    found = checked(topics)
    (text,) = found.said("warning", "lidar")
    assert "frame_id changes: 'lidar' 7 times, 'roof' 4 times; all are placed as the first" in text
    assert found.figures[LIDAR].frames == ("lidar", "roof")


@pytest.mark.parametrize(("broken", "severity"), [(3, "warning"), (11, "error")])
def test_messages_that_cannot_be_read(checked, broken, severity):
    topics = sound()
    for row in topics[LIDAR][:broken]:
        row[2] = changed(row[2], data=row[2].data[:-1])
    found = checked(topics)
    assert found.figures[LIDAR].unread == broken
    text = found.said(severity, LIDAR)[0]
    assert f"{broken} of 11 messages cannot be used" in text
    assert "PointCloud2 of 4 x 1 points needs 80 bytes, has 79: truncated" in text


def test_bytes_that_are_no_message(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for topic, rows in sound().items():
            for log_ns, kind, message in rows:
                writer.write(topic, kind, message, log_ns)
        connection = writer._connections[INFO]  # no public way writes nonsense
        writer._writer.write(connection, START_NS + 1, b"\0\1\0\0\xff\xff\xff\xff")
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    (text,) = found.said("warning", INFO)
    assert "1 of 12 messages cannot be used" in text
    assert "the bytes are no sensor_msgs/msg/CameraInfo" in text


def test_a_sensor_without_transform(checked):
    topics = sound()
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(radar=np.eye(4), front=OPTICAL)]]
    found = checked(topics)
    (text,) = found.said("error")
    assert text.startswith("no transform to 'base_link' from 'lidar': nothing is known of 'lidar'")
    assert "frames known: base_link, front, radar" in text
    assert found.report.placed == {CAMERA: True, LIDAR: False, RADAR: True}
    (drawn,) = found.said(about="front_lidar.png")
    assert drawn == "not drawn: lidar has no transform into the vehicle's frame"
    assert [path.name for path in found.report.files] == ["front_radar.png"]


def test_no_transform_at_all_is_one_error(checked):
    topics = sound()
    del topics[STATIC_TRANSFORMS]
    (text,) = checked(topics).said("error")
    assert "no transform speaks of 'base_link', so front, lidar, radar cannot be placed" in text
    assert "nothing was recorded of /tf_static" in text


def test_a_frame_that_nobody_names(checked):
    topics = sound()
    for row in topics[RADAR]:
        row[2] = changed(row[2], header=header(row[0], ""))
    (text,) = checked(topics).said("error", "radar")
    assert "header.frame_id is empty); set sensor.radar.frame" in text


def test_a_camera_without_info(checked):
    topics = sound()
    del topics[INFO]
    found = checked(topics)
    (text,) = found.said("error")
    assert "no CameraInfo: looked for a CameraInfo beside its images" in text
    assert found.report.informed == {CAMERA: False}
    assert found.said(about="front_lidar.png") == ["not drawn: front has no calibration yet"]


@pytest.mark.parametrize(
    ("size", "severity", "said"),
    [
        ((32, 24), "warning", "CameraInfo speaks of 32 x 24 pixels, the images have 64 x 48; the"),
        ((64, 36), "error", "64 x 36 pixels, the images have 64 x 48, of another shape"),
    ],
)
def test_info_of_another_size(checked, size, severity, said):
    topics = sound()
    topics[INFO] = [
        [row[0], *info_of(replace(FRONT, size_px=size), row[0], "front")] for row in topics[INFO]
    ]
    found = checked(topics)
    (text,) = found.said(severity, "front")
    assert said in text
    assert len(found.report.errors) == (severity == "error")


def test_info_of_zeros(checked):
    topics = sound()
    for row in topics[INFO]:
        row[2] = changed(row[2], k=np.zeros(9))
    (text,) = checked(topics).said("error", "front")
    assert "focal lengths [0.0, 0.0] px" in text


def test_info_of_another_frame(checked):
    topics = sound()
    for row in topics[INFO]:
        row[2] = changed(row[2], header=header(row[0], "lidar"))
    (text,) = checked(topics).said("warning", "front")
    assert "its images are of the frame 'front', its CameraInfo is of 'lidar'" in text


@pytest.mark.parametrize(
    ("rotation", "said"),
    [
        (np.eye(3), "has the z axis up, but images want an optical frame"),
        (np.diag([1.0, -1, -1]), "has the z axis down"),
        ([[0, 0, 1], [1, 0, 0], [0, 1, 0]], "has the y axis up, so the camera hangs upside down"),
    ],
)
def test_a_camera_whose_axes_are_not_optical(checked, rotation, said):
    topics = sound()
    wrong = compose(np.array(rotation, float), np.array([0.0, 0, 1.5]))
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=wrong)]]
    (text,) = checked(topics).said("warning", "front")
    assert said in text


def test_a_camera_that_looks_back_and_down_is_sound(checked):
    topics = sound()
    tilt = np.radians(40)  # z backwards and 40 degrees down: its z is -0.64
    down, forward = (
        np.array([np.sin(tilt), 0, -np.cos(tilt)]),
        np.array([-np.cos(tilt), 0, -np.sin(tilt)]),
    )
    rotation = np.column_stack([np.cross(down, forward), down, forward])
    back = compose(rotation, np.array([-1.0, 0, 1]))
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=back)]]
    found = checked(topics)
    assert found.said(about="front") == []
    (text,) = found.said("warning")  # all points lie ahead
    assert "no LiDAR points fall into the image of front" in text


@pytest.mark.parametrize(("blank", "severity"), [(2, "warning"), (11, "error")])
def test_scans_of_nothing_but_nan(checked, blank, severity):
    topics = sound()
    for row in topics[LIDAR][:blank]:
        row[1:] = message_of(scan(row[0], [[np.nan] * 3] * 4), "lidar")
    found = checked(topics)
    (text,) = found.said(severity, "lidar")
    wanted = {
        "warning": "2 of 11 scans hold nothing but NaN or infinity",
        "error": "none of 11 scans holds a point that is a number",
    }
    assert wanted[severity] in text


def test_empty_scans(checked):
    topics = sound()
    for row in topics[LIDAR][:3]:
        row[1:] = message_of(scan(row[0], []), "lidar")
    for row in topics[RADAR]:
        row[1:] = message_of(returns(row[0], 0), "radar")
    found = checked(topics)
    assert found.said("warning", "lidar") == ["3 of 11 scans are empty; see its driver"]
    assert found.said("warning", "radar") == ["none of 11 scans holds a return; see its driver"]


def test_clouds_without_fields_are_remarked_upon(checked):
    topics = sound()
    for row in topics[LIDAR]:
        renamed = {"intensity": "weight", "time": "age"}
        fields = [changed(f, name=renamed.get(f.name, f.name)) for f in row[2].fields]
        row[2] = changed(row[2], fields=fields)
    found = checked(topics)
    texts = found.said("remark", "lidar")
    assert [text[: text.index(";")] for text in texts] == [
        "no field for the intensity of points, so it is zero",
        "no field for the time of points, so scans cannot be deskewed",
    ]
    assert "its cloud has age, weight, x, y, z" in texts[0]
    assert len(found.report.findings) == 2


def test_times_that_fit_no_unit(checked):
    topics = sound()
    for row in topics[LIDAR]:
        whole = replace(scan(row[0]), offset_s=np.float32([0, 1e12, 2e12, 3e12]))
        row[1:] = message_of(whole, "lidar")
    (text,) = checked(topics).said()
    assert "the times of its points fit no unit" in text


def test_a_picture_that_is_none(checked):
    topics = sound()
    for row in topics[CAMERA]:
        data = np.frombuffer(b"\xff\xd8\xff\xe0 bytes", np.uint8)
        row[1:] = message_of(CameraImage(stamp_ns=row[0], data=data, encoding="jpeg"), "front")
    topics["/front/image/compressed"] = topics.pop(CAMERA)
    found = checked(topics)
    (text,) = found.said("error")
    assert "its first image: jpeg image of 10 bytes cannot be decoded" in text
    assert found.said(about="front_radar.png") == [
        "not drawn: jpeg image of 10 bytes cannot be decoded"
    ]


def test_kinds_that_lack(checked):
    topics = sound()
    for topic in (LIDAR, RADAR, TWIST):
        del topics[topic]
    found = checked(topics)
    assert found.said("warning") == [
        "neither LiDAR nor radar: nothing measures how far objects are"
    ]
    assert found.said("remark", "the bag") == [
        "no GPS, IMU, odometry or twist: nothing tells how the vehicle moves"
    ]
    assert found.said("remark", "overlays") == ["none: they take a camera and a LiDAR or radar"]


def test_a_bag_without_sensors_of_the_world(checked):
    found = checked({TWIST: sound()[TWIST]})
    (text,) = found.said("error")
    assert "no topic of a camera, LiDAR or radar has a message" in text
    assert found.figures[TWIST].rate_hz == pytest.approx(10.0)


def test_types_that_are_not_known(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for topic, rows in sound().items():
            for log_ns, kind, message in rows:
                writer.write(topic, kind, message, log_ns)
        strange = writer._writer.add_connection(
            "/secret", "acme_msgs/msg/Secret", msgdef="int32 value", rihs01="RIHS01_" + "0" * 64
        )
        for k in range(3):
            writer._writer.write(strange, START_NS + k * 500 * MS, b"\0\1\0\0\1\0\0\0")
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    (text,) = found.said()
    assert text.endswith("not looked into: /secret (acme_msgs/msg/Secret)")
    assert found.figures["/secret"].rate_hz == 2.0


def test_a_sensor_that_said_nothing(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for topic, rows in sound().items():
            for log_ns, kind, message in rows:
                writer.write(topic, kind, message, log_ns)
        for topic, kind in (("/rear/points", "PointCloud2"), ("/speed", "Temperature")):
            writer._writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=typestore())
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    assert found.said() == found.said("warning", "/rear/points")
    assert found.said() == ["no message was recorded; is its sensor on?"]
    assert found.figures["/speed"].count == 0


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_cut_bag_says_so(tmp_path, storage):
    with BagWriter(tmp_path / "bag", storage) as writer:
        writer.write(STATIC_TRANSFORMS, *placed(lidar=np.eye(4)), START_NS)
        for k in range(40):
            cloud = scan(START_NS + k * 100 * MS, np.random.default_rng(k).normal(0, 9, (5000, 3)))
            writer.write(LIDAR, *message_of(cloud, "lidar"), cloud.stamp_ns)
    file = next(p for p in (tmp_path / "bag").iterdir() if p.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    assert 0 < found.figures[LIDAR].count < 25
    texts = found.said("warning", "the bag")
    assert len(texts) == 1
    assert f"{file.name} is cut; read without its index" in texts[0]


def test_no_bag_is_an_error_of_its_own(tmp_path):
    with pytest.raises(RecordingError, match="there is no such file or folder"):
        check(tmp_path / "none", tmp_path / "out")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0421, "42.1 ms"), (-0.2, "-200 ms"), (1.0, "1 s"), (599, "599 s"), (1e6, "11.6 days")],
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text
