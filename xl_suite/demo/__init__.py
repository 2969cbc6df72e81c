"""The demo: the main job of xl-suite on a small benchmark written for it, without network, key or model.

prompts.json, exclusions.tsv, edits.tsv and expected.tsv have the form of XL-AlpacaEval's; demo-good.yaml and
demo-slips.yaml hold what two generators answer. Edit an answer there, and the demo replays the new one.
"""
