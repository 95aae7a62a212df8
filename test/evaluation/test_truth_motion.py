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

"""Velocities of labels from their ways, with numbers worked by hand."""

import numpy as np
from numpy.testing import assert_allclose

from mm_fusion.evaluation.truth_motion import with_velocities
from mm_fusion.objects import UNTRACKED, Objects, Truth
from mm_fusion.records import EgoMotion

MS = 1_000_000


def truth(*rows):
    """Rows of id, x, y."""
    boxes = np.zeros((len(rows), 7))
    boxes[:, :2] = [row[1:] for row in rows]
    ids = np.array([row[0] for row in rows], np.int64)
    return Truth(objects=Objects.of_boxes(boxes, ids=ids), occlusion=np.zeros(len(rows), np.int64))


def motion(speed_mps=0.0, turn_radps=0.0, *, known=True):
    return EgoMotion(
        linear_ego=np.array([speed_mps, 0, 0]),
        angular_ego=np.array([0, 0, turn_radps]),
        known=known,
    )


def velocities(truths, motions):
    filled = with_velocities(truths, motions)
    return {stamp: one.objects.velocities_ego for stamp, one in filled.items()}


def test_what_stands_still_is_told_so_from_a_vehicle_that_drives_and_turns():
    # at (10, 4) seen from 10 m/s ahead and 0.5 rad/s to the left: it comes at (-8, -5) m/s
    places = {k * 100 * MS: truth((5, 10 - 0.8 * k, 4 - 0.5 * k)) for k in (-1, 0, 1)}
    told = velocities(places, {0: motion(10.0, 0.5)})
    assert_allclose(told[0], [[0, 0]], atol=1e-9)
    assert np.isnan(told[100 * MS]).all()  # how the vehicle moved there is not known


def test_the_first_and_the_last_have_one_neighbour():
    places = {0: truth((5, 10, 0)), 100 * MS: truth((5, 11, 0)), 200 * MS: truth((5, 12.4, 0))}
    told = velocities(places, dict.fromkeys(places, motion(2.0)))
    assert_allclose([told[s][0, 0] for s in places], [12, 14, 16])


def test_gaps_unknown_ids_and_unknown_motion_tell_nothing():
    places = {0: truth((5, 0, 0), (UNTRACKED, 3, 0)), 400 * MS: truth((5, 1, 0), (UNTRACKED, 4, 0))}
    assert np.isnan(velocities(places, dict.fromkeys(places, motion()))[0]).all()
    near = {0: places[0], 100 * MS: places[400 * MS]}
    assert np.isnan(velocities(near, dict.fromkeys(near, motion(known=False)))[0]).all()
    told = velocities(near, dict.fromkeys(near, motion()))[0]
    assert_allclose(told[0], [10, 0])
    assert np.isnan(told[1]).all()
