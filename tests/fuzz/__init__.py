# SPDX-License-Identifier: Apache-2.0
"""The fuzzer: every public entry, fed with inputs that are right, odd, or damaged. `make fuzz`"""
