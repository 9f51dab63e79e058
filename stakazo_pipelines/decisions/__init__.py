"""Many modules propose, one arbiter decides: at most one action per entity per cycle, and why the others lost."""
