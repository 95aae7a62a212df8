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

"""Rerun recordings read back: what is in them, and where."""

import math
import socket

import numpy as np
import pytest

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import ConfigError
from mm_fusion.objects import CLASSES, FusionResult, Objects
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.view.rerun_layout import COUNTS, LATENCIES, OFFSETS, layout
from mm_fusion.view.rerun_scene import RerunScene
from mm_fusion.view.rerun_stream import open_file, open_web, open_window, web_address
from mm_fusion.view.trails import Trails

pytest.importorskip("rerun", reason='Rerun is not there; pip install "mm_fusion[rerun]"')

START_NS = 1_700_000_000_000_000_000
CAR = CLASSES.index("car")
JPEG = b"\xff\xd8\xff\xe0 not a real picture"


def rows(path, entity, column):
    """The values of a column of an entity, by stamp in ns; the last logged of a stamp counts."""
    from rerun.chunk import RrdReader

    found = {}
    for chunk in RrdReader(path).stream():
        if chunk.entity_path != entity or chunk.is_static:
            continue
        batch = chunk.to_record_batch().to_pydict()
        if column in batch:
            stamps = [int(np.datetime64(stamp, "ns").astype(np.int64)) for stamp in batch["stamp"]]
            found |= zip(stamps, batch[column], strict=True)
    return found


def entities(path):
    from rerun.chunk import RrdReader

    return {chunk.entity_path for chunk in RrdReader(path).stream()}


def pose(x, yaw=0.0):
    map_from_ego = np.eye(4)
    map_from_ego[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
    map_from_ego[0, 3] = x
    return map_from_ego


def result(stamp_ns, map_from_ego, tracks, missing=None):
    frame = EgoFrame(
        stamp_ns=stamp_ns,
        points_ego=np.array([[5, 0, -0.3], [6, 0, 3.0], [7, 0, 9.0]], np.float32),
        intensity=np.zeros(3, np.float32),
        radar_ego=np.array([[10, 0, 0], [0, 20, 0]], np.float32),
        radar_ray_ego=np.array([[1, 0, 0], [0, 1, 0]], np.float32),
        radial_speed_mps=np.array([-4.0, 0.1], np.float32),
        rcs_dbsm=np.zeros(2, np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=map_from_ego,
        present=frozenset(),
        present_kinds=frozenset(),
        missing={},
    )
    return FusionResult(
        stamp_ns=stamp_ns,
        reference="lidar",
        frame=frame,
        pose_covariance=np.eye(6),
        detections=Objects.of_boxes([[9, 9, 0, 1, 1, 1, 0], [8, 8, 0, 1, 1, 1, 0]]),
        tracks=tracks,
        odom_from_ego=map_from_ego,
        missing=missing or {},
    )


def car(x, y, **columns):
    given = {
        "ids": np.array([7]),
        "labels": np.array([CAR]),
        "velocities_ego": np.array([[3.0, 4.0]]),
    }
    box = [[x, y, 0.8, 4.0, 2.0, 1.6, math.pi / 2]]
    return Objects.of_boxes(np.array(box), **(given | columns))


CAMERA = Camera(
    name="front",
    image_from_camera=np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]),
    ego_from_camera=np.array([[0.0, 0, 1, 2], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]),
    size_px=(640, 480),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three frames half a second apart: the vehicle drives 10 m, turned left in the last one.

    An image comes with the first frame only, labels with the last one only.
    """
    path = tmp_path_factory.mktemp("rerun") / "drive.rrd"
    scene = RerunScene(open_file(path))
    scene.arrange(layout(["front"], curves=(COUNTS, OFFSETS, LATENCIES)))
    calibration = Calibration(cameras={"front": CAMERA})
    moments = [(pose(0), car(20, 1)), (pose(5), car(17, 1)), (pose(10, math.pi / 2), car(1, -14))]
    for number, (map_from_ego, tracks) in enumerate(moments):
        scene.show(
            result(START_NS + number * 500_000_000, map_from_ego, tracks, {"rear": "silent"}),
            calibration,
            images={"front": JPEG} if number == 0 else {},
            truth=car(20, 1) if number == 2 else None,
            offsets_s={"front": 0.025},
            latencies_s={"detect": 0.013},
        )
    scene.close()
    return path


STAMPS = [START_NS, START_NS + 500_000_000, START_NS + 1_000_000_000]


def test_every_part_of_a_frame_has_its_place(recorded):
    assert entities(recorded) - {"/__properties"} == {
        "/map",
        "/map/ego",
        "/map/ego/cameras/front",
        "/map/ego/cameras/front/image",
        "/map/ego/detections",
        "/map/ego/lidar",
        "/map/ego/radar",
        "/map/ego/radar/range_rates",
        "/map/ego/tracks",
        "/map/ego/truth",
        "/map/ego/vehicle",
        "/map/ego/velocities",
        "/map/trails",
        "/map/trajectory",
        "/plots/counts/detections",
        "/plots/counts/tracks",
        "/plots/latencies_ms/detect",
        "/plots/offsets_ms/front",
        "/remarks",
    }


def test_a_row_stands_at_each_frames_stamp(recorded):
    for entity, column in (
        ("/map/ego/lidar", "Points3D:positions"),
        ("/map/ego/truth", "Boxes3D:centers"),
        ("/map/ego", "Transform3D:translation"),
        ("/plots/counts/tracks", "Scalars:scalars"),
    ):
        assert sorted(rows(recorded, entity, column)) == STAMPS


def test_a_track_is_a_box_in_the_vehicles_frame(recorded):
    centers = rows(recorded, "/map/ego/tracks", "Boxes3D:centers")
    assert [centers[stamp] for stamp in STAMPS] == [
        [pytest.approx([20, 1, 0.8])],
        [pytest.approx([17, 1, 0.8])],
        [pytest.approx([1, -14, 0.8])],
    ]
    halves = rows(recorded, "/map/ego/tracks", "Boxes3D:half_sizes")
    assert halves[START_NS] == [pytest.approx([2, 1, 0.8])]  # of 4 x 2 x 1.6 m
    turns = rows(recorded, "/map/ego/tracks", "Boxes3D:quaternions")
    half = math.sqrt(0.5)  # a quarter turn about z: sin and cos of 45 degrees
    assert turns[START_NS] == [pytest.approx([0, 0, half, half])]


def test_a_label_says_class_id_and_speed(recorded):
    labels = rows(recorded, "/map/ego/tracks", "Boxes3D:labels")
    assert labels[START_NS] == ["car #7 5 m/s"]  # 3 and 4 m/s


def test_a_velocity_is_an_arrow_of_a_seconds_way(recorded):
    vectors = rows(recorded, "/map/ego/velocities", "Arrows3D:vectors")
    assert vectors[START_NS] == [pytest.approx([3, 4, 0])]


def test_a_trail_lies_on_the_map(recorded):
    strips = rows(recorded, "/map/trails", "LineStrips3D:strips")
    assert strips[STAMPS[0]] == []  # one point is no line
    # 0 + 20, 5 + 17; then, facing left at x = 10, a point 1 m ahead and 14 m to the right: (24, 1)
    expected = [[20, 1, 0.8], [22, 1, 0.8], [24, 1, 0.8]]
    assert strips[STAMPS[2]] == [[pytest.approx(point, abs=1e-5) for point in expected]]


def test_the_vehicles_way_is_a_line(recorded):
    strips = rows(recorded, "/map/trajectory", "LineStrips3D:strips")
    assert strips[STAMPS[2]] == [[[0, 0, 0], [5, 0, 0], [10, 0, 0]]]


def test_only_returns_that_move_have_an_arrow(recorded):
    rates = rows(recorded, "/map/ego/radar/range_rates", "Arrows3D:vectors")
    assert rates[START_NS] == [pytest.approx([-4, 0, 0])]
    assert len(rows(recorded, "/map/ego/radar", "Points3D:positions")[START_NS]) == 2


def test_an_image_stays_the_file_it_was_and_goes_when_there_is_none(recorded):
    blobs = rows(recorded, "/map/ego/cameras/front/image", "EncodedImage:blob")
    assert [bytes(blob) for blob in blobs[START_NS]] == [JPEG]
    cleared = rows(recorded, "/map/ego/cameras/front/image", "Clear:is_recursive")
    assert cleared[STAMPS[1]] == [False]


def test_the_camera_stands_where_the_calibration_says(recorded):
    places = rows(recorded, "/map/ego/cameras/front", "Transform3D:translation")
    assert places[START_NS] == [pytest.approx([2, 0, 1.5])]


def test_truth_that_a_frame_lacks_is_cleared(recorded):
    centers = rows(recorded, "/map/ego/truth", "Boxes3D:centers")
    assert [len(centers[stamp]) for stamp in STAMPS] == [0, 0, 1]


def test_curves_are_in_milliseconds_and_counts(recorded):
    curves = {"offsets_ms/front": 25.0, "latencies_ms/detect": 13.0, "counts/detections": 2.0}
    for name, value in curves.items():
        assert rows(recorded, f"/plots/{name}", "Scalars:scalars")[START_NS] == [
            pytest.approx(value)
        ]


def test_what_is_missing_is_said(recorded):
    text = rows(recorded, "/remarks", "TextDocument:text")[START_NS]
    assert text == ["- **rear** missing: silent"]


def test_the_recording_brings_its_arrangement(recorded):
    from rerun.chunk import RrdReader

    assert len(RrdReader(recorded).blueprints()) == 1


def test_small_stamps_are_times_since_the_start_not_dates(tmp_path):
    from rerun.chunk import RrdReader

    scene = RerunScene(open_file(tmp_path / "simulated.rrd"))
    scene.set_stamp(1_500_000_000)  # 1.5 s
    scene.show_pose(np.eye(4))
    scene.close()
    (chunk,) = (
        c for c in RrdReader(tmp_path / "simulated.rrd").stream() if c.entity_path == "/map/ego"
    )
    stamps = chunk.to_record_batch().column("stamp")
    assert str(stamps.type) == "duration[ns]"
    assert stamps[0].value == 1_500_000_000


def test_a_trail_forgets_what_is_older_than_three_seconds():
    trails = Trails(3.0)
    for second in range(6):
        trails.add(second * 10**9, np.array([4]), np.array([[second, 0.0, 0.0]]))
    assert trails.strips()[4][:, 0].tolist() == [2, 3, 4, 5]


def test_a_lost_tracks_trail_fades_and_what_has_no_id_has_none():
    trails = Trails(3.0)
    trails.add(0, np.array([4, -1]), np.zeros((2, 3)))
    trails.add(10**9, np.array([4, -1]), np.ones((2, 3)))
    nobody = np.zeros(0, np.int64)
    trails.add(2 * 10**9, nobody, np.zeros((0, 3)))
    assert list(trails.strips()) == [4]
    trails.add(4 * 10**9, nobody, np.zeros((0, 3)))
    assert trails.strips() == {}  # of its two points one is left


def test_a_clock_that_jumps_back_begins_new_trails():
    trails = Trails(3.0)
    for stamp_ns in (5 * 10**9, 6 * 10**9, 10**9):
        trails.add(stamp_ns, np.array([4]), np.zeros((1, 3)))
    assert trails.strips() == {}


def test_the_browsers_address_names_the_stream():
    address = web_address("rerun+http://127.0.0.1:9876/proxy", 9090)
    assert address == "http://localhost:9090/?url=rerun%2Bhttp%3A%2F%2F127.0.0.1%3A9876%2Fproxy"


def test_without_a_display_no_window_is_tried(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ConfigError, match="no display to open Rerun's window on; use --web or"):
        open_window()


def test_a_taken_port_is_named_before_anything_is_served():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"the web view needs the ports {taken} and 0: "):
            open_web(grpc_port=taken, web_port=0)
