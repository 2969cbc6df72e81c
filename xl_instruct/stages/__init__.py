"""The stages of the pipeline and the files between them."""
