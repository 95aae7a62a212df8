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

"""What is wrong with a bag: sentences that say what, which value and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

ERROR, WARNING, REMARK = "error", "warning", "remark"
SEVERITIES = (ERROR, WARNING, REMARK)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a user should know."""

    severity: str  # one of SEVERITIES; an error keeps the bag, or a sensor of it, from being fused
    about: str  # the topic, the sensor or the file
    text: str


error = partial(Finding, ERROR)
warning = partial(Finding, WARNING)
remark = partial(Finding, REMARK)


def duration(seconds: float) -> str:
    """Spell a time in the unit that makes it readable, with its sign."""
    for limit, unit_s, unit in ((1, 0.001, "ms"), (600, 1, "s"), (86_400, 60, "min")):
        if abs(seconds) < limit:
            return f"{seconds / unit_s:.4g} {unit}"
    return f"{seconds / 86_400:.1f} days"
