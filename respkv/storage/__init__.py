"""The typed face of the engine: keys, cells, batches, walks, transactions; and model, its obvious twin."""
