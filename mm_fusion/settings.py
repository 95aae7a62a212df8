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

"""What one setting is: a checked dataclass field with a meaning, a range and choices."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from mm_fusion.errors import ConfigError


def setting(
    default: Any,  # noqa: ANN401  # any plain value
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:  # noqa: ANN401  # what dataclasses.field gives
    """Describe one setting; `live` ones may change while the node is active."""
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": choices, "live": live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A group of settings that checks the type and the range of each."""

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.metadata:
                check_value(type(self).__name__, f, getattr(self, f.name))


def check_value(group: str, f: Field[Any], value: Any) -> None:  # noqa: ANN401
    """Raise `ConfigError` unless the value has the field's type and lies in its range."""
    name = f"{group.removesuffix('Config').lower()}.{f.name}" if group else f.name
    wanted = type(f.default) if f.default is not MISSING else type(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigError(f"{name} is {value!r}; it must be of type {wanted.__name__}")
    low, high, choices = (f.metadata[key] for key in ("low", "high", "choices"))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        above = low is None or value >= low
        below = high is None or value <= high
        require(above and below, f"{name} is {value:g}; {_range_text(low, high)}")
    for item in (value if isinstance(value, tuple) else (value,)) if choices else ():
        require(item in choices, f"{name} is {item!r}; choose from {', '.join(choices)}")


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return f"it must be at most {high:g}"
    if high is None:
        return f"it must be at least {low:g}"
    return f"it must lie in [{low:g}, {high:g}]"


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError` with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)
