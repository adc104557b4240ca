"""`sluice datasets`: the training tables, built again from their public sources.

    manifest (sources.toml) → files of each source → one parser a format → labels → cleaning → six tables

Nothing here is needed to run, test or fine-tune. What was built differs from the tables that the shipped model was
trained on: their cleaning is known from its description only, and some sources moved on. The command says by how much.
"""
