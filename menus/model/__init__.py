"""Values shared by all menu code: session state, reply, facts (template values), user errors.

No dependencies on the other menu packages; the storage layer imports these values, too.
"""
