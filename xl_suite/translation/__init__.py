"""What a translation must keep, and by what it is known that it is none: shared by m-AlpacaEval and XL-Instruct."""
