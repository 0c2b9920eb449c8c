"""Where secret keys are kept: plain and encrypted files, hardware modules. All of them sign through one Protocol."""
