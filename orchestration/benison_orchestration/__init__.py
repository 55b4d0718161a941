# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in each orchestrator."""
