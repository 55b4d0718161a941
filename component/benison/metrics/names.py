# SPDX-License-Identifier: Apache-2.0
"""Other names of metrics: those of ours in other libraries, and those of metrics that are not computed.

Names are compared without case and without what separates words: `roc_auc_score` is `RocAucScore`.

They come before names that are merely spelled alike: `brier` leads to BrierScore, and not to
BinaryAccuracy.
"""

from __future__ import annotations

ELSEWHERE = {
    "AUC": "auroc roc roc_auc roc_auc_score area_under_roc area_under_the_curve",
    "AUCPrecisionRecall": "auprc auc_pr pr_auc area_under_pr",
    "BalancedAccuracy": "balanced_accuracy_score bal_acc",
    "BinaryAccuracy": "accuracy accuracy_score acc",
    "Bleu": "sacrebleu corpus_bleu bleu_score",
    "BinaryCrossEntropy": "log_loss logloss neg_log_loss bce cross_entropy cross_entropy_loss",
    "BrierScore": "brier brier_score_loss neg_brier_score",
    "CalibrationPlot": "calibration_curve calibration_display reliability_diagram",
    "CategoricalCrossEntropy": "multi_logloss mlogloss",
    "ConfusionMatrixAtThresholds": "confusion_matrix",
    "ConfusionMatrixPlot": "roc_curve precision_recall_curve pr_curve det_curve",
    "ExampleCount": "count examples rows num_examples",
    "F1Score": "f1 f1_score f_score f_measure",
    "FallOut": "false_positive_rate fp_rate",
    "MatthewsCorrelationCoefficient": "mcc matthews_corrcoef matthews_corr_coef phi_coefficient",
    "KendallTau": "kendall kendalltau kendall_tau_b kendall_rank_corr_coef",
    "HitRateAtK": "hit_rate_at_k hit_ratio hits_at_k",
    "MeanAveragePrecision": "mapk map_at_k mean_average_precision_at_k retrieval_map",
    "MeanReciprocalRank": "mrr_at_k reciprocal_rank retrieval_mrr",
    "MeanAbsoluteError": "mae neg_mean_absolute_error",
    "MeanAbsolutePercentageError": "mape neg_mean_absolute_percentage_error",
    "MeanSquaredError": "mse neg_mean_squared_error",
    "MeanSquaredLogarithmicError": "msle mean_squared_log_error neg_mean_squared_log_error",
    "MissRate": "false_negative_rate fn_rate",
    "NDCG": "ndcg_score normalized_discounted_cumulative_gain",
    "NegativeLikelihoodRatio": "neg_negative_likelihood_ratio",
    "Precision": "precision_score positive_predictive_value",
    "PrecisionAtK": "precision_at_k p_at_k",
    "PredictedPositiveRate": "positive_rate selection_rate",
    "R2Score": "r2 r_squared coefficient_of_determination",
    "Recall": "recall_score sensitivity true_positive_rate hit_rate tp_rate",
    "RecallAtK": "recall_at_k r_at_k",
    "RootMeanSquaredError": "rmse root_mean_squared_error neg_root_mean_squared_error",
    "SpearmanCorrelation": "spearman spearmanr spearman_rho spearman_corr_coef rank_correlation",
    "Specificity": "true_negative_rate selectivity tn_rate",
    "SquaredPearsonCorrelation": "squared_pearson",
    "RougeFMeasure": "rouge_score rouge_f1",
    "ThreatScore": "jaccard jaccard_score critical_success_index",
    "TokenF1": "squad squad_f1",
    "TopKCategoricalAccuracy": "top_k_accuracy top_k_accuracy_score",
}
"""For each class name of ours what the same number is called in scikit-learn, XGBoost, Spark and prose."""

ALIASES = {
    "accuracy": "BinaryAccuracy",
    "accuracy_score": "BinaryAccuracy",
    "balanced_accuracy": "BalancedAccuracy",
    "balanced_accuracy_score": "BalancedAccuracy",
    "brier_score_loss": "BrierScore",
    "f1": "F1Score",
    "f1_score": "F1Score",
    "jaccard": "ThreatScore",
    "jaccard_score": "ThreatScore",
    "log_loss": "BinaryCrossEntropy",
    "matthews_corrcoef": "MatthewsCorrelationCoefficient",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_squared_error": "MeanSquaredError",
    "mean_squared_log_error": "MeanSquaredLogarithmicError",
    "ndcg_score": "NDCG",
    "precision": "Precision",
    "precision_score": "Precision",
    "r2": "R2Score",
    "r2_score": "R2Score",
    "recall": "Recall",
    "recall_score": "Recall",
    "roc_auc": "AUC",
    "roc_auc_score": "AUC",
    "root_mean_squared_error": "RootMeanSquaredError",
}
"""scikit-learn's names that a config may use as they are: with its defaults they are the same number.

Scorers of the other sign (`neg_...`), and functions of another unit or default, are not among them: a
threshold on one would mean something else here.
"""

NOTES = {
    "BinaryAccuracy": "Accuracy is the share of predictions that equal the label, which a probability never "
    "does, and for several classes there is CategoricalAccuracy.",
}
"""What to know before one takes a metric for the one that was asked for."""

_STEPS = "is the area below steps, which is not computed; AUCPrecisionRecall is the area with interpolation."


def _mean(ours: str, average: str) -> str:
    """What to write for a mean over classes.

    scikit-learn takes the class with the highest score for the predicted one, which is `top_k: 1` here; areas
    are of the scores themselves, each class against the rest.
    """
    weights = "class_weights: {0: 1, 1: 1, ...}"
    return f"is {{class_name: {ours}}} in a spec with aggregate: {{{average}: true, {weights}}}."


_TOP = ", config: {top_k: 1}"
_OF_CLASSES = {
    "f1": "F1Score",
    "jaccard": "ThreatScore",
    "precision": "Precision",
    "recall": "Recall",
}
"""What scikit-learn averages over classes, by the beginning of its names."""
_MICRO = (
    "of rows with one class each is the share of right ones: CategoricalAccuracy, or "
    "SparseCategoricalAccuracy where labels are class numbers."
)
_AVERAGES = {"macro": "macro_average", "weighted": "weighted_macro_average"}
INSTEAD = {
    "CTC": "is a loss of Keras over all ways in which scores of steps may spell a label, and is not "
    "computed. Ask for TokenF1, Rouge or Bleu of the texts that they are decoded to.",
    "Circle": "is a loss of Keras over all pairs of rows of a training batch, and is not computed: it would "
    "be that of how rows come together. Ask for PrecisionAtK or NDCG of what is retrieved.",
    "MeanTensor": "of Keras is a mean for each element of tensors that training hands to it, and is not "
    "computed. Ask for Mean, with the column of each number that is wanted.",
    "MeanMetricWrapper": "of Keras is the class of metrics that are the mean of a function, and is not "
    "computed. Ask for the metric by its own class_name, such as MeanSquaredError, or for the function, with "
    "the module that it is in.",
    "Metric": "is the base class of metrics and is not computed. Ask for a metric by its own class_name, and "
    "for one of yours with the module that it is in.",
    "average_precision": _STEPS,
    "average_precision_score": _STEPS,
    "roc_auc_ovr": _mean("AUC", _AVERAGES["macro"]),
    "roc_auc_ovr_weighted": _mean("AUC", _AVERAGES["weighted"]),
    **dict.fromkeys(("f1_micro", "precision_micro", "recall_micro"), _MICRO),
    **{
        f"{n}_{k}": _mean(ours + _TOP, _AVERAGES[k])
        for n, ours in _OF_CLASSES.items()
        for k in _AVERAGES
    },
}
"""Names of what is not computed, with what is there in place of it."""

KNOWN = {
    "TFMA": """
        AUC AUCPrecisionRecall BalancedAccuracy BinaryAccuracy BinaryCrossEntropy Bleu BooleanFlipRates
        COCOAveragePrecision COCOAverageRecall COCOMeanAveragePrecision COCOMeanAverageRecall Calibration
        CalibrationPlot CategoricalCrossEntropy CoefficientOfDiscrimination ConfusionMatrixAtThresholds
        ConfusionMatrixPlot DiagnosticOddsRatio ExactMatch ExampleCount F1Score FN FNR FP FPR FallOut
        FalseDiscoveryRate FalseNegativeFeatureSampler FalseNegatives FalseOmissionRate
        FalsePositiveFeatureSampler FalsePositives FixedSizeSample FowlkesMallowsIndex Informedness Markedness
        MatthewsCorrelationCoefficient MaxRecall Mean MeanAbsoluteAttributions MeanAbsoluteError
        MeanAbsolutePercentageError MeanAttributions MeanLabel MeanPrediction MeanSquaredError
        MeanSquaredLogarithmicError MinLabelPosition MissRate ModelCosineSimilarity
        MultiClassConfusionMatrixAtThresholds MultiClassConfusionMatrixPlot MultiLabelConfusionMatrixPlot NDCG
        NPV NegToNegFlipRate NegToPosFlipRate NegativeLikelihoodRatio NegativePredictiveValue
        ObjectDetectionConfusionMatrixPlot ObjectDetectionMaxRecall ObjectDetectionPrecision
        ObjectDetectionPrecisionAtRecall ObjectDetectionRecall ObjectDetectionThresholdAtRecall PPV
        PosToNegFlipRate PosToPosFlipRate PositiveLikelihoodRatio Precision PrecisionAtRecall
        PredictedPositiveRate Prevalence PrevalenceThreshold QueryStatistics Recall RecallAtFalsePositiveRate
        RecallAtPrecision RelativeCoefficientOfDiscrimination Rouge ScoreDistributionPlot
        SemanticSegmentationConfusionMatrix SemanticSegmentationFalsePositive SemanticSegmentationTruePositive
        SensitivityAtSpecificity SetMatchPrecision SetMatchRecall Specificity SpecificityAtSensitivity
        SquaredPearsonCorrelation SymmetricFlipRate SymmetricPredictionDifference TN TNR TP TPR ThreatScore
        ThresholdAtRecall TotalAbsoluteAttributions TotalAttributions TrueNegatives TruePositives
        WeightedExampleCount
    """,
    "Keras": """
        AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryFocalCrossentropy BinaryIoU CTC
        CategoricalAccuracy CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge Circle ConcordanceCorrelation
        CosineSimilarity Dice F1Score FBetaScore FalseNegatives FalsePositives Hinge Huber IoU KLD
        KLDivergence LogCosh LogCoshError MAE MAPE MSE MSLE Mean MeanAbsoluteError
        MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanRelativeError MeanSquaredError
        MeanSquaredLogarithmicError MeanTensor OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson
        Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
        SensitivityAtSpecificity SparseCategoricalAccuracy SparseCategoricalCrossentropy
        SparseTopKCategoricalAccuracy SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy
        TrueNegatives TruePositives Tversky
    """,
    "scikit-learn": """
        accuracy accuracy_score adjusted_mutual_info_score adjusted_rand_score auc average_precision
        average_precision_score balanced_accuracy balanced_accuracy_score brier_score_loss
        calinski_harabasz_score class_likelihood_ratios classification_report cohen_kappa_score
        completeness_score confusion_matrix consensus_score coverage_error d2_absolute_error_score
        d2_brier_score d2_log_loss_score d2_pinball_score d2_tweedie_score davies_bouldin_score dcg_score
        det_curve explained_variance explained_variance_score f1 f1_macro f1_micro f1_samples f1_score
        f1_weighted fbeta_score fowlkes_mallows_score hamming_loss hinge_loss
        homogeneity_completeness_v_measure homogeneity_score jaccard
        jaccard_macro jaccard_micro jaccard_samples jaccard_score jaccard_weighted
        label_ranking_average_precision_score label_ranking_loss log_loss matthews_corrcoef max_error
        mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss
        mean_poisson_deviance mean_squared_error mean_squared_log_error mean_tweedie_deviance
        median_absolute_error multilabel_confusion_matrix mutual_info_score ndcg_score neg_brier_score
        neg_log_loss neg_max_error neg_mean_absolute_error neg_mean_absolute_percentage_error
        neg_mean_gamma_deviance neg_mean_poisson_deviance neg_mean_squared_error neg_mean_squared_log_error
        neg_median_absolute_error neg_negative_likelihood_ratio neg_root_mean_squared_error
        neg_root_mean_squared_log_error normalized_mutual_info_score pair_confusion_matrix
        positive_likelihood_ratio precision precision_macro precision_micro precision_recall_curve
        precision_recall_fscore_support precision_samples precision_score precision_weighted r2 r2_score
        rand_score recall recall_macro recall_micro recall_samples recall_score recall_weighted roc_auc
        roc_auc_ovo roc_auc_ovo_weighted roc_auc_ovr roc_auc_ovr_weighted roc_auc_score roc_curve
        root_mean_squared_error root_mean_squared_log_error silhouette_samples silhouette_score top_k_accuracy
        top_k_accuracy_score v_measure_score zero_one_loss
    """,
}
"""The metrics of TFMA 0.52, the metrics and losses of Keras 2 and 3, scikit-learn's and its scorers."""
