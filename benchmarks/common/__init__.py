"""What several benchmarks share: a sandbox process, the SDKs of the platforms, worlds to play in. Nothing to run."""
