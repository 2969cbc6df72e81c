"""The paper's tables as a plan of commands, and our numbers beside the paper's."""
