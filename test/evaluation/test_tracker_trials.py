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

"""What the tracker must hold on truth that is drawn, and what its report shows of it."""

import numpy as np
import pytest
from scipy.stats import chi2

from mm_fusion.evaluation.tracker_report import plot_costs, print_tracker
from mm_fusion.evaluation.tracker_trials import consistency, costs, first_second, switches


@pytest.mark.parametrize("seed", [1, 2])
def test_radar_takes_a_third_of_the_velocity_error_of_a_young_track(seed):
    alone, heard = (first_second(radar=radar, count=200, seed=seed) for radar in (False, True))
    assert len(alone) == len(heard) == 10
    cut = 1 - np.sqrt((heard**2).mean() / (alone**2).mean())
    assert cut >= 0.3
    assert (heard < alone).all()  # at every age


def test_errors_are_as_large_as_the_covariances_say():
    means = consistency(count=300)
    low, high = chi2.ppf([0.025, 0.975], 4 * 300) / 300  # of one frame's mean
    assert ((means > low) & (means < high)).mean() >= 0.85  # neighbours in time go together
    assert low < means.mean() < high


@pytest.mark.parametrize("seed", [3, 4])
def test_no_id_changes_while_all_are_hidden_or_the_lidar_is_lost(seed):
    assert switches(hidden_s=2.0, seed=seed) == (0, 0)
    assert switches(hidden_s=3.0, radar_only=True, seed=seed) == (0, 0)


def test_the_trial_can_tell_a_switch():
    """Hidden for longer than a track is kept, all come back as others."""
    assert switches(hidden_s=6.0, count=20)[0] == 20


def test_every_number_of_objects_is_timed_frame_by_frame():
    (few, few_ms), (more, more_ms) = costs((5, 10))
    assert (few, more) == (5, 10)
    assert len(few_ms) == len(more_ms) == 20


def test_the_report_shows_its_figures(capsys, tmp_path):
    figures = {
        "velocity_rmse_mps": {"without_radar": [1.5, 1.6, 1.7], "with_radar": [0.8, 0.85, 0.9]},
        "velocity_rmse_cut": [0.41, 0.43, 0.47],
        "nees_of_4": [3.9, 4.07, 4.2],
        "switches_hidden_2_s": [0, 0, 7],
        "switches_radar_only_3_s": [0, 0, 0],
        "frame_ms": {"100": [1.0, 2.0, 3.0], "2000": [20.0, 26.5, 31.0]},
    }
    print_tracker(figures)
    shown = capsys.readouterr().out
    for text in ("1.60", "0.43", "4.07", "26.5", "2000"):
        assert text in shown
    plot_costs(figures, tmp_path / "deep" / "cost")
    assert (tmp_path / "deep" / "cost").read_bytes().startswith(b"\x89PNG")
