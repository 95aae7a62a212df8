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

"""Learned weights of several detectors: logistic regression over what each said of an object.

Stacked generalisation: Wolpert, "Stacked generalization", Neural Networks 5, 1992. The weights are
plain numbers in a JSON file.

Axis letters: R rows (an object each), F features, H detectors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_fusion.errors import ConfigError
from mm_fusion.records import Bool, Float64
from mm_fusion.shapes import check_shapes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stacking:
    """A fitted logistic regression."""

    features: tuple[str, ...]  # F names, as `feature_names` gives them
    weights: Float64  # (F,)
    bias: float

    def __post_init__(self) -> None:
        check_shapes(weights=(self.weights, (len(self.features),)))

    def probability(self, rows: Float64) -> Float64:
        """Return the probability (R,) that each row (R, F) is a real object."""
        return _sigmoid(rows @ self.weights + self.bias)

    def save(self, path: Path) -> None:
        """Write the weights as JSON."""
        weights = dict(zip(self.features, self.weights.tolist(), strict=True))
        path.write_text(json.dumps({"bias": self.bias, "weights": weights}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, features: Sequence[str]) -> Stacking:
        """Read the weights of these features.

        Raises:
            ConfigError: the file is missing or malformed, or was fitted for other detectors.
        """
        try:
            content = json.loads(path.read_text())
            weights = {str(name): float(value) for name, value in content["weights"].items()}
            bias = float(content["bias"])
        except OSError as error:
            raise ConfigError(f"stacking file {path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"stacking file {path} does not hold `bias` and `weights`; fit it again"
            ) from error
        if set(weights) != set(features):
            raise ConfigError(
                f"stacking file {path} weighs {', '.join(sorted(weights))}; these detectors need "
                f"{', '.join(sorted(features))}: fit it again"
            )
        values = np.array([weights[name] for name in features])
        if not np.isfinite([*values, bias]).all():
            raise ConfigError(f"stacking file {path} holds a weight that is no number")
        return cls(features=tuple(features), weights=values, bias=bias)


def feature_names(heads: Sequence[str]) -> tuple[str, ...]:
    """Name the features of these detectors: score and silence of each, then agreement."""
    return (*(f"{h}.score" for h in heads), *(f"{h}.silent" for h in heads), "agreement")


def feature_rows(scores: Float64, silent: Bool, agree: Bool) -> Float64:
    """Return the features (R, 2H + 1) of objects.

    A detector that cannot see an object has zeros for both its features, and so no say.

    Args:
        scores: (R, H) what each detector gives each object; 0 where it does not report it.
        silent: (R, H) it could see there and does not report it.
        agree: (R,) at least two detectors name the same class.
    """
    return np.column_stack([scores, silent, agree]).astype(np.float64)


def fit_stacking(
    rows: Float64, labels: Bool, *, features: Sequence[str], l2: float = 1.0
) -> Stacking:
    """Fit the weights by maximum likelihood with a ridge, the bias left free.

    Args:
        rows: (R, F) features.
        labels: (R,) whether each row was a real object.
        features: their F names.
        l2: strength of the ridge: this many times half the squared weights is added to the sum of
            the rows' losses.

    Raises:
        ConfigError: there are no rows of one of the two kinds.
    """
    from scipy.optimize import minimize  # only who fits needs it

    check_shapes(rows=(rows, ("R", len(features))), labels=(labels, ("R",)))
    truth = np.asarray(labels, np.float64)
    if not 0 < truth.sum() < len(truth):
        raise ConfigError(
            f"stacking: {int(truth.sum())} of {len(truth)} rows are real objects; give some of both"
        )

    def loss(theta: Float64) -> tuple[float, Float64]:
        logit = rows @ theta[:-1] + theta[-1]
        excess = _sigmoid(logit) - truth
        value = (np.logaddexp(0, logit) - truth * logit).sum() + l2 / 2 * (theta[:-1] ** 2).sum()
        return float(value), np.append(rows.T @ excess + l2 * theta[:-1], excess.sum())

    fitted = minimize(loss, np.zeros(len(features) + 1), jac=True, method="L-BFGS-B").x
    return Stacking(features=tuple(features), weights=fitted[:-1], bias=float(fitted[-1]))


def _sigmoid(logit: Float64) -> Float64:
    return np.asarray(np.exp(-np.logaddexp(0, -logit)))
