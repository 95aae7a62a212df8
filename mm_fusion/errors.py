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

"""The error family: what a user can mend, said in one sentence."""

from __future__ import annotations


class FusionError(Exception):
    """Something the user can mend; its text says what, which value and what to do."""


class ConfigError(FusionError):
    """A setting is unknown, of the wrong type or out of its range."""


class ShapeError(FusionError):
    """An array does not have the shape its record promises."""


class CalibrationError(FusionError):
    """Extrinsics or intrinsics are missing, malformed or not rigid."""


class MessageError(FusionError):
    """A message cannot be turned into a record; the message is dropped and counted."""


class RecordingError(FusionError):
    """A recording is missing, truncated or not of a known layout."""


class RecordingWarning(UserWarning):
    """A part of a recording was skipped; the text names the file and the reason."""


class CheckpointError(FusionError):
    """Weights are missing, damaged or of another network."""
