"""What a translation must keep, and the signs of a text that is not one; for m-AlpacaEval and XL-Instruct."""
