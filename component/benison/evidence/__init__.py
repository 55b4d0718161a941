# SPDX-License-Identifier: Apache-2.0
"""How far measured values may be from the true ones, and what many tests at once may conclude from that."""
