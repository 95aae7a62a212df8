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

"""One setting: its type, its range, its choices, each with a sentence."""

from dataclasses import FrozenInstanceError, dataclass, fields

import pytest

from mm_fusion.errors import ConfigError
from mm_fusion.settings import Checked, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OvenConfig(Checked):
    """Settings of an oven."""

    heat_k: float = setting(450.0, "temperature", low=300, high=550)
    trays: int = setting(2, "how many", low=1)
    cooling_k: float = setting(-5.0, "per minute", high=0)
    fan: bool = setting(False, "air moves", live=True)
    modes: tuple[str, ...] = setting(("top",), "heaters", choices=("top", "bottom"))


@pytest.mark.parametrize("heat", [300.0, 550.0])
def test_the_ends_of_a_range_belong_to_it(heat):
    assert OvenConfig(heat_k=heat).heat_k == heat


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"heat_k": 299.9}, r"oven.heat_k is 299.9; it must lie in \[300, 550\]"),
        ({"heat_k": float("inf")}, r"oven.heat_k is inf; it must lie in \[300, 550\]"),
        ({"trays": 0}, "oven.trays is 0; it must be at least 1"),
        ({"cooling_k": 0.5}, "oven.cooling_k is 0.5; it must be at most 0"),
        ({"trays": 2.0}, "oven.trays is 2.0; it must be of type int"),
        ({"trays": True}, "oven.trays is True; it must be of type int"),
        ({"fan": 1}, "oven.fan is 1; it must be of type bool"),
        ({"heat_k": None}, "oven.heat_k is None; it must be of type float"),
        ({"modes": ("top", "grill")}, "oven.modes is 'grill'; choose from top, bottom"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        OvenConfig(**values)


def test_not_a_number_is_in_no_range():
    with pytest.raises(ConfigError, match="heat_k is nan"):
        OvenConfig(heat_k=float("nan"))


def test_no_choice_at_all_is_allowed_where_several_may_be_made():
    assert OvenConfig(modes=()).modes == ()


def test_a_setting_keeps_its_meaning_and_whether_it_may_change_live():
    known = {f.name: f.metadata for f in fields(OvenConfig)}
    assert known["heat_k"]["meaning"] == "temperature"
    assert [name for name, data in known.items() if data["live"]] == ["fan"]


def test_settings_do_not_change_once_made():
    with pytest.raises(FrozenInstanceError):
        OvenConfig().trays = 3
