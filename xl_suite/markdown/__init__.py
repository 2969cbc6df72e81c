"""The structure of Markdown as models write it: one scanner for fidelity, guards and segmentation.

Three levels, each with offsets into the text, so that pieces join back to it whatever it holds; each takes time
linear in the length of the text. `split_blocks` tells code and front matter from prose, `find_spans` finds in a block
of prose what stays verbatim (inline code, formulas, addresses, tags, comments), and `read_lines` and `split_lines`
give its lines: headings, list items, quotations, tables.
"""
