"""What users may choose: each option is declared once, for Python, the commands, study files and the docs alike."""
