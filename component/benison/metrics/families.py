# SPDX-License-Identifier: Apache-2.0
"""Names the module in which each class name is registered: only what is asked for is imported.

There are more than thirty families, with two hundred classes that take longer to make than a small
evaluation takes in all. A name that is not here is one of a user's, or unknown.
"""

from __future__ import annotations

FAMILIES = {
    "brier": """
        BrierReliability BrierResolution BrierScore BrierUncertainty BrierWithinBuckets
    """,
    "calibration_error": "ExpectedCalibrationError",
    "class_matrices": """
        MultiClassConfusionMatrixAtThresholds MultiClassConfusionMatrixPlot
        MultiLabelConfusionMatrixPlot
    """,
    "class_means": """
        CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy CategoricalHinge
        CosineSimilarity KLDivergence
        SparseTopKCategoricalAccuracy TopKCategoricalAccuracy
    """,
    "classification": """
        Accuracy BinaryCrossEntropy BinaryCrossentropy CategoricalAccuracy CategoricalCrossEntropy
        CategoricalCrossentropy SparseCategoricalAccuracy SparseCategoricalCrossentropy
    """,
    "coco": """
        COCOAveragePrecision COCOAverageRecall COCOMeanAveragePrecision COCOMeanAverageRecall
    """,
    "columns": "Mean Sum",
    "confusion": """
        BalancedAccuracy BinaryAccuracy ConfusionMatrixAtThresholds DiagnosticOddsRatio F1Score FN
        FNR FP FPR FallOut FalseDiscoveryRate FalseNegatives FalseOmissionRate FalsePositives
        FowlkesMallowsIndex Informedness Markedness MatthewsCorrelationCoefficient MaxRecall
        MissRate NPV NegativeLikelihoodRatio NegativePredictiveValue PPV PositiveLikelihoodRatio
        Precision PredictedPositiveRate Prevalence PrevalenceThreshold Recall Specificity TN TNR TP
        TPR ThreatScore TrueNegatives TruePositives
    """,
    "correlation": "ConcordanceCorrelation PearsonCorrelation SquaredPearsonCorrelation",
    "counts": "ExampleCount LabelCount WeightedExampleCount",
    "curves": "AUC AUCPrecisionRecall",
    "disparities": """
        DemographicParityDifference DemographicParityRatio EqualOpportunityDifference
        EqualOpportunityRatio EqualizedOddsDifference EqualizedOddsRatio
    """,
    "fbeta": "FBetaScore",
    "generation": "Bleu RougeFMeasure RougePrecision RougeRecall TokenF1",
    "margin_density": "MarginDensity",
    "model_comparison": """
        ModelCosineSimilarity NegToNegFlipRate NegToPosFlipRate PosToNegFlipRate PosToPosFlipRate
        SymmetricFlipRate SymmetricPredictionDifference
    """,
    "object_detection": """
        ObjectDetectionConfusionMatrixPlot ObjectDetectionMaxRecall ObjectDetectionPrecision
        ObjectDetectionPrecisionAtRecall ObjectDetectionRecall ObjectDetectionThresholdAtRecall
    """,
    "operating_points": """
        PrecisionAtRecall RecallAtFalsePositiveRate RecallAtPrecision SensitivityAtSpecificity
        SpecificityAtSensitivity ThresholdAtRecall
    """,
    "overlap": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU",
    "overlap_losses": "Dice Tversky",
    "plots": "CalibrationPlot ConfusionMatrixPlot ScoreDistributionPlot",
    "query_counts": "MaxDocuments MinDocuments TotalDocuments TotalQueries",
    "rank_correlation": "KendallTau SpearmanCorrelation",
    "ranking": "MinLabelPosition NDCG",
    "regression": """
        Calibration CoefficientOfDiscrimination MeanAbsoluteError MeanAbsolutePercentageError
        MeanLabel MeanPrediction MeanSquaredError MeanSquaredLogarithmicError R2Score
        RelativeCoefficientOfDiscrimination RootMeanSquaredError
    """,
    "retrieval": """
        HitRateAtK MAP MRR MeanAveragePrecision MeanReciprocalRank PrecisionAtK RecallAtK
    """,
    "row_means": """
        BinaryFocalCrossentropy Hinge Huber LogCosh LogCoshError MeanRelativeError Poisson
        SquaredHinge
    """,
    "row_samples": "FalseNegativeFeatureSampler FalsePositiveFeatureSampler FixedSizeSample",
    "segmentation": "PixelConfusionMatrix PixelFalsePositives PixelTruePositives",
    "separation": "Gini KolmogorovSmirnov",
    "set_match": "SetMatchPrecision SetMatchRecall",
    "text": "ExactMatch",
}
"""For each module that registers metrics their class names.

A new metric is added here too; a test holds the table against what the modules register.
"""

OWNERS = {name: module for module, names in FAMILIES.items() for name in names.split()}
"""The module of each class name.

>>> OWNERS["AUC"], OWNERS["Recall"]
('curves', 'confusion')
"""

GROUP_NAMES = frozenset(
    {
        "BooleanFlipRates",
        "BrierDecomposition",
        "FairnessIndicators",
        "MeanAbsoluteAttributions",
        "MeanAttributions",
        "QueryStatistics",
        "Rouge",
        "SemanticSegmentationConfusionMatrix",
        "SemanticSegmentationFalsePositive",
        "SemanticSegmentationTruePositive",
        "TotalAbsoluteAttributions",
        "TotalAttributions",
    }
)
"""Class names that stand for several metrics; `groups` says which."""
