"""The rubrics: a file a criterion, which describes all five levels, and `_frame.txt`, what is asked around them."""
