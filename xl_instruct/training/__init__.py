"""LoRA fine-tuning with trl and peft."""
