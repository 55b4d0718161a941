# SPDX-License-Identifier: Apache-2.0
"""This package is the Evaluator in each orchestrator."""
