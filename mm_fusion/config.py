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

"""Every setting of the package, once: its name, unit, default, range and meaning.

ROS parameters, `config/default.yaml` and the command line derive from the dataclasses here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from mm_fusion.errors import ConfigError
from mm_fusion.records import FRAMED_KINDS, KINDS
from mm_fusion.settings import Checked, check_value, require, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorConfig(Checked):
    """One sensor: where its messages come from and how they are matched."""

    name: str = setting("", "name of the stream")
    kind: str = setting("lidar", "what it is", choices=KINDS)
    topic: str = setting("", "topic of its messages; relative names live in the node's namespace")
    info_topic: str = setting(
        "", "CameraInfo topic; empty: beside the image topic, as image_transport does"
    )
    frame: str = setting("", "frame of its data; empty: the message header's frame_id")
    tolerance_s: float = setting(
        0.0, "farthest a record may lie from the frame's stamp; 0: sync.tolerance_s", low=0, high=5
    )
    offset_s: float = setting(
        0.0, "taken from every stamp of this sensor, for a clock known to be off", low=-10, high=10
    )
    required: bool = setting(False, "publish no frame without it")
    spin_period_s: float = setting(
        0.0,
        "lidar that tells no time per point: seconds of a turn, negative if clockwise from above, "
        "by which azimuths become times; 0: none",
        low=-1,
        high=1,
    )
    spin_azimuth_rad: float = setting(
        0.0, "lidar: where it looks at its stamp, in its own frame", low=-3.1416, high=3.1416
    )
    spin_stamp: str = setting(
        "middle",
        "lidar: the moment of a turn it is stamped with",
        choices=("start", "middle", "end"),
    )
    range_rate_sign: float = setting(
        1.0, "radar: +1 if positive range rates move away, -1 if they close", low=-1, high=1
    )
    range_rate_period_mps: float = setting(
        0.0, "radar: width of the interval range rates are folded into; 0: none", low=0, high=200
    )

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        require(
            bool(self.name) and self.name.replace("_", "a").isalnum(),
            f"sensor name {self.name!r}: use letters, digits and underscores",
        )
        require(
            abs(self.range_rate_sign) == 1,
            f"sensor.{self.name}.range_rate_sign is {self.range_rate_sign:g}; give 1 or -1",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfig(Checked):
    """How records are gathered into one frame, all in stream time (the stamps')."""

    reference_priority: tuple[str, ...] = setting(
        ("lidar", "radar", "camera"),
        "kinds in the order in which a live stream becomes the reference",
        choices=FRAMED_KINDS,
    )
    tolerance_s: float = setting(
        0.06, "farthest a record may lie from the reference stamp", low=0.001, high=2, live=True
    )
    deadline_s: float = setting(
        0.12, "longest a reference record waits for the others", low=0.001, high=5, live=True
    )
    silence_s: float = setting(
        0.5, "a stream without a record for this long is not alive", low=0.05, high=10, live=True
    )
    buffer_s: float = setting(2.0, "records older than this are forgotten", low=0.1, high=30)
    clock_jump_s: float = setting(
        1.0, "stamps that fall back by more than this are a reset, not a late record", low=0.1
    )

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        require(
            self.tolerance_s <= self.buffer_s,
            f"sync.tolerance_s {self.tolerance_s:g} exceeds sync.buffer_s {self.buffer_s:g}; "
            "records would be forgotten before they can match",
        )
        require(
            len(set(self.reference_priority)) == len(self.reference_priority) > 0,
            "sync.reference_priority: name each kind once",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizerConfig(Checked):
    """Noise of the error-state Kalman filter that follows the vehicle's pose."""

    accelerometer_std_mps2: float = setting(0.5, "white noise of the accelerometer", low=1e-4)
    gyroscope_std_radps: float = setting(0.01, "white noise of the gyroscope", low=1e-6)
    gyroscope_bias_std_radps: float = setting(1e-4, "random walk of its bias, per sqrt(s)", low=0)
    accelerometer_bias_std_mps2: float = setting(
        1e-3, "random walk of the accelerometer's bias, per sqrt(s)", low=0
    )
    acceleration_std_mps2: float = setting(
        2.0, "how hard the vehicle may accelerate where no IMU says it", low=0.01
    )
    turn_std_radps2: float = setting(
        0.5, "how hard the turn rate may change where no gyroscope says it", low=0.001
    )
    gps_std_m: float = setting(2.0, "of a fix that states no covariance", low=0.01)
    gps_gate: float = setting(
        16.0, "chi-square above which a fix is a jump and is rejected", low=1, live=True
    )
    heading_speed_mps: float = setting(
        1.5, "speed from which the direction of motion gives the heading", low=0.1
    )
    slip_std_mps: float = setting(
        0.2, "sideways and upward speed of a vehicle on wheels; 0: it may move so", low=0
    )
    orientation_std_rad: float = setting(0.1, "of the heading an IMU gives by itself", low=1e-4)
    history_s: float = setting(2.0, "how long past poses are kept for older stamps", low=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricConfig(Checked):
    """The training-free detector: ground, clusters, boxes, radar."""

    range_m: float = setting(80.0, "points farther than this are ignored", low=5, high=300)
    vehicle_length_m: float = setting(
        3.0, "points closer than half of this ahead and behind are the vehicle itself", low=0
    )
    vehicle_width_m: float = setting(2.0, "the same to the sides", low=0)
    ground_cell_m: float = setting(1.0, "cell of the ground estimate", low=0.1, high=5)
    ground_slope: float = setting(
        0.15, "steepest ground, rise over run", low=0.01, high=1, live=True
    )
    ground_bend: float = setting(
        0.04, "how far the ground may leave its plane, per metre of range", low=0, high=0.5
    )
    ground_margin_m: float = setting(
        0.25, "points this close above the ground belong to it", low=0.02, high=1, live=True
    )
    ceiling_m: float = setting(
        3.5, "points higher than this above the ground hit nothing", low=1, high=10, live=True
    )
    voxel_m: float = setting(0.25, "edge of a clustering cell", low=0.05, high=2)
    link_m: float = setting(
        0.55, "cells closer than this are one cluster at short range", low=0.1, high=5, live=True
    )
    link_growth: float = setting(
        0.012, "growth of link_m per metre of range, as beams spread", low=0, high=0.1, live=True
    )
    min_points: int = setting(4, "fewest points of a cluster", low=1, high=1000, live=True)
    max_extent_m: float = setting(
        14.0, "clusters longer than this are walls or hedges, not road users", low=2, live=True
    )
    scenery: bool = setting(
        False,
        "also publish what goes on above the highest beam or the ceiling: walls, poles, trees",
        live=True,
    )
    score_threshold: float = setting(
        0.1, "objects below this score are not published", low=0, high=1, live=True
    )
    radar_link_m: float = setting(2.5, "how far around a place radar returns are counted", low=0.1)
    radar_min_worth: int = setting(2, "least worth, in returns, of a box only radar sees", low=1)
    radar_moving_mps: float = setting(
        1.0, "radial speed over ground from which a return moves", low=0.1, live=True
    )


LATE_HEADS = (
    "lidar",
    "radar",
    "geometric",
    "learned",
    "learned_camera",
    "learned_lidar",
    "learned_radar",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateConfig(Checked):
    """Late fusion: several detectors, each with its own sensors, and one answer."""

    heads: tuple[str, ...] = setting(
        ("lidar", "radar"),
        "detectors that are asked: training-free ones of one sensor or of all (geometric), "
        "the network with all sensors or with one",
        choices=LATE_HEADS,
    )
    method: str = setting(
        "weighted",
        "how scores are fused: mean of all who could see it, vote of them, or learned weights",
        choices=("weighted", "vote", "stacked"),
    )
    distance_m: float = setting(
        2.0, "centres closer than this may be one object", low=0.1, high=20, live=True
    )
    min_iou: float = setting(
        0.2, "so may footprints that overlap by more than this", low=0.01, high=1, live=True
    )
    votes: int = setting(
        2, "of vote: detectors that must agree, or all that could see it", low=1, live=True
    )
    stacking_file: str = setting("", "of stacked: file of the learned weights")
    score_threshold: float = setting(
        0.05, "objects of a lower fused score are not published", low=0, high=1, live=True
    )

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        require(
            len(set(self.heads)) == len(self.heads) > 0,
            f"late.heads is {list(self.heads)}; name at least one detector, and none twice",
        )
        require(
            self.method != "stacked" or bool(self.stacking_file),
            "late.method is 'stacked' but late.stacking_file is empty; name the file of the "
            "learned weights or choose another method",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedConfig(Checked):
    """The fusion network: which weights, where they run, and what is published of what they say."""

    checkpoint: str = setting(
        "",
        "file of the weights, as training writes it, or the name of the package's own: astyx",
        live=True,
    )
    device: str = setting(
        "auto", "where it runs; auto: the GPU where there is one", choices=("auto", "cpu", "cuda")
    )
    backend: str = setting(
        "auto",
        "what computes it on the CPU; auto: OpenVINO where it is installed, else torch itself",
        choices=("auto", "eager", "compile", "onnx", "openvino"),
    )
    score_threshold: float = setting(
        0.1, "objects below this score are not published", low=0, high=1, live=True
    )
    overlap: float = setting(
        0.2,
        "of two objects whose footprints share more than this only the better is published",
        low=0,
        high=1,
        live=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig(Checked):
    """Association and life of tracks."""

    acceleration_std_mps2: float = setting(3.0, "process noise of the motion model", low=0.01)
    turn_std_radps: float = setting(
        0.2, "turn rates that vehicles have; 0: they go straight on", low=0, high=3
    )
    gate: float = setting(
        13.8, "squared Mahalanobis distance beyond which nothing is associated", low=1, live=True
    )
    reach_m: float = setting(
        4.0, "distance beyond which nothing seen a moment ago is associated", low=0.1, live=True
    )
    confirm_hits: int = setting(2, "detections before a track is published", low=1, live=True)
    confirm_existence: float = setting(
        0.9, "probability of existence before a track is published", low=0, high=1, live=True
    )
    end_existence: float = setting(
        0.03, "a track of less probable existence ends", low=0, high=1, live=True
    )
    birth_score: float = setting(
        0.15, "weaker detections continue tracks but begin none", low=0, high=1, live=True
    )
    lifetime_s: float = setting(
        1.0, "a track looked for in vain for this long ends", low=0.05, high=30, live=True
    )
    coast_s: float = setting(
        1.0, "one looked for in vain for this long is not published", low=0, high=30, live=True
    )
    hidden_s: float = setting(
        5.0, "a track that nothing could see for this long ends", low=0.05, high=60, live=True
    )
    history_s: float = setting(
        0.5, "a frame this late still takes its place among the newer ones", low=0, high=5
    )
    birth_speed_std_mps: float = setting(
        10.0, "how fast a new track may be where nothing measured its velocity", low=0.1, live=True
    )
    size_cost: float = setting(
        2.0, "added to the squared distance for each e-fold between two sizes", low=0, live=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig(Checked):
    """What the node publishes besides objects."""

    markers: bool = setting(True, "publish ~/markers for RViz", live=True)
    overlay: bool = setting(
        True, "publish ~/overlay/<camera>/compressed while somebody subscribes", live=True
    )
    overlay_width_px: int = setting(960, "width of an overlay", low=64, high=4096, live=True)
    tf: bool = setting(True, "broadcast map -> base_link")
    rate_hz: float = setting(
        0.0,
        "publish ~/objects and ~/tracks this often, by prediction; 0: with each frame",
        low=0,
        high=100,
    )
    compensate_latency: bool = setting(
        False, "predict ~/objects and ~/tracks to the moment they are published"
    )
    prediction_s: float = setting(
        3.0, "publish ~/predicted_objects, paths this long; 0: none", low=0, high=20, live=True
    )
    prediction_step_s: float = setting(0.5, "between two poses of a path", low=0.05, high=5)
    diagnostics_period_s: float = setting(0.5, "between two /diagnostics", low=0.05, high=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """The whole tree, as config/default.yaml spells it."""

    base_frame: str = setting("base_link", "the vehicle's frame (REP-105)")
    map_frame: str = setting("map", "the fixed frame (REP-105): east, north, up at the first fix")
    calibration_file: str = setting(
        "", "extrinsics and intrinsics; empty: from /tf_static, /tf and CameraInfo"
    )
    detector: str = setting(
        "auto",
        "which detector runs; guarded: the learned one, and nameless what else stands there; "
        "auto: guarded where weights are named, else geometric",
        choices=("auto", "geometric", "learned", "guarded", "late"),
        live=True,
    )
    sensors: tuple[SensorConfig, ...] = (
        SensorConfig(name="lidar", kind="lidar", topic="lidar/points"),
        SensorConfig(name="front", kind="camera", topic="front/image/compressed"),
        SensorConfig(name="radar", kind="radar", topic="radar/points"),
        SensorConfig(name="gps", kind="gps", topic="gps/fix"),
        SensorConfig(name="imu", kind="imu", topic="imu"),
        SensorConfig(name="twist", kind="twist", topic="twist"),
    )
    sync: SyncConfig = field(default_factory=SyncConfig)
    localizer: LocalizerConfig = field(default_factory=LocalizerConfig)
    geometric: GeometricConfig = field(default_factory=GeometricConfig)
    learned: LearnedConfig = field(default_factory=LearnedConfig)
    late: LateConfig = field(default_factory=LateConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.metadata:
                check_value("", f, getattr(self, f.name))
        names = [s.name for s in self.sensors]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ConfigError(f"sensor {twice[0]!r} is named twice; give each its own name")
        topics = [s.topic for s in self.sensors]
        if shared := sorted({t for t in topics if topics.count(t) > 1}):
            raise ConfigError(f"topic {shared[0]!r} is given to two sensors; give each its own")
        require(
            any(s.kind in FRAMED_KINDS for s in self.sensors),
            "sensors: at least one camera, lidar or radar is needed",
        )

    def sensor(self, name: str) -> SensorConfig:
        """Return the sensor of that name."""
        if found := [sensor for sensor in self.sensors if sensor.name == name]:
            return found[0]
        raise ConfigError(f"no sensor is named {name!r}; known: {[s.name for s in self.sensors]}")
