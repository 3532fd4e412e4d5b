"""Pack revisions in SQL: drafts of menus, numbered revisions, their approval and publication."""
