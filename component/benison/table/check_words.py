# SPDX-License-Identifier: Apache-2.0
"""Says what is judged by checks that are of no metric: of probes, of weak slices, of revocations."""

from __future__ import annotations

_VALUES = {
    "revoked": "That nobody has revoked the model, or somebody has taken that back.",
    "weak_slice": "By how much the mean loss of a slice that was searched for is beyond what is expected.",
    "hostile_values": "Share of changed rows on which the model fails or gives no finite score.",
    "missing_flips": "Share of rows whose decision flips where a feature is missing.",
    "permutation_flips": "Share of rows whose decision flips where a feature has another row's value.",
    "noise_flips": "Share of rows whose decision flips under normal noise in all numbers.",
    "monotone": "Share of rows on which a higher value moves the prediction against the rule.",
    "directional": "Share of rows on which a higher value does not move the prediction by the rule.",
    "invariant": "Share of rows on which the values of other rows move the prediction at all.",
    "feature_swaps": "Share of rows whose decision is another one with another value of the feature.",
    "partial_dependence": "Change of the mean prediction over the values of a feature.",
    "permutation_importance": "By how much worse a metric is where a feature is permuted.",
    "boundary_distance": "Share of rows that are near another decision.",
    "random_attack": "Share of rows of which a small random change flips the decision.",
    "membership": "Area under the ROC curve by which losses tell rows of the training data from others.",
    "better_than_prior": "Gain of a metric over the mean of all labels.",
    "better_than_majority": "Gain of a metric over the most frequent class.",
    "better_than_slice_mean": "Gain of a metric over the mean label of a slice.",
    "better_than_linear": "Gain of a metric over a linear model.",
    "better_than_baseline": "Gain of a metric over the baseline, on all rows.",
    "residuals_by_feature": "What residuals show over the values of a feature.",
    "residuals_by_prediction": "What residuals show over the predictions.",
    "residual_normality": "What the distribution of residuals shows.",
    "residual_autocorrelation": "What residuals show of the rows before them.",
}


def of_probe_or_slice(name: str) -> str:
    """What the value of a check is, by the name that stands for its metric; "" of what is neither.

    >>> of_probe_or_slice("noise_flips(fare)")
    'Share of rows whose decision flips under normal noise in all numbers.'
    """
    return _VALUES.get(name.partition("(")[0], "")
