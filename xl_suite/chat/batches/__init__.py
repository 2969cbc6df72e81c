"""Half-price batches: many calls in one file, answered within a day. The journal's tables keep what is under way."""
