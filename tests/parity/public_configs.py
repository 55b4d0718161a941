# SPDX-License-Identifier: Apache-2.0
"""EvalConfigs of public repositories that evaluate: where each stands on GitHub, and the config as text proto."""

from __future__ import annotations

MODEL_ANALYSIS, TFX = "tensorflow/model-analysis/docs", "tensorflow/tfx"
FAIRNESS = "tensorflow/fairness-indicators"
BOOK = "Building-ML-Pipelines/building-machine-learning-pipelines"
VERTEX = "GoogleCloudPlatform/mlops-with-vertex-ai"
COURSE = "GoogleCloudPlatform/mlops-on-gcp"
INTEL = "intel/intel-xai-tools"


def metrics(*names: str) -> str:
    return "".join(f' metrics {{ class_name: "{name}" }}' for name in names)


def gated(name: str, least: float, change: float | None = -1e-10, most: float | None = None) -> str:
    """A metric with a lower bound, and how far it may fall."""
    upper = "" if most is None else f" upper_bound {{ value: {most} }}"
    moved = f"change_threshold {{ absolute {{ value: {change} }} direction: HIGHER_IS_BETTER }}"
    return (
        f'metrics {{ class_name: "{name}" threshold {{ value_threshold {{ lower_bound {{ value: {least} }} '
        f"{upper} }} {moved if change is not None else ''} }} }}"
    )


def fairness(thresholds: str) -> str:
    return f""" metrics {{ class_name: "FairnessIndicators" config: '{{"thresholds": [{thresholds}]}}' }}"""


def sliced(*columns: str) -> str:
    return "slicing_specs {}" + "".join(
        f' slicing_specs {{ feature_keys: "{column}" }}' for column in columns
    )


def config(label: str, inner: str, slices: str = "slicing_specs {}", model: str = "") -> str:
    return f'model_specs {{ label_key: "{label}" {model} }} {slices} metrics_specs {{ {inner} }}'


TAXI_HOURS = (
    sliced("trip_start_hour", "trip_start_day")
    + ' slicing_specs { feature_values { key: "trip_start_month" value: "1" } }'
)
SERVED = 'signature_name: "serving_default"'
TRANSFORMED = f'{SERVED} preprocessing_function_names: "transform_features"'
COUNTS = ("FalsePositives", "TruePositives", "FalseNegatives", "TrueNegatives")
BASIC = metrics("ExampleCount", "BinaryAccuracy")
INSIDE = "Nor was a Keras model compiled with it. To compute it, add"
NO_LABEL = "model_specs[0].label_key: name the column that holds the labels."


def inside(kind: str, name: str, slices: str = "") -> str:
    """A threshold on a metric of the model itself."""
    bounds = (
        "value_threshold { lower_bound { value: 0.6 } } "
        "change_threshold { absolute { value: -1e-10 } direction: HIGHER_IS_BETTER }"
    )
    if kind == "per_slice_thresholds":
        bounds = f"thresholds {{ slicing_specs {{}} threshold {{ {bounds} }} }}"
    return f'metrics_specs {{ {kind} {{ key: "{name}" value {{ {bounds} }} }} }} {slices}'


EVALUATED: list[tuple[str, str]] = [
    (
        f"{BOOK}/chapters/adv_tfx/Custom_TFX_Components.ipynb",
        config("label", metrics("ExampleCount", "AUC")),
    ),
    (
        f"{BOOK}/chapters/appendix_c/tfx_template_example/pipeline/pipeline.py",
        config("big_tipper", gated("BinaryAccuracy", 0.6)),
    ),
    (
        f"{BOOK}/chapters/model_analysis/model_analysis.ipynb",
        config("consumer_disputed", BASIC + metrics(*COUNTS), sliced("product")),
    ),
    (
        f"{BOOK}/chapters/model_analysis/model_analysis.ipynb",
        config(
            "consumer_disputed",
            BASIC + metrics(*COUNTS) + fairness("0.25, 0.5, 0.75"),
            sliced("product"),
        ),
    ),
    (
        f"{BOOK}/interactive-pipeline/interactive_pipeline.ipynb",
        config(
            "consumer_disputed",
            gated("BinaryAccuracy", 0.65) + metrics("Precision", "Recall", "ExampleCount", "AUC"),
            sliced("product"),
            SERVED,
        ),
    ),
    (
        f"{COURSE}/immersion/guided_projects/guided_project_2_solution/pipeline/pipeline.py",
        config("Cover_Type", gated("BinaryAccuracy", 0.6)),
    ),
    (
        f"{COURSE}/immersion/tfx_pipelines/03-cicd/solutions/pipeline/pipeline.py",
        config(
            "Cover_Type",
            gated("SparseCategoricalAccuracy", 0.5, 0.0001, 0.99) + metrics("ExampleCount"),
            sliced("Wilderness_Area"),
        ),
    ),
    (
        f"{VERTEX}/03-training-formalization.ipynb",
        config(
            "tip_bin",
            metrics("ExampleCount") + gated("BinaryAccuracy", 0.8),
            model='signature_name: "serving_tf_example" prediction_key: "probabilities"',
        ),
    ),
    (
        "Hieudinh1308/Income_Classification_ML_Pipelines/trainer/eval_config.py",
        config(
            "label",
            metrics("ExampleCount") + gated("BinaryAccuracy", 0.5),
            sliced("sex", "race"),
            SERVED,
        ),
    ),
    (
        "ksalama/tfx2-workshop/ml_pipeline/modules/helper.py",
        config(
            "income_bracket",
            BASIC,
            sliced("occupation"),
            'signature_name: "serving_tf_examples" example_weight_key: "fnlwgt"',
        ),
    ),
    (
        "ksalama/tfx2-workshop/modules/helper.py",
        config(
            "income_bracket",
            gated("BinaryAccuracy", 0.7, 0.0001, 0.99) + metrics("ExampleCount"),
            sliced("occupation"),
        ),
    ),
    (
        "deep-diver/semantic-segmentation-ml-pipeline/training_pipeline/pipeline/configs.py",
        config(
            "label_xf",
            gated("SparseCategoricalAccuracy", 0.55, -0.001),
            model='signature_name: "from_examples" preprocessing_function_names: "transform_features"',
        ),
    ),
    (
        f"{INTEL}/notebooks/model_card_gen/compas_with_model_card_gen/compas-model-card-tfx.ipynb",
        config(
            "is_recid",
            metrics("BinaryAccuracy", "AUC") + fairness("0.25, 0.5, 0.75"),
            'slicing_specs { feature_keys: "race" }',
        ),
    ),
    (
        f"{INTEL}/plugins/model_card_gen/generators/tfma/tests/test_end_to_end_torch.py",
        config(
            "label",
            metrics("BinaryAccuracy", "AUC", "ConfusionMatrixPlot", "FairnessIndicators"),
            sliced("sex_Female"),
            'prediction_key: "prediction"',
        )
        + " options { include_default_metrics { value: false } }",
    ),
    (
        f"{FAIRNESS}/docs/tutorials/Fairness_Indicators_Pandas_Case_Study.ipynb",
        config("pass_bar", metrics("AUC") + fairness("0.50, 0.90"), sliced("race1")),
    ),
    (
        f"{FAIRNESS}/docs/tutorials/Fairness_Indicators_TensorBoard_Plugin_Example_Colab.ipynb",
        config("toxicity", metrics("ExampleCount", "FairnessIndicators"), sliced("gender"), SERVED),
    ),
    (
        f"{FAIRNESS}/fairness_indicators/example_model_test.py",
        config("toxicity", metrics("ExampleCount", "FairnessIndicators"), sliced("slice"), SERVED),
    ),
    (
        f"{FAIRNESS}/fairness_indicators/test_cases/dlvm/fairness_indicators_dlvm_test_case.ipynb",
        config(
            "big_tipper",
            BASIC + metrics("AUC", "MeanLabel", "MeanPrediction") + fairness("0.3, 0.5, 0.7"),
            TAXI_HOURS
            + ' slicing_specs { feature_keys: "trip_start_hour" feature_keys: "trip_start_day" }',
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/faq.md",
        config(
            "label",
            metrics("AUC", "ConfusionMatrixPlot"),
            sliced("language"),
            'prediction_key: "prediction"',
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/get_started.md",
        config(
            "label",
            metrics("AUC", "ConfusionMatrixPlot"),
            sliced("age"),
            'example_weight_key: "weight"',
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/get_started.md",
        config(
            "label",
            gated("AUC", 0.9) + metrics("ConfusionMatrixPlot"),
            sliced("age"),
            'example_weight_key: "weight"',
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config(
            "label",
            metrics(
                *[
                    "ExampleCount",
                    "BinaryCrossentropy",
                    "BinaryAccuracy",
                    "AUC",
                    "AUCPrecisionRecall",
                    "MeanLabel",
                ],
                *["MeanPrediction", "Calibration", "ConfusionMatrixPlot", "CalibrationPlot"],
            ),
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config(
            "label",
            metrics(
                *["ExampleCount", "SparseCategoricalCrossentropy", "SparseCategoricalAccuracy"],
                "MultiClassConfusionMatrixPlot",
            )
            + "".join(
                f" metrics {{ class_name: '{name}' config: '\"top_k\": {k}' }}"
                for name in ("Precision", "Recall")
                for k in (1, 3)
            ),
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config(
            "label",
            """query_key: "doc_id" metrics { class_name: "MinLabelPosition" } metrics {
            class_name: "NDCG" config: '"gain_key": "gain", "top_k_list": [1, 2]' }""",
        ),
    ),
    (
        f"{MODEL_ANALYSIS}/metrics.md",
        config(
            "label",
            """metrics { class_name: "ConfusionMatrixAtThresholds" config: '"thresholds": [0.3, 0.5, 0.8]' }""",
        ),
    ),
    (
        "tensorflow/model-analysis/tensorflow_model_analysis/evaluators/testing/confidence_interval_validation.py",
        config(
            "label",
            metrics("MeanSquaredError", "Calibration"),
            model='prediction_key: "prediction"',
        ),
    ),
    (
        "tensorflow/tfx-addons/examples/model_card_generator/MLMD_Model_Card_Toolkit_Demo.ipynb",
        config(
            "Over-50K",
            BASIC + fairness("0.5"),
            sliced("Race", "Sex") + ' slicing_specs { feature_keys: "Race" feature_keys: "Sex" }',
        )
        + " options { compute_confidence_intervals { value: true } }",
    ),
    (
        f"{TFX}/docs/tutorials/mlmd/mlmd_tutorial.ipynb",
        config("species", gated("SparseCategoricalAccuracy", 0.6, None), model=SERVED),
    ),
    (
        f"{TFX}/docs/tutorials/model_analysis/tfma_basic.ipynb",
        config(
            "big_tipper",
            metrics(
                *[
                    "ExampleCount",
                    "AUC",
                    "Precision",
                    "Recall",
                    "MeanPrediction",
                    "Calibration",
                    "CalibrationPlot",
                ],
                "ConfusionMatrixPlot",
            ),
            TAXI_HOURS,
        ),
    ),
    (
        f"{TFX}/docs/tutorials/model_analysis/tfma_basic.ipynb",
        'model_specs { name: "candidate" label_key: "big_tipper" } '
        'model_specs { name: "baseline" label_key: "big_tipper" is_baseline: true } metrics_specs {'
        + BASIC
        + metrics("BinaryCrossentropy", "AUCPrecisionRecall", "Precision", "Recall", "MeanLabel")
        + metrics("MeanPrediction", "Calibration", "CalibrationPlot", "ConfusionMatrixPlot")
        + gated("AUC", 0.9)
        + "}"
        + sliced("trip_start_hour", "trip_start_day", "trip_start_month")
        + ' slicing_specs { feature_keys: "trip_start_hour" feature_keys: "trip_start_day" }',
    ),
    (
        f"{TFX}/docs/tutorials/tfx/components_keras.ipynb",
        config(
            "tips",
            metrics("ExampleCount") + gated("BinaryAccuracy", 0.5),
            sliced("trip_start_hour"),
            TRANSFORMED,
        ),
    ),
    (
        f"{TFX}/tfx/examples/bert/cola/bert_cola_pipeline.py",
        config("label", gated("SparseCategoricalAccuracy", 0.1, -0.01)),
    ),
    (
        f"{TFX}/tfx/examples/chicago_taxi_pipeline/taxi_pipeline_native_keras.py",
        config("tips_xf", gated("BinaryAccuracy", 0.6), model=TRANSFORMED),
    ),
    (
        f"{TFX}/tfx/examples/imdb/imdb_pipeline_native_keras.py",
        config("label", gated("BinaryAccuracy", 0.01, -0.01)),
    ),
    (
        f"{TFX}/tfx/examples/mnist/mnist_pipeline_native_keras.py",
        config("image_class", gated("SparseCategoricalAccuracy", 0.6, None)),
    ),
    (
        f"{TFX}/tfx/examples/penguin/penguin_pipeline_kubeflow.py",
        config("species_xf", gated("SparseCategoricalAccuracy", 0.3), model=TRANSFORMED),
    ),
    (
        f"{TFX}/tfx/examples/penguin/penguin_pipeline_local.py",
        config("species_xf", gated("SparseCategoricalAccuracy", 0.6), model=TRANSFORMED),
    ),
    (
        "tensorflow/workshops/blog/TFX_Pipeline_for_ALBERT_Preprocessing_wo_tf_Examples.ipynb",
        config("label", gated("CategoricalAccuracy", 0.5, -0.01)),
    ),
]
