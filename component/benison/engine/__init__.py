# SPDX-License-Identifier: Apache-2.0
"""The stages of an evaluation (read, extract, evaluate, write), and the two engines that run them."""
