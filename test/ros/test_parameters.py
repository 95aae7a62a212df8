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


import pytest
import yaml

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from mm_fusion.config import FusionConfig  # noqa: E402
from mm_fusion.config_tree import flatten, walk  # noqa: E402
from mm_fusion.errors import ConfigError  # noqa: E402
from mm_fusion.ros.parameter_files import unmatched_files  # noqa: E402
from mm_fusion.ros.parameters import Parameters  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def make(executor):
    """Make a node with overrides, as a parameter file would give them, and its Parameters."""
    nodes = []

    def make_node(**overrides):
        node = Node(
            "fusion",
            context=executor.context,
            start_parameter_services=False,
            automatically_declare_parameters_from_overrides=True,
            parameter_overrides=[
                Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()
            ],
        )
        nodes.append(node)
        return node, Parameters(node)

    yield make_node
    for node in nodes:
        node.destroy_node()


def set_one(node, name, value):
    (result,) = node.set_parameters([Parameter(name, value=value)])
    return result


def test_without_overrides_the_parameters_are_the_settings(make):
    _, parameters = make()
    assert parameters.config() == FusionConfig()


def test_every_setting_is_a_parameter_with_its_meaning(make):
    node, _ = make()
    for name, field in walk():
        assert node.describe_parameter(name).description.startswith(field.metadata["meaning"])
    for name in flatten(FusionConfig()):
        assert node.has_parameter(name)


def test_a_descriptor_says_unit_and_range(make):
    node, _ = make()
    tolerance = node.describe_parameter("sync.tolerance_s")
    assert tolerance.description.endswith("[s]")
    (ends,) = tolerance.floating_point_range
    assert (ends.from_value, ends.to_value) == (0.001, 2.0)
    (ends,) = node.describe_parameter("geometric.min_points").integer_range
    assert (ends.from_value, ends.to_value) == (1, 1000)
    gate = node.describe_parameter("tracker.gate")
    assert "at least 1" in gate.additional_constraints
    assert not gate.floating_point_range
    kind = node.describe_parameter("sensor.lidar.kind")
    assert "one of camera, lidar, radar" in kind.additional_constraints


def test_overrides_are_read_and_an_integer_stands_for_a_float(make):
    _, parameters = make(sync__tolerance_s=1, sensor__lidar__topic="/velodyne")
    config = parameters.config()
    assert config.sync.tolerance_s == 1.0
    assert config.sensor("lidar").topic == "/velodyne"
    assert config.sensor("front") == FusionConfig().sensor("front")


def test_sensors_are_what_the_list_names(make):
    _, parameters = make(
        sensors=["roof", "rear"],
        sensor__roof__kind="lidar",
        sensor__roof__topic="roof/points",
        sensor__rear__kind="camera",
        sensor__rear__topic="rear/image",
    )
    assert [(s.name, s.kind, s.topic) for s in parameters.config().sensors] == [
        ("roof", "lidar", "roof/points"),
        ("rear", "camera", "rear/image"),
    ]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"sync__tolerance_s": 9.0}, r"sync\.tolerance_s is 9; it must lie in \[0\.001, 2\]"),
        ({"geometric__min_points": 0}, r"geometric\.min_points is 0; .*\[1, 1000\]"),
        ({"tracker__gate": 0.5}, r"tracker\.gate is 0\.5; it must be at least 1"),
        ({"sync__tolerance_s": "often"}, r"sync\.tolerance_s is 'often'; .*float"),
        ({"sync__tolerence_s": 0.1}, r"sync\.tolerence_s; did you mean sync\.tolerance_s\?"),
        ({"sensors": ["lidar", "lidar"]}, r"sensor 'lidar' is named twice"),
        ({"sensors": "lidar"}, r"sensors is 'lidar'; give a list of names"),
        ({"sensors": ["lidar", "rear"]}, r"sensor\.rear\.topic is empty"),
        ({"sensors": ["gps"]}, r"at least one camera, lidar or radar"),
        ({"sensors": ["lidar", "no/way"]}, r"sensor name 'no/way'"),
        ({"sensor__rear__topic": "rear/image"}, r"sensor\.rear is described but not listed"),
        ({"sensor__lidar__kind": "sonar"}, r"kind is 'sonar'; choose from camera, lidar"),
        (
            {"detector": "oracle"},
            r"detector is 'oracle'; choose from auto, geometric, learned, guarded, late",
        ),
    ],
)
def test_a_wrong_setting_gets_its_sentence_when_it_is_read(make, overrides, sentence):
    _, parameters = make(**overrides)
    with pytest.raises(ConfigError, match=sentence):
        parameters.config()


def test_a_wrong_start_can_be_mended_one_step_at_a_time(make):
    node, parameters = make(sync__tolerance_s=9.0, tracker__gate=0.0)
    assert set_one(node, "tracker.gate", 10.0).successful
    assert set_one(node, "sync.tolerance_s", 0.1).successful
    assert parameters.config().tracker.gate == 10.0
    refused = set_one(node, "tracker.gate", 0.0)
    assert not refused.successful
    assert "tracker.gate is 0; it must be at least 1" in refused.reason


def test_settings_that_contradict_each_other_are_refused_together(make):
    node, _ = make()
    refused = set_one(node, "sync.buffer_s", 0.1)
    assert refused.successful  # 0.1 s still holds the tolerance of 0.06 s
    refused = set_one(node, "sync.tolerance_s", 0.5)
    assert not refused.successful
    assert "exceeds sync.buffer_s 0.1" in refused.reason


def test_while_held_live_settings_change_and_others_do_not(make):
    node, parameters = make()
    told = []
    parameters.hold(told.append)
    assert set_one(node, "sync.tolerance_s", 0.02).successful
    assert [config.sync.tolerance_s for config in told] == [0.02]
    refused = set_one(node, "sync.buffer_s", 1.0)
    assert not refused.successful
    assert "sync.buffer_s takes effect when the node is configured" in refused.reason
    assert len(told) == 1
    parameters.release()
    assert set_one(node, "sync.buffer_s", 1.0).successful
    assert len(told) == 1


def test_a_bad_live_value_is_refused_and_nobody_is_told(make):
    node, parameters = make()
    told = []
    parameters.hold(told.append)
    assert not set_one(node, "sync.tolerance_s", 9.0).successful
    assert not set_one(node, "geometric.link_m", float("nan")).successful
    assert not set_one(node, "geometric.min_points", 2.5).successful
    assert told == []
    assert parameters.config() == FusionConfig()


def test_a_detector_is_taken_up_only_with_its_weights(make):
    node, parameters = make()
    told = []
    parameters.hold(told.append)
    refused = set_one(node, "detector", "learned")
    assert "learned.checkpoint is empty" in refused.reason
    refused = set_one(node, "learned.checkpoint", "/nowhere.safetensors")
    assert "/nowhere.safetensors is not there" in refused.reason
    assert told == []
    assert set_one(node, "learned.checkpoint", "astyx").successful
    assert set_one(node, "detector", "learned").successful
    assert [(c.detector, c.learned.checkpoint) for c in told] == [
        ("auto", "astyx"),
        ("learned", "astyx"),
    ]


def test_a_sensor_can_be_added_while_unconfigured(make):
    node, parameters = make()
    assert set_one(node, "sensors", ["lidar", "rear"]).successful
    assert node.has_parameter("sensor.rear.topic")
    with pytest.raises(ConfigError, match=r"sensor\.rear\.topic is empty"):
        parameters.config()
    assert set_one(node, "sensor.rear.topic", "rear/image").successful
    assert set_one(node, "sensor.rear.kind", "camera").successful
    assert [s.name for s in parameters.config().sensors] == ["lidar", "rear"]


@pytest.mark.parametrize(
    ("key", "node", "matched"),
    [
        ("/**", "/veh/fusion", True),
        ("fusion", "/fusion", True),
        ("/fusion", "/fusion", True),
        ("fusion", "/veh/fusion", False),
        ("/veh/fusion", "/veh/fusion", True),
        ("/*/fusion", "/veh/fusion", True),
        ("/**/fusion", "/a/b/fusion", True),
        ("/*", "/veh/fusion", False),
        ("fusionnode", "/fusion", False),
    ],
)
def test_a_file_that_does_not_speak_to_the_node_is_told(tmp_path, key, node, matched):
    file = tmp_path / "vehicle.yaml"
    file.write_text(yaml.safe_dump({key: {"ros__parameters": {"detector": "geometric"}}}))
    told = unmatched_files(["x", "--ros-args", "--params-file", str(file)], node)
    assert len(told) == (0 if matched else 1)
    assert all(str(file) in sentence and "/**:" in sentence for sentence in told)


def test_namespaces_in_a_file_may_be_nested(tmp_path):
    file = tmp_path / "vehicle.yaml"
    file.write_text(yaml.safe_dump({"veh": {"fusion": {"ros__parameters": {"detector": "x"}}}}))
    assert unmatched_files(["--params-file", str(file)], "/veh/fusion") == []
    assert len(unmatched_files(["--params-file", str(file)], "/fusion")) == 1
