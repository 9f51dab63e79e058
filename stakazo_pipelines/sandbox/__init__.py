"""A simulated advertising world behind emulators of the platforms' HTTP APIs.

It shares no code with the rest of the package, so that one mistake cannot be made on both sides of the wire.
"""
