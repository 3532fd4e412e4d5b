"""Tests of pack drafts and revisions in SQL."""
