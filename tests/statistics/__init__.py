# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: A005 - the field's word, and never imported by that name alone
