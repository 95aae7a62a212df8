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

"""Settings: checked where they are made, spelt once."""

from pathlib import Path

import pytest
import yaml

from mm_fusion.config import FusionConfig, SyncConfig
from mm_fusion.config_tree import flatten, from_mapping, walk
from mm_fusion.errors import ConfigError

ROOT = Path(__file__).parents[1]


def test_the_shipped_yaml_says_what_the_code_says():
    shipped = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
    assert list(shipped) == ["/**"]  # any namespace: another key would be ignored in silence
    parameters = shipped["/**"]["ros__parameters"]
    assert from_mapping(FusionConfig, parameters) == FusionConfig()
    assert set(flatten(FusionConfig())) == set(_dotted(parameters))


def test_the_shipped_yaml_explains_each_setting_as_the_code_does():
    lines = (ROOT / "config" / "default.yaml").read_text().splitlines()
    for name, field in walk():
        *_, leaf = name.split(".")
        said = [line for line in lines if line.strip().startswith(f"{leaf}: ")]
        assert any(f"  # {field.metadata['meaning']}" in line for line in said), name


def _dotted(tree, path=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{path}{key}.")
        else:
            yield path + key


def test_every_setting_has_a_meaning_and_a_default_in_its_range():
    for name, field in walk():
        assert len(field.metadata["meaning"]) > 10, name
    assert FusionConfig().sync == SyncConfig()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sync": {"tolerence_s": 0.1}}, "unknown setting sync.tolerence_s; known here: reference"),
        ({"sync": {"tolerance_s": 9.0}}, r"sync.tolerance_s is 9; it must lie in \[0.001, 2\]"),
        ({"sync": {"tolerance_s": float("nan")}}, "sync.tolerance_s is nan; it must lie"),
        ({"sync": {"tolerance_s": "0.1"}}, "sync.tolerance_s is '0.1'; it must be of type float"),
        ({"sync": {"tolerance_s": 1.5, "buffer_s": 1.0}}, "exceeds sync.buffer_s 1"),
        ({"sync": {"reference_priority": ["gps"]}}, "is 'gps'; choose from camera, lidar, radar"),
        ({"sync": {"reference_priority": ["lidar", "lidar"]}}, "name each kind once"),
        ({"geometric": {"min_points": 0}}, "min_points is 0; it must lie in"),
        ({"geometric": {"min_points": 2.5}}, "min_points is 2.5; it must be of type int"),
        ({"detector": "magic"}, "detector is 'magic'; choose from"),
        ({"sensors": ["a", "a"], "sensor": {"a": {"topic": "x"}}}, "'a' is named twice"),
        (
            {"sensors": ["a", "b"], "sensor": {"a": {"topic": "x"}, "b": {"topic": "x"}}},
            "topic 'x' is given to two sensors",
        ),
        ({"sensors": ["a"], "sensor": {"b": {"topic": "x"}}}, "sensor.b is described but not list"),
        ({"sensors": ["a b"], "sensor": {}}, "use letters, digits and underscores"),
        ({"sensors": ["a"], "sensor": {"a": {"kind": "sonar"}}}, "is 'sonar'; choose from camera"),
        ({"sensors": ["g"], "sensor": {"g": {"kind": "gps"}}}, "at least one camera, lidar or"),
    ],
)
def test_a_bad_setting_gets_its_sentence(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        from_mapping(FusionConfig, values)


def test_a_sensor_is_found_by_its_name_and_a_stranger_is_not():
    config = FusionConfig()
    assert config.sensor("front").kind == "camera"
    with pytest.raises(ConfigError, match="no sensor is named 'rear'; known: .*'lidar'"):
        config.sensor("rear")
