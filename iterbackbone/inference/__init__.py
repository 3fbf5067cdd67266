"""The inference form: the same weights, with norms folded and states updated in place."""
