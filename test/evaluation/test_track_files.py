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

"""The tracker on files of detections."""

import re
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.cli import main
from mm_fusion.evaluation.track_files import Sightings, track_sequence, tracker_for
from mm_fusion.geometry.boxes import iou_3d
from mm_fusion.objects import Objects
from mm_fusion.recordings.kitti_tracking import TrackingDetections, boxes_of, find_detections

KINDS = ("car", "pedestrian", "cyclist")


def detections(rows):
    """Detections from (frame, x ahead m, y left m, score)."""
    rows = np.array(sorted(rows), np.float64).reshape(-1, 4)
    size, none = np.tile([4.2, 1.8, 1.5, 0.0], (len(rows), 1)), np.zeros(len(rows))
    return TrackingDetections(
        frame=rows[:, 0].astype(np.int64),
        boxes=np.column_stack([rows[:, 1:3], none, size]),
        score=rows[:, 3],
        box_px=np.column_stack([rows[:, 0], none, none + 9, none + 9]),
        alpha_rad=none,
    )


def ids_of(boxes):
    return {(box.frame, round(float(box.box[1]))): box.track for box in boxes}


def test_two_that_pass_each_other_keep_their_ids():
    # 10 m/s towards each other in lanes 3 m apart
    ahead = [(f, 10.0 + f, 0.0, 5.0) for f in range(20)]
    oncoming = [(f, 30.0 - f, 3.0, 5.0) for f in range(20)]
    ids = ids_of(track_sequence("car", detections(ahead + oncoming)))
    assert len({ids[f, 0] for f in range(20)}) == 1
    assert len({ids[f, 3] for f in range(20)}) == 1
    assert ids[0, 0] != ids[0, 3]


def test_three_missed_frames_cost_no_id_but_nine_do():
    seen = [f for f in range(40) if f not in (10, 11, 12, *range(20, 29))]
    boxes = track_sequence("car", detections([(f, 10.0, 0.0, 5.0) for f in seen]))
    ids = {box.frame: box.track for box in boxes}
    assert set(ids) == {*seen, 10, 20}  # one frame is bridged, what is missed longer not shown
    assert ids[9] == ids[13]
    assert ids[19] != ids[29]


def test_what_the_detector_takes_for_a_false_alarm_begins_no_track_but_continues_one():
    weak = [(f, 10.0, 0.0, -1.0) for f in range(10)]
    assert track_sequence("car", detections(weak)) == []
    boxes = track_sequence("car", detections([(0, 10.0, 0.0, 1.0), *weak[1:]]))
    assert [box.frame for box in boxes] == list(range(10))


def test_a_track_carries_the_pixels_and_the_score_of_its_detection():
    boxes = track_sequence("car", detections([(f, 10.0, 0.0, 2.0 - f) for f in range(4)]))
    assert [box.box_px[0] for box in boxes] == [0, 1, 2, 3]
    assert [box.score for box in boxes] == [2.0, 1.0, 0.0, -1.0]


@pytest.mark.parametrize("raw", [0.0, 0.25, 12.5])
def test_a_score_comes_back_on_the_scale_of_the_detector(raw):
    boxes = track_sequence("car", detections([(f, 10.0, 0.0, raw) for f in range(4)]))
    assert_allclose([box.score for box in boxes], raw, atol=1e-6)


def track_at(x, y=0.0, score=0.5, yaw=0.0):
    """One track with the id 7, where a tracker says it is."""
    box = [[x, y, 0.0, 4.2, 1.8, 1.5, yaw]]
    return Objects.of_boxes(box, ids=np.array([7]), scores=np.array([score]))


def test_a_track_takes_the_nearest_detection_within_two_metres():
    seen = detections([(0, 11.5, 0.0, 1.0), (0, 9.0, 0.0, 4.0), (1, 12.1, 0.0, 9.0)])
    sightings = Sightings()
    (first,) = sightings.attached(track_at(10.0), seen, 0)
    (second,) = sightings.attached(track_at(10.0), seen, 1)  # 2.1 m away
    assert first.box_px[0] == second.box_px[0] == 0
    (third,) = sightings.attached(track_at(10.2), seen, 1)  # 1.9 m away
    assert third.box_px[0] == 1


def test_a_track_in_a_frame_without_detections_keeps_what_was_said_last():
    seen, sightings = detections([(0, 10.0, 0.0, 3.0), (2, 10.0, 0.0, 3.0)]), Sightings()
    (before,) = sightings.attached(track_at(10.0), seen, 0)
    (coasting,) = sightings.attached(track_at(10.5), seen, 1)
    assert (coasting.frame, coasting.track) == (1, 7)
    assert coasting.box[0] == 10.5
    assert_allclose(coasting.box_px, before.box_px)


def test_a_track_no_detection_was_near_to_says_what_geometry_says():
    # 10 m ahead, 10 m to the right, driving ahead: rotation_y is -90 degrees and the bearing 45 to
    # the right, so alpha is -135; a score of 0.9 is a logit of log 9
    (box,) = Sightings().attached(track_at(10.0, -10.0, score=0.9), detections([]), 0)
    assert_allclose(box.alpha_rad, np.radians(-135))
    assert_allclose(box.score, np.log(9))
    assert box.box_px.tolist() == [-1, -1, -1, -1]
    (sure,) = Sightings().attached(track_at(10.0, score=1.0), detections([]), 0)
    assert sure.score == 30


def test_scores_of_any_size_are_tracked():
    boxes = track_sequence("car", detections([(f, 10.0, 0.0, 1e4 - 2e4 * f) for f in range(2)]))
    assert np.isfinite([box.score for box in boxes]).all()


def test_every_class_has_a_tracker_of_its_own():
    trackers = [tracker_for(kind) for kind in (*KINDS, "car")]
    assert len({id(tracker) for tracker in trackers}) == 4


def test_nothing_gives_nothing():
    assert track_sequence("pedestrian", detections([])) == []


@pytest.fixture(scope="module")
def tracked(recorded, tmp_path_factory):
    out = tmp_path_factory.mktemp("tracks")
    assert main(["track", str(recorded), "--out", str(out)]) == 0
    return out


def rows_of(path):
    return [line.split() for line in path.read_text().splitlines()]


def test_every_class_and_sequence_has_its_file(recorded, tracked):
    names = {path.name for path in (recorded / "label_02").glob("*.txt")}
    for kind in KINDS:
        assert {path.name for path in (tracked / kind).glob("*.txt")} == names


def test_no_frame_holds_an_id_twice(tracked):
    for path in tracked.glob("*/*.txt"):
        counts = Counter((row[0], row[1]) for row in rows_of(path))
        assert max(counts.values(), default=1) == 1, path


def test_the_same_detections_give_the_same_bytes(recorded, tracked, tmp_path):
    assert main(["track", str(recorded), "--out", str(tmp_path)]) == 0
    for path in tracked.glob("*/*.txt"):
        assert (tmp_path / path.relative_to(tracked)).read_bytes() == path.read_bytes()


def test_clearly_detected_cars_of_real_drives_keep_their_ids(recorded, tracked):
    """Of labelled cars that a confident track covers, hardly any changes its track."""
    switches = followed = 0
    for path in (tracked / "car").glob("*.txt"):
        tracks = [row for row in rows_of(path) if float(row[17]) > 5]
        labels = [row for row in rows_of(recorded / "label_02" / path.name) if row[2] == "Car"]
        changed, kept = follow(tracks, labels)
        switches, followed = switches + changed, followed + kept
    assert followed > 2000
    assert switches <= 0.005 * followed


def follow(tracks, labels):
    """Count how often the track on a labelled car is another one than before, and the same."""
    last, changed, kept = {}, 0, 0
    for frame in sorted({row[0] for row in labels}, key=int):
        here = [[r for r in rows if r[0] == frame] for rows in (labels, tracks)]
        if not here[1]:
            continue
        boxes = [boxes_of(np.array([r[10:17] for r in rows], np.float64)) for rows in here]
        overlap = iou_3d(*boxes)
        for row, best in enumerate(overlap.argmax(axis=1)):
            if overlap[row, best] > 0.25:
                car, track = here[0][row][1], here[1][best][1]
                changed += last.get(car, track) != track
                kept += last.get(car) == track
                last[car] = track
    return changed, kept


def test_boxes_lie_on_detections_of_their_frame(recorded, tracked):
    """What is written is where something was detected now, or a frame ago less its motion."""
    found, away_m = find_detections(recorded), []
    for (kind, sequence), seen in found.items():
        for row in rows_of(tracked / kind / f"{sequence}.txt"):
            assert len(row) == 18
            assert row[2] == kind.capitalize()
            frame = int(row[0])
            before = seen.boxes[seen.rows(max(frame - 1, 0)), :3]
            here = np.concatenate([before, seen.boxes[seen.rows(frame), :3]])
            box = boxes_of(np.array(row[10:17], np.float64))
            away_m.append(np.linalg.norm(here - box[0, :3], axis=1).min(initial=np.inf))
    assert np.quantile(away_m, 0.99) < 2.5
    assert max(away_m) < 6  # what drives at 60 m/s would


def lines_of_drive(frames):
    """Two cars that drive towards each other in lanes 3 m apart, 10 m/s each, as files say it."""
    lines = []
    for frame in frames:
        for x, z, px in ((0.0, 10.0 + frame, 100), (-3.0, 30.0 - frame, 500)):
            where = f"{x},1.6,{z},1.5708,0"
            lines.append(f"{frame},2,{px},150,{px + 50},200,6.5,1.5,1.8,4.2,{where}\n")
    return lines


def track_lines(tmp_path, lines, name="in"):
    folder = tmp_path / name / "pointrcnn_Car_val"
    folder.mkdir(parents=True)
    (folder / "0021.txt").write_text("".join(lines))
    assert main(["track", str(folder.parent), "--out", str(tmp_path / f"{name}_out")]) == 0
    return (tmp_path / f"{name}_out" / "car" / "0021.txt").read_text()


def test_cars_that_meet_keep_their_ids_from_file_to_file(tmp_path):
    frames = [f for f in range(20) if f not in (8, 9)]  # the detector misses both, twice
    rows = [line.split() for line in track_lines(tmp_path, lines_of_drive(frames)).splitlines()]
    for lane in ("100.0000", "500.0000"):
        assert len({row[1] for row in rows if row[6] == lane}) == 1
    assert len({row[1] for row in rows}) == 2
    assert {int(row[0]) for row in rows} >= {7, 10, 19}


def test_the_order_of_lines_changes_nothing_of_the_tracks(tmp_path):
    lines = lines_of_drive(range(12))
    shuffled = [lines[k] for k in np.random.default_rng(3).permutation(len(lines))]
    assert track_lines(tmp_path, lines, "one") == track_lines(tmp_path, shuffled, "other")


def test_an_empty_file_gives_an_empty_file(tmp_path, capsys):
    assert track_lines(tmp_path, []) == ""
    assert "tracked 0 frames in" in capsys.readouterr().out.splitlines()[-1]


def test_the_last_line_says_frames_seconds_and_pace(tmp_path, capsys):
    track_lines(tmp_path, lines_of_drive(range(12)))
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"tracked 12 frames in \d+\.\d\d s \(\d+ frames/s\), without .*", last)


def test_a_malformed_file_is_one_sentence(tmp_path, capsys):
    (tmp_path / "0001.txt").write_text("0,2,3\n")
    assert main(["track", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mm_fusion track: ")
    assert "0001.txt, line 1 has 3 columns" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_single_file_can_be_tracked(recorded):
    (path, *_) = sorted((recorded / "pointrcnn_Car_val").glob("*.txt"))
    assert set(find_detections(path)) == {("car", path.stem)}
