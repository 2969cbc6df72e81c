"""What a dataset folder is: its Parquet shards, its card, and the language that each answer is expected in."""
