"""The rubrics: a file per criterion, which describes all five levels, and `_frame.txt`, what is asked around them."""
