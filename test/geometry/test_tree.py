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

"""The way between any two frames, and the sentence where there is none."""

import numpy as np
import pytest

from mm_fusion.errors import CalibrationError
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.geometry.tree import TransformTree

QUARTER_LEFT = rotation_from_rpy(0, 0, np.pi / 2)


def test_walks_up_and_down():
    tree = TransformTree()
    tree.add("base_link", "mast", compose(QUARTER_LEFT, np.array([1.0, 0, 2])))
    tree.add("mast", "lidar", compose(np.eye(3), np.array([0.5, 0, 0])))
    tree.add("base_link", "radar", compose(np.eye(3), np.array([3.0, 0, 0])))
    # 0.5 m ahead of a mast that looks left is 0.5 m to the left
    np.testing.assert_allclose(tree.lookup("base_link", "lidar")[:3, 3], [1, 0.5, 2], atol=1e-12)
    np.testing.assert_allclose(tree.lookup("radar", "lidar")[:3, 3], [-2, 0.5, 2], atol=1e-12)
    there_and_back = tree.lookup("lidar", "radar") @ tree.lookup("radar", "lidar")
    np.testing.assert_allclose(there_and_back, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(tree.lookup("nowhere", "nowhere"), np.eye(4))


def test_the_newest_word_holds():
    tree = TransformTree()
    tree.add("base_link", "lidar", compose(np.eye(3), np.array([1.0, 0, 0])))
    tree.add("base_link", "lidar", compose(np.eye(3), np.array([2.0, 0, 0])))
    assert tree.lookup("base_link", "lidar")[0, 3] == 2.0
    assert "lidar" in tree
    assert "base_link" not in tree


def test_names_what_is_not_known():
    tree = TransformTree()
    with pytest.raises(CalibrationError, match="nothing is known of 'lidar'; frames known: none"):
        tree.lookup("base_link", "lidar")
    tree.add("base_link", "camera", np.eye(4))
    with pytest.raises(CalibrationError, match="'lidar'; frames known: base_link, camera"):
        tree.lookup("base_link", "lidar")


def test_names_the_missing_link():
    tree = TransformTree()
    tree.add("base_link", "camera", np.eye(4))
    tree.add("roof", "lidar", np.eye(4))
    with pytest.raises(CalibrationError, match="'roof', at the root of 'lidar', and 'base_link'"):
        tree.lookup("camera", "lidar")


def test_a_cycle_ends():
    tree = TransformTree()
    tree.add("a", "b", np.eye(4))
    tree.add("b", "a", np.eye(4))
    np.testing.assert_array_equal(tree.lookup("a", "b"), np.eye(4))
    with pytest.raises(CalibrationError, match="nothing is known of 'c'"):
        tree.lookup("a", "c")


@pytest.mark.parametrize(("parent", "child"), [("a", "a"), ("", "a"), ("a", "")])
def test_refuses_a_frame_in_itself_or_without_name(parent, child):
    with pytest.raises(CalibrationError, match="give two frames"):
        TransformTree().add(parent, child, np.eye(4))


def test_refuses_what_is_not_rigid():
    with pytest.raises(CalibrationError, match="from 'a' to 'b': its rotation is not one"):
        TransformTree().add("a", "b", np.diag([2.0, 1, 1, 1]))
