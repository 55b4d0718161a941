# SPDX-License-Identifier: Apache-2.0
"""Results that were written: loaded, looked up, compared."""
