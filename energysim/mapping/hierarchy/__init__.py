"""Mappings onto memory hierarchies of any depth: explicit mappings, their counts and costs."""
