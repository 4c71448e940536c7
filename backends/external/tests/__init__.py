"""Tests of the external workers; `python3 -m unittest discover backends/external`. Standard library only."""
