"""What a judge is worth in a language: defects planted in answers, and what the judge finds of them."""
