"""Geospatial clearance planning and contamination mapping."""
