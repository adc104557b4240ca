"""Adaptation: captures and labels in, a gated and signed release out (torch)."""
