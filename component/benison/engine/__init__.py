# SPDX-License-Identifier: Apache-2.0
"""The door to the stages: read, extract, evaluate, write, and the two ways to run them."""
