"""Menu studio: drafts checked and compared, revisions proposed, approved and published.

In: a draft, or the number of a revision. Out: findings, comparisons, revisions.
"""
