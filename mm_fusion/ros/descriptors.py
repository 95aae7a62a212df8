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

"""What ROS is told of a setting: meaning, unit and range, all from `config.py`."""

from __future__ import annotations

import math
from dataclasses import Field
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

UNITS = {
    "_mps2": "m/s^2",
    "_radps2": "rad/s^2",
    "_radps": "rad/s",
    "_mps": "m/s",
    "_rad": "rad",
    "_dbsm": "dB m^2",
    "_hz": "Hz",
    "_px": "px",
    "_s": "s",
    "_m": "m",
}


def described(name: str, field: Field[Any]) -> ParameterDescriptor:
    """Return the descriptor of a setting.

    Ranges open on one side are put into words, as ROS cannot hold them.
    """
    descriptor = _constraints(field)
    unit = next((u for suffix, u in UNITS.items() if name.endswith(suffix)), "")
    descriptor.description = field.metadata["meaning"] + (f" [{unit}]" if unit else "")
    return descriptor


def admits(descriptor: ParameterDescriptor, value: Any) -> bool:  # noqa: ANN401  # any parameter's
    """Tell whether a number lies in the descriptor's ranges."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    ranges = (*descriptor.floating_point_range, *descriptor.integer_range)
    return all(r.from_value <= value <= r.to_value for r in ranges)


def _constraints(field: Field[Any]) -> ParameterDescriptor:
    low, high, choices, live = (field.metadata[k] for k in ("low", "high", "choices", "live"))
    descriptor = ParameterDescriptor()
    words = ["may change at any time" if live else "read when the node is configured"]
    if choices:
        words.append(f"one of {', '.join(choices)}")
    bounded = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    if bounded and isinstance(field.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    elif bounded:
        ends = FloatingPointRange(from_value=float(low), to_value=float(high))
        descriptor.floating_point_range = [ends]
    elif low is not None:
        words.append(f"at least {low:g}")
    elif high is not None:
        words.append(f"at most {high:g}")
    descriptor.additional_constraints = "; ".join(words)
    return descriptor
