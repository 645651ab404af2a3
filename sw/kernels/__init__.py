"""Compiled loops under the operators' arithmetic: sums of tabulated products, and products of bits that are packed in words."""
