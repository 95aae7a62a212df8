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

"""Clouds of every layout become the scans they hold; broken ones get their sentence."""

from itertools import product
from types import SimpleNamespace as Values

import numpy as np
import pytest

from mm_fusion.errors import MessageError
from mm_fusion.recordings.clouds import lidar_scan, radar_returns, radar_scan, radar_tracks

STAMP_NS = 1_700_000_000_123_456_789
XYZ = {"x": [1.0, 2.0, 3.0, 4.0], "y": [0.5, -0.5, 1.5, -1.5], "z": [0.25, 0.5, 0.75, 1.0]}
POINTS = np.array(list(XYZ.values())).T


@pytest.mark.parametrize(
    ("order", "gap", "rows", "row_gap"), list(product("<>", (0, 3), (1, 2), (0, 5)))
)
def test_any_layout_is_the_same_scan(make_cloud, order, gap, rows, row_gap):
    rng = np.random.default_rng(gap + rows)
    columns = {**XYZ, "intensity": [0, 51, 102, 255], "ring": [0, 1, 2, 300]}
    names = list(rng.permutation(list(columns)))
    kinds = {"x": "f8", "z": "f4", "intensity": "u1", "ring": "u2"}
    shuffled = {name: columns[name] for name in names}
    scan = lidar_scan(
        make_cloud(shuffled, kinds=kinds, order=order, gap=gap, rows=rows, row_gap=row_gap)
    )
    assert scan.stamp_ns == STAMP_NS
    np.testing.assert_array_equal(scan.points_lidar, POINTS)
    np.testing.assert_allclose(scan.intensity, [0, 0.2, 0.4, 1], rtol=1e-6)
    np.testing.assert_array_equal(scan.ring, [0, 1, 2, 300])


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_coordinates_of_any_type(make_cloud, kind):
    columns = {"x": [1, 2], "y": [3, 4], "z": [5, 6]}
    scan = lidar_scan(make_cloud(columns, kinds=dict.fromkeys("xyz", kind)))
    np.testing.assert_array_equal(scan.points_lidar, [[1, 3, 5], [2, 4, 6]])
    assert scan.points_lidar.dtype == np.float32


def test_intensity_in_its_ranges(make_cloud):
    def intensity(values, kind):
        columns = {**XYZ, "intensity": values}
        return lidar_scan(make_cloud(columns, kinds={"intensity": kind})).intensity

    np.testing.assert_allclose(intensity([0, 0.5, 0.75, 1], "f4"), [0, 0.5, 0.75, 1])
    np.testing.assert_allclose(intensity([0, 51, 102, 255], "f4"), [0, 0.2, 0.4, 1], rtol=1e-6)
    np.testing.assert_allclose(intensity([0, 1000, 2000, 4000], "f4"), [0, 0.25, 0.5, 1])
    np.testing.assert_allclose(intensity([0, 0, 0, 65535], "u2"), [0, 0, 0, 1])
    np.testing.assert_allclose(intensity([np.nan, 0, 0, 1], "f4"), [0, 0, 0, 1])


def test_points_without_intensity_ring_or_time(make_cloud):
    scan = lidar_scan(make_cloud(XYZ))
    np.testing.assert_array_equal(scan.intensity, np.zeros(4))
    np.testing.assert_array_equal(scan.offset_s, np.zeros(4))
    assert scan.ring is None


OFFSETS_S = np.array([0.0, 0.03, 0.06, 0.09])


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("time", "f4", OFFSETS_S),
        ("t", "u4", OFFSETS_S * 1e9),
        ("offset_time", "u4", OFFSETS_S * 1e9),
        ("time_offset", "u4", OFFSETS_S * 1e6),
        ("timestamp", "f8", OFFSETS_S + STAMP_NS * 1e-9),
        ("Timestamp", "f8", OFFSETS_S * 1e9 + STAMP_NS),
        ("point_time", "f4", OFFSETS_S * 1e3),
    ],
)
def test_time_under_its_names_and_units(make_cloud, name, kind, values):
    scan = lidar_scan(make_cloud({**XYZ, name: values}, kinds={name: kind}))
    np.testing.assert_allclose(scan.offset_s, OFFSETS_S, atol=1e-6)


@pytest.mark.parametrize(("kind", "unit"), [("u4", 1e6), ("u4", 1e9), ("f4", 1e6), ("f8", 1)])
@pytest.mark.parametrize("span_s", [0.0013, 0.05, 0.1001, 0.2])
def test_spans_of_packets_and_of_slow_revolutions(make_cloud, kind, unit, span_s):
    offsets_s = np.linspace(0, span_s, 4)
    scan = lidar_scan(make_cloud({**XYZ, "t": offsets_s * unit}, kinds={"t": kind}))
    np.testing.assert_allclose(scan.offset_s, offsets_s, atol=2e-6)


def test_padding_fields_are_passed_over(make_cloud):
    cloud = make_cloud(XYZ)
    cloud.fields += [Values(name="_", offset=0, datatype=2, count=4) for _ in range(2)]
    np.testing.assert_array_equal(lidar_scan(cloud).points_lidar, POINTS)


def test_negative_offsets_are_kept(make_cloud):
    scan = lidar_scan(make_cloud({**XYZ, "time": OFFSETS_S - 0.09}))
    np.testing.assert_allclose(scan.offset_s, OFFSETS_S - 0.09, atol=1e-7)


@pytest.mark.parametrize("values", [[0, 1e-5, 2e-5, 3e-5], [5, 5, 5, 5], [0, np.nan, 0, 0.1]])
def test_what_fits_no_unit_is_no_time(make_cloud, values):
    scan = lidar_scan(make_cloud({**XYZ, "time": values}))
    np.testing.assert_array_equal(scan.offset_s, np.zeros(4))


def test_points_that_are_no_numbers_go_with_their_columns(make_cloud):
    columns = {
        **XYZ,
        "y": [np.nan, -0.5, 1.5, np.inf],
        "intensity": [0.1, 0.2, 0.3, 0.4],
        "ring": [1, 2, 3, 4],
    }
    scan = lidar_scan(make_cloud(columns, kinds={"ring": "u2"}))
    np.testing.assert_array_equal(scan.points_lidar, POINTS[1:3])
    np.testing.assert_allclose(scan.intensity, [0.2, 0.3])
    np.testing.assert_array_equal(scan.ring, [2, 3])


def test_a_cloud_of_nans_and_one_of_nothing(make_cloud):
    nans = {axis: [np.nan, np.nan] for axis in "xyz"}
    assert lidar_scan(make_cloud(nans)).points_lidar.shape == (0, 3)
    nothing = make_cloud({axis: [] for axis in "xyz"})
    assert lidar_scan(nothing).points_lidar.shape == (0, 3)
    rates = make_cloud({**nans, "range_rate": [1.0, 2.0]})
    assert radar_scan(rates).range_rate_mps.shape == (0,)


def _broken(message, **changes):
    return Values(**{**vars(message), **changes})


def test_broken_clouds_say_what_is_wrong(make_cloud):
    whole = make_cloud(XYZ)
    with pytest.raises(MessageError, match="4 x 1 points needs 48 bytes, has 47: truncated"):
        lidar_scan(_broken(whole, data=whole.data[:-1]))
    with pytest.raises(MessageError, match=r"lacks z; it has x, y"):
        lidar_scan(make_cloud({k: XYZ[k] for k in "xy"}))
    with pytest.raises(MessageError, match="'z' at offset 8 lies outside the point_step of 10"):
        lidar_scan(_broken(whole, point_step=10))
    odd = [*whole.fields[:2], Values(name="z", offset=8, datatype=9, count=1)]
    with pytest.raises(MessageError, match="'z' has datatype 9; known: 1 to 8"):
        lidar_scan(_broken(whole, fields=odd))
    with pytest.raises(MessageError, match="stamp is zero"):
        lidar_scan(make_cloud(XYZ, stamp_ns=0))
    rows = make_cloud(XYZ, rows=2, row_gap=4)
    with pytest.raises(MessageError, match="2 x 2 points needs 52 bytes, has 50"):
        lidar_scan(_broken(rows, data=rows.data[:50]))
    twice = [whole.fields[0], whole.fields[0], *whole.fields[1:]]
    with pytest.raises(MessageError, match="'x' twice"):
        lidar_scan(_broken(whole, fields=twice))


@pytest.mark.parametrize("rate", ["range_rate", "doppler", "velocity", "v_r", "Radial_Speed"])
@pytest.mark.parametrize("strength", ["rcs", "magnitude", "power", "intensity"])
def test_radar_by_the_names_of_its_fields(make_cloud, rate, strength):
    rates, strengths = [1.0, np.nan, -3.0, 4.0], [10.0, 11.0, np.nan, 13.0]
    scan = radar_scan(make_cloud({strength: strengths, **XYZ, rate: rates}))
    np.testing.assert_array_equal(scan.points_radar, POINTS[[0, 2, 3]])
    np.testing.assert_array_equal(scan.range_rate_mps, [1, -3, 4])
    np.testing.assert_array_equal(scan.rcs_dbsm, [10, 0, 13])


def test_radar_without_range_rate(make_cloud):
    with pytest.raises(MessageError, match="no range rate; it has x, y, z"):
        radar_scan(make_cloud(XYZ))


def test_radar_returns(header_at):
    def row(distance, azimuth, elevation, rate):
        return Values(
            range=distance, azimuth=azimuth, elevation=elevation, doppler_velocity=rate, amplitude=5
        )

    rows = [row(10.0, np.pi / 6, 0.0, 2.0), row(4.0, 0.0, np.pi / 2, -1.0), row(np.nan, 0, 0, 0)]
    scan = radar_returns(Values(header=header_at(), returns=rows))
    # 30 degrees to the left: cos = 0.8660, sin = 0.5; straight up: z alone
    np.testing.assert_allclose(scan.points_radar, [[8.660254, 5, 0], [0, 0, 4]], atol=1e-6)
    np.testing.assert_array_equal(scan.range_rate_mps, [2, -1])
    np.testing.assert_array_equal(scan.rcs_dbsm, [5, 5])
    assert len(radar_returns(Values(header=header_at(), returns=[])).points_radar) == 0


def test_radar_tracks_speak_along_the_ray(header_at):
    track = Values(position=Values(x=3.0, y=4.0, z=0.0), velocity=Values(x=10.0, y=0.0, z=0.0))
    scan = radar_tracks(Values(header=header_at(), tracks=[track]))
    np.testing.assert_allclose(scan.range_rate_mps, [6.0])  # 10 m/s * 3 / 5
    np.testing.assert_array_equal(scan.points_radar, [[3, 4, 0]])
