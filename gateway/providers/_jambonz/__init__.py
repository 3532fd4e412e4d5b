"""jambonz provider's parts: the verbs of an answer."""
