"""Demo: settings, fault injection and the fake billing systems of `dialtree demo`."""
