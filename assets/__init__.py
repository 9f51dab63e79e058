"""Dagster assets: one module per stage of design §2, thin; each calls the domain and attaches what a person looks at."""
