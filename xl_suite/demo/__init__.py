"""The demo: the main job of xl-suite on a small benchmark written for it, without network, key or model.

prompts.json, exclusions.tsv, edits.tsv and expected.tsv have the format of XL-AlpacaEval's files. demo-good.yaml and
demo-slips.yaml contain the answers of two generators. If you edit an answer there, the demo replays the new one.
"""
