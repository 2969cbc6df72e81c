"""lm-eval tasks: YAML for `lm_eval --include_path "$(xl-suite tasks)"`; the functions are in xl_suite.harness."""
