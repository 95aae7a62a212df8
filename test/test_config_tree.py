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

"""Settings as mappings, dotted names and files."""

import pytest

from mm_fusion.config import FusionConfig, SensorConfig, SyncConfig, TrackerConfig
from mm_fusion.config_tree import flatten, from_mapping, load_config, nested
from mm_fusion.errors import ConfigError


def test_flat_names_and_back_give_the_same_config():
    config = FusionConfig(
        sensors=(SensorConfig(name="top", kind="lidar", topic="top/points", offset_s=-0.02),)
    )
    flat = flatten(config)
    assert flat["sensors"] == ("top",)
    assert flat["sensor.top.offset_s"] == -0.02
    assert from_mapping(FusionConfig, nested(flat)) == config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected one node, as `/..:` then `ros__parameters:`"),
        ("/**: {foo: 1}", "expected one node"),
        ("a: {ros__parameters: {}}\nb: {ros__parameters: {}}", "expected one node"),
        ("/**: {ros__parameters: 5}", "ros__parameters is 5; it must hold settings by their"),
        ("/**: {ros__parameters: {sync: }}", "sync is None; it must hold settings"),
        ("/**: {ros__parameters: {sensors: lidar}}", "sensors is 'lidar'; give a list of their"),
        ("/**: {ros__parameters: {sensors: [{a: 1}]}}", "sensors holds {'a': 1}; give a list"),
        ("/**: {ros__parameters: {sensors: [a], sensor: 3}}", "sensor is 3; it must hold"),
        ("/**: {ros__parameters: {sensors: [a], sensor: {a: 3}}}", "sensor.a is 3; it must hold"),
        ("/**: [", "is not YAML: while parsing .* line 1, column 7"),
    ],
)
def test_a_malformed_parameter_file_gets_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "vehicle.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence) as raised:
        load_config(path)
    assert "\n" not in str(raised.value)


def test_a_parameter_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "vehicle.yaml"
    path.write_text("/**: {ros__parameters: {tracker: {confirm_hits: 5}}}")
    assert load_config(path) == FusionConfig(tracker=TrackerConfig(confirm_hits=5))


def test_a_missing_parameter_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="none.yaml: No such file"):
        load_config(tmp_path / "none.yaml")


def test_whole_numbers_are_taken_for_floats():
    assert from_mapping(SyncConfig, {"silence_s": 1}).silence_s == 1.0
