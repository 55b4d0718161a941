# SPDX-License-Identifier: Apache-2.0
"""Where the values of metrics are not those of TFMA, and why; docs/migrating.md has the whole list."""

from __future__ import annotations

_AREA = "NaN, where TFMA has 0, in a slice with one class alone."
_POINT = "NaN, where TFMA has 0, when no threshold reaches it."
_MERGED = "each row counts once; TFMA counts the first worker's sums twice when it merges."

OF_METRICS = {
    "AUC": _AREA,
    "AUCPrecisionRecall": _AREA,
    "PrecisionAtRecall": _POINT,
    "SensitivityAtSpecificity": _POINT,
    "SpecificityAtSensitivity": _POINT,
    "RecallAtFalsePositiveRate": _POINT,
    "BinaryCrossEntropy": f"predictions are clipped to [1e-7, 1 - 1e-7], as in Keras; {_MERGED}",
    "CategoricalCrossEntropy": f"TFMA ends in an error on most data; {_MERGED}",
    "MeanSquaredError": _MERGED,
    "MeanAbsoluteError": _MERGED,
    "MeanAbsolutePercentageError": _MERGED,
    "MeanSquaredLogarithmicError": _MERGED,
    "SquaredPearsonCorrelation": "made of centred sums, which keep their digits far from zero.",
    "SymmetricPredictionDifference": _MERGED,
    "ModelCosineSimilarity": _MERGED,
    "SymmetricFlipRate": _MERGED,
    "NegToNegFlipRate": _MERGED,
    "NegToPosFlipRate": _MERGED,
    "PosToNegFlipRate": _MERGED,
    "PosToPosFlipRate": _MERGED,
    "BooleanFlipRates": _MERGED,
}
"""A sentence for each class name of which a value may differ."""
