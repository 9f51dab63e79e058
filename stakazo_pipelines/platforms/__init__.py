"""Ad platforms: one port (`port.py`), one shared HTTP layer (`http/`), one adapter per platform."""
