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

"""Reads the YAML files a user writes: parameters, calibrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mm_fusion.errors import FusionError


def read_yaml(path: Path, what: str, refusal: type[FusionError]) -> Any:  # noqa: ANN401  # any tree
    """Read a YAML file.

    Args:
        path: the file.
        what: what it is, "parameter file" say; the sentence of the refusal begins with it.
        refusal: raised if the file cannot be read or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise refusal(f"{what} {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())  # it has lines, a sentence has none
        raise refusal(f"{what} {path} is not YAML: {reason}") from error
