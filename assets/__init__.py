"""Dagster assets, a module per stage of design §2: thin, each calls the domain and attaches what people look at."""
