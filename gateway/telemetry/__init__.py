"""OpenTelemetry: spans of turns and deliveries, and the gateway's metrics, exported by OTLP.

In go the parts of the container, out come the same parts with spans around their calls. Without the table
`telemetry` in the settings nothing here is loaded but `telemetry_port`, and every part stays as it is.
"""
