"""Tests of the menu studio beneath its pages."""
