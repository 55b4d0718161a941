# SPDX-License-Identifier: Apache-2.0
"""The stages of an evaluation (read, extract, evaluate, write), and the engines that run them."""
