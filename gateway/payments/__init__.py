"""Payment providers: settings and adapters; each implements the `Payments` port over HTTP."""
