"""The rubrics: a file for each criterion, which describes all five levels, and the frame `_frame.txt`."""
